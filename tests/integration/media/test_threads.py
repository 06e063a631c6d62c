"""How many media threads a Worker starts when nobody says how many, and how many routers one carries."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable
from pathlib import Path

from headwater import Worker
from tests.integration.media.test_calls import publish
from tests.support.peer import Camera, Peer


def media_threads() -> set[str]:
    """Names of this process's media threads, as the kernel knows them."""
    names = set()
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has just ended
            names.add((task / "comm").read_text().strip())
    return {name for name in names if name.startswith("hw-media-")}


async def test_one_media_thread_per_core() -> None:
    """The cores that this process may use decide, from the start."""
    cores = len(os.sched_getaffinity(0))
    async with Worker() as worker:
        assert worker.threads == cores
        for _ in range(cores):  # one goes to each thread, so each has run and named itself
            await worker.create_router()
        assert media_threads() == {f"hw-media-{number}" for number in range(cores)}
    async with asyncio.timeout(30):
        while media_threads():  # noqa: ASYNC110  # the kernel takes a moment with a thread that has ended
            await asyncio.sleep(0.05)


async def test_one_thread_carries_many_routers(peer: Callable[[], Peer]) -> None:
    """Five rooms on one media thread, each with its own camera and viewer."""
    async with Worker(threads=1, addresses=["127.0.0.1"]) as worker:
        viewers = []
        for _ in range(5):
            router = await worker.create_router()
            (camera,) = await publish(router, peer(), Camera(30))
            transport = await router.create_subscribe_transport()
            viewer = peer()
            subscriber, offer = await transport.subscribe(camera)
            await viewer.answer(transport, offer)
            assert subscriber.mid is not None
            viewers.append((viewer, subscriber.mid))
        assert media_threads() == {"hw-media-0"}
        for viewer, mid in viewers:
            await viewer.received(mid, 5)
