"""After the last leave everything is back: descriptors, threads, tasks, objects, memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from headwater import Router, Worker
from tests.support.peer import Camera, Microphone, Peer
from tests.support.resources import given_back, resident, resources

CYCLES = 200


async def holds(worker: Worker, **expected: int) -> None:
    """Wait until the media threads say that they hold this and nothing else; they say so every second."""
    async with asyncio.timeout(30):
        while gauges(worker) != expected:  # noqa: ASYNC110  # counters are read, never announced
            await asyncio.sleep(0.05)


def gauges(worker: Worker) -> dict[str, int]:
    """What the media threads hold, without what they hold none of."""
    names = (
        "routers", "transports", "publishers", "subscribers", "data_publishers", "data_subscribers",
        "recording_tracks", "relayed_tracks", "known_ufrags", "known_addresses",
    )  # fmt: skip
    counters = worker.counters()
    return {name: counters[name] for name in names if counters.get(name)}


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


@pytest.mark.timeout(300)
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
    await given_back(before)
    await holds(worker, routers=1)
    assert resident() - memory < 8 * 1024
    assert router.publisher_ids == ()
    assert await router.get_stats() == {
        "transports": 0,
        "publishers": 0,
        "data_publishers": 0,
        "subscribers": 0,
        "threads": 1,
    }


@pytest.mark.timeout(300)
async def test_calls_leave_nothing(worker: Worker, router: Router, peer: Callable[[], Peer]) -> None:
    """200 clients connect, hear or see somebody and hang up; nothing of them stays."""
    # aiortc encodes in the loop's executor, which would otherwise grow in the middle of the count
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
    alice = peer()
    publishing = await router.create_publish_transport()
    tracks = (Microphone(), Camera())
    await alice.publish(publishing, *tracks)
    publishers = [await publishing.publish(track.id) for track in tracks]

    async def call(kind: str) -> None:
        bob = Peer()
        watching = await router.create_subscribe_transport()
        subscribers, offer = await watching.subscribe_many(router.publisher_ids)
        await bob.answer(watching, offer)
        (mid,) = [subscriber.mid for subscriber in subscribers if subscriber.kind == kind]
        assert mid is not None
        await bob.received(mid)
        await bob.close()
        async with asyncio.timeout(30):
            assert await watching.wait_closed() == "remote_closed"

    for _ in range(20):
        await call("video")
    before, memory = resources(), resident()
    for number in range(CYCLES - 20):  # a picture takes until the next key frame, half a second
        await call("audio" if number % 10 else "video")
    await given_back(before)
    await holds(worker, routers=1, transports=1, publishers=2, known_ufrags=1, known_addresses=1)
    assert resident() - memory < 32 * 1024
    assert [publisher.subscribers for publisher in publishers] == [(), ()]


async def test_worker_leaves_nothing() -> None:
    """Opening and closing Workers gives back their threads and sockets."""
    async with Worker(threads=4):
        pass
    before = resources()
    for _ in range(10):
        async with Worker(threads=4) as worker:
            await visit_empty(worker)
    await given_back(before)


async def visit_empty(worker: Worker) -> None:
    """Use a Worker a little."""
    router = await worker.create_router()
    await router.create_publish_transport()
