"""Data publishers: messages reach Python only while somebody listens."""

from __future__ import annotations

import gc

import pytest

from headwater import Closed, DataMessage, DataPublisherAdded, EventsLost, PublisherNotFound, Router
from headwater.testing import FakeWorker


async def test_messages(worker: FakeWorker, router: Router) -> None:
    """Text comes as str, binary as bytes, each listener gets its own, and the end is the close."""
    publishing = await router.create_publish_transport()
    data = await publishing.publish_data("chat")
    worker.core.message(data, "unheard")
    first, second = data.messages(), data.messages()
    await data.get_stats()
    worker.core.message(data, "text")
    worker.core.message(data, b"\xff")
    for stream in (first, second):
        assert await anext(stream) == DataMessage("text")
        assert await anext(stream) == DataMessage(b"\xff")
    await data.close()
    assert [message async for message in first] == []
    with pytest.raises(Closed):
        data.messages()


async def test_tap_follows_the_listeners(worker: FakeWorker, router: Router) -> None:
    """The core is asked for messages with the first listener and told to stop after the last."""
    data = await (await router.create_publish_transport()).publish_data("chat")
    stream = data.messages()
    await data.get_stats()
    assert worker.core.commands.count("set_data_tap") == 1
    del stream
    gc.collect()
    worker.core.message(data, "nobody")
    await data.get_stats()
    assert worker.core.commands.count("set_data_tap") == 2
    worker.core.message(data, "really nobody")
    again = data.messages()
    await data.get_stats()
    worker.core.message(data, "somebody")
    assert await anext(again) == DataMessage("somebody")


async def test_slow_listener(worker: FakeWorker, router: Router) -> None:
    """A listener that does not keep up is told how much it missed."""
    data = await (await router.create_publish_transport()).publish_data("chat")
    stream = data.messages(capacity=2)
    await data.get_stats()
    for number in range(5):
        worker.core.message(data, str(number))
    await data.get_stats()
    assert await anext(stream) == EventsLost(3)
    assert await anext(stream) == DataMessage("3")


async def test_send(worker: FakeWorker, router: Router) -> None:
    """The program speaks through the channel too."""
    data = await (await router.create_publish_transport()).publish_data("chat")
    await data.send("hello")
    await data.send(b"\x00")
    assert worker.core.sent(data) == ["hello", b"\x00"]


async def test_found_by_the_room(router: Router) -> None:
    """A data publisher is told to the room and listed while it is open."""
    events = router.events()
    publishing = await router.create_publish_transport()
    data = await publishing.publish_data("chat")
    assert await anext(events) == DataPublisherAdded(data.id, publishing.id, "chat")
    assert router.data_publisher_ids == (data.id,)
    assert router.data_publisher(data.id) is data
    await data.close()
    with pytest.raises(PublisherNotFound):
        router.data_publisher(data.id)
    assert not router.data_publisher_ids
