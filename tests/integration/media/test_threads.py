"""How many media threads a Worker starts when nobody says how many."""

from __future__ import annotations

import os
from pathlib import Path

from headwater import Worker


def media_threads() -> set[str]:
    """Names of this process's media threads, as the kernel knows them."""
    names = {(task / "comm").read_text().strip() for task in Path("/proc/self/task").iterdir()}
    return {name for name in names if name.startswith("hw-media-")}


async def test_one_media_thread_per_core() -> None:
    """The cores that this process may use decide, from the start."""
    cores = len(os.sched_getaffinity(0))
    async with Worker() as worker:
        assert worker.threads == cores
        for _ in range(cores):  # one goes to each thread, so each has run and named itself
            await worker.create_router()
        assert media_threads() == {f"hw-media-{number}" for number in range(cores)}
    assert media_threads() == set()
