"""What all objects share: cancellation leaves nothing behind, statistics, context managers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from headwater import Closed, PublisherActive, PublisherNotFound, Router
from headwater.testing import FakeWorker, client_offer


async def _pieces(router: Router) -> dict[str, Any]:
    publishing = await router.create_publish_transport()
    await publishing.get_answer(client_offer(audio="mic", video="cam"))
    watching = await router.create_subscribe_transport()
    viewing = await router.create_subscribe_transport()
    await viewing.get_answer(client_offer(audio="x", video="y", receive=True))
    recording = await router.create_recording_transport("127.0.0.1", 5004)
    return {
        "router": router,
        "publishing": publishing,
        "watching": watching,
        "viewing": viewing,
        "recording": recording,
        "publisher": await publishing.publish("cam"),
        "data": await publishing.publish_data("chat"),
    }


CREATIONS: dict[str, Callable[[dict[str, Any]], Awaitable[Any]]] = {
    "create_publish_transport": lambda p: p["router"].create_publish_transport(),
    "create_subscribe_transport": lambda p: p["router"].create_subscribe_transport(),
    "create_recording_transport": lambda p: p["router"].create_recording_transport("127.0.0.1", 6000),
    "publish": lambda p: p["publishing"].publish("mic"),
    "publish_data": lambda p: p["publishing"].publish_data("other"),
    "subscribe": lambda p: p["watching"].subscribe(p["publisher"].id),
    "subscribe_data": lambda p: p["watching"].subscribe_data(p["data"].id),
    "attach": lambda p: p["viewing"].attach(p["publisher"].id),
    "start_recording": lambda p: p["recording"].start_recording(p["publisher"].id),
}


@pytest.mark.parametrize("reply_first", [False, True], ids=["reply after cancel", "reply before cancel"])
@pytest.mark.parametrize("command", CREATIONS)
async def test_cancelled_creation_leaves_nothing(
    worker: FakeWorker, router: Router, command: str, reply_first: bool
) -> None:
    """A creation that is cancelled closes what it created, whether its reply came or not."""
    core = worker.core
    pieces = await _pieces(router)
    before = core.objects
    known = (router.publisher_ids, router.data_publisher_ids, router.transports)
    core.hold()
    task = asyncio.ensure_future(CREATIONS[command](pieces))
    await core.asked(command)
    if reply_first:
        core.release()
        worker._seam._drain()  # type: ignore[union-attr]  # the reply is in, the task has not run yet
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    core.release()
    await router.transports[0].get_stats()  # a later reply: all earlier ones are in
    assert core.objects == before
    assert (router.publisher_ids, router.data_publisher_ids, router.transports) == known
    assert worker._seam is not None
    assert worker._seam.pending == 0
    offer = await asyncio.wait_for(pieces["watching"].create_offer(), 20)
    assert offer.startswith("v=0")


async def test_cancelled_router_creation(worker: FakeWorker) -> None:
    """A router whose creation was cancelled is gone from the Worker and from the core."""
    worker.core.hold()
    task = asyncio.ensure_future(worker.create_router())
    await worker.core.asked("create_router")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    worker.core.release()
    await worker.create_router()
    assert len(worker.routers) == worker.core.objects == 1


async def test_failed_creation_is_forgotten(worker: FakeWorker, router: Router) -> None:
    """An object that the core refused does not stay registered."""
    pieces = await _pieces(router)
    seam = worker._seam
    assert seam is not None
    registered = len(seam._objects)
    worker.core.end(pieces["publisher"])  # the core knows, Python does not yet
    with pytest.raises(PublisherNotFound):
        await pieces["recording"].start_recording(pieces["publisher"].id)
    assert len(seam._objects) == registered - 1
    assert pieces["recording"].tracks == ()


async def test_event_right_behind_its_reply(worker: FakeWorker, router: Router) -> None:
    """An event in the same batch as the reply that made its object finds the object."""
    publishing = await router.create_publish_transport()
    await publishing.get_answer(client_offer(video="cam"))
    core = worker.core
    events = router.events()
    core.hold()
    task = asyncio.ensure_future(publishing.publish("cam"))
    await core.asked("publish")
    seam = worker._seam
    assert seam is not None
    (publisher,) = [item for (kind, _), item in seam._objects.items() if kind == "publisher"]
    core.packets(publisher, "video/AV1")
    core.release()
    made = await task
    assert made is publisher
    assert made.codec.mime == "video/AV1"
    assert made.active
    assert any([isinstance(event, PublisherActive) async for event in _until_active(events)])


async def _until_active(events: Any) -> Any:
    async for event in events:
        yield event
        if isinstance(event, PublisherActive):
            return


async def test_calls_that_cross_a_close(worker: FakeWorker, router: Router) -> None:
    """A call on an object that the media thread has closed in this moment raises Closed too."""
    pieces = await _pieces(router)
    worker.core.end(pieces["publisher"])
    with pytest.raises(Closed):
        await pieces["publisher"].pause()
    worker.core.hang_up(pieces["watching"])
    with pytest.raises(Closed):
        await pieces["watching"].create_offer()


async def test_closed_object_refuses_calls(router: Router) -> None:
    """Calls on a closed object raise Closed, and closing again does nothing."""
    pieces = await _pieces(router)
    publisher, publishing = pieces["publisher"], pieces["publishing"]
    await publishing.close()
    await publishing.close()
    for call in (
        publisher.pause(),
        publisher.request_key_frame(),
        publisher.get_stats(),
        publishing.get_answer(client_offer()),
        publishing.publish("mic"),
        publishing.add_ice_candidate(""),
    ):
        with pytest.raises(Closed):
            await call
    assert publishing.connection_state == publishing.signaling_state == "closed"
    assert "closed (requested)" in repr(publishing)


async def test_wait_closed_by_the_client(worker: FakeWorker, router: Router) -> None:
    """Waiting for a close ends when the client causes it, and at once afterwards."""
    publishing = await router.create_publish_transport()
    waiting = asyncio.ensure_future(publishing.wait_closed())
    await asyncio.sleep(0)
    worker.core.hang_up(publishing)
    assert await waiting == "remote_closed"
    assert await publishing.wait_closed() == "remote_closed"


async def test_leaving_the_block_closes(worker: FakeWorker, router: Router) -> None:
    """Every object is a context manager."""
    async with await router.create_publish_transport() as publishing:
        await publishing.get_stats()
    assert publishing.close_reason == "requested"
    assert worker.core.objects == 1


async def test_statistics(router: Router) -> None:
    """Every object has statistics."""
    pieces = await _pieces(router)
    subscriber, _ = await pieces["watching"].subscribe(pieces["publisher"].id)
    for item in (*pieces.values(), subscriber):
        stats = await item.get_stats()
        assert stats
        assert all(isinstance(value, int | float | str) for value in stats.values())
