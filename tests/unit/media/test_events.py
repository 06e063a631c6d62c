"""Event streams: bounded, several at once, never losing an object's own state."""

from __future__ import annotations

import asyncio
import gc

import pytest

from headwater import (
    ConnectionStateChanged,
    EventsLost,
    InvalidState,
    PublisherAdded,
    PublisherClosed,
    Router,
    RouterClosed,
    TransportClosed,
)
from headwater.ids import TransportId
from headwater.media.events import DataMessage, Event, EventStream
from headwater.testing import FakeWorker, client_offer

STATE = ConnectionStateChanged(TransportId("t"), "connected")


async def test_order_and_end() -> None:
    """Events come in order, and iteration ends after the last."""
    stream: EventStream[Event] = EventStream(4)
    for number in range(3):
        stream.push(DataMessage(str(number)))
    stream.end()
    assert [event async for event in stream] == [DataMessage("0"), DataMessage("1"), DataMessage("2")]


async def test_slow_consumer_is_told() -> None:
    """On overflow the oldest events go, EventsLost says how many, and the stream goes on."""
    stream: EventStream[Event] = EventStream(2)
    for number in range(5):
        stream.push(DataMessage(str(number)))
    assert await anext(stream) == EventsLost(3)
    assert await anext(stream) == DataMessage("3")
    stream.push(DataMessage("5"))
    assert await anext(stream) == DataMessage("4")
    assert await anext(stream) == DataMessage("5")
    assert stream.lost_total == 3


async def test_own_state_survives_overflow() -> None:
    """State is kept when news is dropped, and then only the newest of each kind."""
    stream: EventStream[Event] = EventStream(2)
    stream.push(STATE, keep=True)
    for number in range(10):
        stream.push(DataMessage(str(number)))
    failed = ConnectionStateChanged(TransportId("t"), "failed")
    for _ in range(3):
        stream.push(STATE, keep=True)
    stream.push(failed, keep=True)
    stream.push(TransportClosed("t", "connection_failed"), keep=True)
    stream.end()
    assert [event async for event in stream] == [
        EventsLost(10),
        failed,
        TransportClosed("t", "connection_failed"),
    ]


async def test_bound_holds() -> None:
    """Whatever is pushed, no more than the capacity and one event of each kind of state is held."""
    stream: EventStream[Event] = EventStream(8)
    for number in range(1000):
        stream.push(DataMessage(str(number)), keep=number % 3 == 0)
    assert len(stream._pending) <= 8


async def test_waiting_consumer_wakes() -> None:
    """A consumer that waits gets the event that comes, and the end."""
    stream: EventStream[Event] = EventStream(1)
    first = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    stream.push(STATE)
    assert await first == STATE
    second = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    stream.end()
    with pytest.raises(StopAsyncIteration):
        await second


async def test_cancelled_consumer_loses_nothing() -> None:
    """A consumer that gives up waiting can come back for the next event."""
    stream: EventStream[Event] = EventStream(1)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(stream), 0)
    stream.push(STATE)
    assert await anext(stream) == STATE


async def test_two_tasks_on_one_stream() -> None:
    """A stream serves one task; a second one is told to make its own."""
    stream: EventStream[Event] = EventStream(1)
    first = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    with pytest.raises(InvalidState, match="once per consumer"):
        await anext(stream)
    stream.push(STATE)
    await first


def test_capacity_must_be_positive() -> None:
    """A stream that could hold nothing is refused."""
    with pytest.raises(ValueError, match="capacity"):
        EventStream(0)


async def test_several_consumers_and_bubbling(worker: FakeWorker, router: Router) -> None:
    """Every consumer sees every event, on the object and on what it hangs on."""
    publishing = await router.create_publish_transport()
    await publishing.get_answer(client_offer(video="cam"))
    streams = [router.events(), router.events(), publishing.events()]
    publisher = await publishing.publish("cam")
    worker.core.end(publisher)
    await publisher.wait_closed()
    added = PublisherAdded(publisher.id, publishing.id, "video", "cam")
    for stream in streams:
        assert await anext(stream) == added
        assert await anext(stream) == PublisherClosed(publisher.id, "remote_ended")


async def test_events_of_a_closed_object(router: Router) -> None:
    """A stream started after the close yields the closing event alone."""
    await router.close()
    assert [event async for event in router.events()] == [RouterClosed(router.id, "requested")]


async def test_stream_is_forgotten_when_let_go(worker: FakeWorker, router: Router) -> None:
    """Leaving the loop is enough: the object does not keep a stream alive."""
    publishing = await router.create_publish_transport()
    worker.core.connect(publishing)
    async for _ in publishing.events():
        break
    gc.collect()
    assert len(publishing._streams) == 0
