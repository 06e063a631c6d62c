"""Walks the table of docs/topics/closures.md over the simulated core."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from headwater.testing import FakeWorker, client_offer
from tests.support.closures import Room, table, told

ROWS = table()


async def build(worker: FakeWorker) -> Room:
    router = await worker.create_router()
    publishing = await router.create_publish_transport()
    await publishing.get_answer(client_offer(video="cam", data=True))
    publisher = await publishing.publish("cam")
    data_publisher = await publishing.publish_data("chat")
    watching = await router.create_subscribe_transport()
    subscriber, _ = await watching.subscribe(publisher.id)
    await watching.set_answer("v=0\r\n")
    data_subscriber, _ = await watching.subscribe_data(data_publisher.id)
    recording = await router.create_recording_transport("127.0.0.1", 5004)
    track = await recording.start_recording(publisher.id)
    return Room(
        worker, router, publishing, watching, recording, publisher, subscriber, data_publisher,
        data_subscriber, track,
    )  # fmt: skip


async def act(room: Room, when: str) -> None:
    """Make the event of a row happen: a public call by its text, anything else by script."""
    if when.endswith(".close()"):
        await getattr(room, when.removesuffix(".close()")).close()
        return
    assert isinstance(room.worker, FakeWorker)
    core = room.worker.core
    scripts: dict[str, Callable[[], object]] = {
        "the client ends the track": lambda: core.end(room.publisher),
        "the client closes the data channel": lambda: core.end(room.data_publisher),
        "the publishing client hangs up": lambda: core.hang_up(room.publish_transport),
        "the watching client hangs up": lambda: core.hang_up(room.subscribe_transport),
        "the publishing client is lost": lambda: core.lose(room.publish_transport),
        "the watching client is lost": lambda: core.lose(room.subscribe_transport),
        "the watching client lacks the codec": lambda: core.reject(room.subscriber),
        "a bug in the publishing session": lambda: core.inject_panic(room.publish_transport._handle),
        "a bug in the watching session": lambda: core.inject_panic(room.subscribe_transport._handle),
    }
    scripts[when]()


@pytest.mark.parametrize("when", ROWS)
async def test_row(when: str) -> None:
    """What a row says closes, closes once and says why; everything else stays open."""
    async with FakeWorker() as worker:
        room = await build(worker)
        streams = room.streams()
        await act(room, when)
        for name in ROWS[when]:
            await getattr(room, name).wait_closed()
        assert room.closed() == ROWS[when]
        await told(room, streams, ROWS[when])
        if when != "worker.close()":
            alive = set(room.names()) - set(ROWS[when])
            assert worker.core.objects == len(alive)


def test_every_object_has_a_row() -> None:
    """The table has a row for the close() of everything that has one."""
    names = {*Room.__dataclass_fields__}
    assert {f"{name}.close()" for name in names} <= set(ROWS)
