"""What the kernel says of a process: stopped, ready or asleep, and how long it has run (proc(5))."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["ProcessState", "is_stopped", "read_process_state"]


@dataclass(frozen=True, slots=True)
class ProcessState:
    """A process at one moment.

    Attributes:
        ready: One of its threads runs, or would if it had a processor or its disk.
        cpu_seconds: How long its threads have run, together.
    """

    ready: bool
    cpu_seconds: float


def is_stopped(pid: int) -> bool:
    """Whether a process was stopped by a signal; not, when there is none of that number."""
    try:
        return _state(Path(f"/proc/{pid}")) == "T"
    except OSError:
        return False


def read_process_state(pid: int) -> ProcessState | None:
    """Look at all threads of a process; none when it is gone, or this kernel does not tell."""
    ready, nanoseconds = False, 0
    try:
        for thread in Path(f"/proc/{pid}/task").iterdir():
            ready |= _state(thread) in _READY
            nanoseconds += int((thread / "schedstat").read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return None
    return ProcessState(ready, nanoseconds / 1e9)


def _state(entry: Path) -> str:
    """One letter; the name before it may hold anything but ends with the last bracket."""
    rest = (entry / "stat").read_bytes().rpartition(b")")[2].split()
    return rest[0].decode("ascii") if rest else ""


_READY = ("R", "D")
