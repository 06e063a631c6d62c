"""What a process holds, counted, for tests that want everything back."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
from collections import Counter
from pathlib import Path

from headwater.media.object import MediaObject

__all__ = ["given_back", "resident", "resources"]


def resources() -> dict[str, int]:
    """Count what must come back exactly.

    The threads of asyncio's own pool are left out: it makes them when several calls wait at once, up to a
    bound, and keeps them.
    """
    gc.collect()
    pooled = sum(thread.name.startswith("asyncio_") for thread in threading.enumerate())
    return {
        "descriptors": len(os.listdir("/proc/self/fd")),
        "threads": len(os.listdir("/proc/self/task")) - pooled,
        "tasks": len(asyncio.all_tasks()),
        "objects": sum(isinstance(item, MediaObject) for item in gc.get_objects()),
    }


async def given_back(before: dict[str, int]) -> None:
    """Wait until everything is counted as before: a codec's threads end a moment after what they decoded for.

    Raises:
        AssertionError: Something stays; names the threads.
    """
    try:
        async with asyncio.timeout(30):
            while resources() != before:  # noqa: ASYNC110  # nobody tells when the kernel has let go of a thread
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"{resources()} is not {before}; threads: {_threads()}") from None


def resident() -> int:
    """Resident memory in KiB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1])
    raise AssertionError("no VmRSS")


def _threads() -> Counter[str]:
    """How many there are of each name."""
    return Counter(comm.read_text().strip() for comm in Path("/proc/self/task").glob("*/comm"))
