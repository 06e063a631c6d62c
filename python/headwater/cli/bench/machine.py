"""The machine in words that may be published: no host names, no addresses."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Machine", "this_machine"]


@dataclass(frozen=True, slots=True)
class Machine:
    """What decides the figures.

    Attributes:
        cores: Cores this process may use.
        architecture: As the kernel names it.
        crypto: The widest AES instructions: ``vaes-avx512``, ``vaes``, ``aes``, ``none``, or ``unknown``.
        kernel: Kernel name and the first two numbers of its version.
        busy: Load average of the last minute; other work disturbs delays and caches.
    """

    cores: int
    architecture: str
    crypto: str
    kernel: str
    busy: float

    def __str__(self) -> str:
        """One line for a table's caption."""
        return (
            f"{self.cores} cores, {self.architecture} ({self.crypto}), {self.kernel}, "
            f"load average {self.busy:.1f}"
        )


def this_machine() -> Machine:
    """Describe the machine this process runs on."""
    release = ".".join(platform.release().split("-")[0].split(".")[:2])
    return Machine(
        cores=len(os.sched_getaffinity(0)),
        architecture=platform.machine(),
        crypto=_crypto(),
        kernel=f"{platform.system()} {release}",
        busy=os.getloadavg()[0],
    )


def _crypto() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return "unknown"
    lines = (line for line in text.splitlines() if line.startswith(("flags", "Features")))
    flags = set(next(lines, "").split())
    if {"vaes", "avx512f"} <= flags:
        return "vaes-avx512"
    return next((flag for flag in ("vaes", "aes") if flag in flags), "none")
