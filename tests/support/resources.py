"""What a process holds, counted, for tests that want everything back."""

from __future__ import annotations

import asyncio
import gc
import os
from pathlib import Path

from headwater.media.object import MediaObject

__all__ = ["resident", "resources"]


def resources() -> dict[str, int]:
    """Count what must come back exactly."""
    gc.collect()
    return {
        "descriptors": len(os.listdir("/proc/self/fd")),
        "threads": len(os.listdir("/proc/self/task")),
        "tasks": len(asyncio.all_tasks()),
        "objects": sum(isinstance(item, MediaObject) for item in gc.get_objects()),
    }


def resident() -> int:
    """Resident memory in KiB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1])
    raise AssertionError("no VmRSS")
