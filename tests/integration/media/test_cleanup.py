"""After the last leave everything is back: descriptors, threads, tasks, objects, memory."""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from headwater import Router, Worker
from headwater.media.object import MediaObject
from tests.support.peer import Camera, Peer

CYCLES = 200


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


async def visit(router: Router, offer: str) -> None:
    """Join, publish, watch, and leave, without a client at the other end."""
    async with await router.create_publish_transport() as publishing:
        await publishing.get_answer(offer)
        for track in publishing.tracks:
            await publishing.publish(track)
        data = await publishing.publish_data("chat")
        async with await router.create_subscribe_transport() as watching:
            await watching.subscribe_many(router.publisher_ids)
            await watching.rollback()
            async with await router.create_recording_transport("127.0.0.1", 9) as recording:
                for id_ in router.publisher_ids:
                    await recording.start_recording(id_)
            assert data.id in router.data_publisher_ids


@pytest.mark.timeout(120)
async def test_join_and_leave_leaves_nothing(
    worker: Worker, router: Router, peer: Callable[[], Peer]
) -> None:
    """200 visits, and everything is counted as before; memory has stopped growing."""
    client = peer()
    client.connection.addTrack(Camera())
    await client.connection.setLocalDescription(await client.connection.createOffer())
    offer = client.connection.localDescription.sdp
    for _ in range(CYCLES):  # warm: allocators, caches, interned strings
        await visit(router, offer)
    before, memory = resources(), resident()
    for _ in range(CYCLES):
        await visit(router, offer)
    assert resources() == before
    assert resident() - memory < 8 * 1024
    assert router.publisher_ids == ()
    assert await router.get_stats() == {
        "transports": 0,
        "publishers": 0,
        "data_publishers": 0,
        "subscribers": 0,
    }


@pytest.mark.timeout(240)
async def test_calls_leave_nothing(worker: Worker, router: Router, peer: Callable[[], Peer]) -> None:
    """200 clients connect, see a picture and hang up; nothing of them stays."""
    alice = peer()
    publishing = await router.create_publish_transport()
    camera = Camera()
    await alice.publish(publishing, camera)
    publisher = await publishing.publish(camera.id)
    await publisher.wait_active()

    async def call() -> None:
        bob = Peer()
        watching = await router.create_subscribe_transport()
        subscriber, offer = await watching.subscribe(publisher.id)
        await bob.answer(watching, offer)
        assert subscriber.mid is not None
        await bob.received(subscriber.mid)
        await bob.close()
        async with asyncio.timeout(10):
            assert await watching.wait_closed() == "remote_closed"

    for _ in range(20):
        await call()
    before = resources()
    for _ in range(CYCLES - 20):
        await call()
    assert resources() == before
    assert publisher.subscribers == ()


async def test_worker_leaves_nothing() -> None:
    """Opening and closing Workers gives back their threads and sockets."""
    async with Worker(threads=4):
        pass
    before = resources()
    for _ in range(10):
        async with Worker(threads=4) as worker:
            await visit_empty(worker)
    assert resources() == before


async def visit_empty(worker: Worker) -> None:
    """Use a Worker a little."""
    router = await worker.create_router()
    await router.create_publish_transport()
