"""The table of docs/topics/closures.md, and a room with one object of each kind to try it on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

from headwater import (
    DataPublisher,
    DataSubscriber,
    EventStream,
    ObjectClosed,
    Publisher,
    PublishTransport,
    RecordingTrack,
    RecordingTransport,
    Router,
    Subscriber,
    SubscribeTransport,
    Worker,
)
from headwater.media.events import Event

PAGE = Path(__file__).parents[2] / "docs" / "topics" / "closures.md"


@dataclass
class Room:
    """One object of each kind."""

    worker: Worker
    router: Router
    publish_transport: PublishTransport
    subscribe_transport: SubscribeTransport
    recording_transport: RecordingTransport
    publisher: Publisher
    subscriber: Subscriber
    data_publisher: DataPublisher
    data_subscriber: DataSubscriber
    recording_track: RecordingTrack

    def names(self) -> Iterator[str]:
        """The names of everything that has events: all but the Worker."""
        return (item.name for item in fields(self) if item.name != "worker")

    def streams(self) -> dict[str, EventStream[Event]]:
        """Start listening to everything."""
        return {name: getattr(self, name).events() for name in self.names()}

    def closed(self) -> dict[str, str]:
        """What has closed, and why."""
        return {name: getattr(self, name).close_reason for name in self.names() if getattr(self, name).closed}


def table() -> dict[str, dict[str, str]]:
    """Read the page: what happens -> object -> reason. An empty first cell continues the row above."""
    rows: dict[str, dict[str, str]] = {}
    when = ""
    section = PAGE.read_text().split("## The table")[1].split("\n## ")[0]
    for line in section.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("|") or cells[0] in ("when", "---"):
            continue
        when = cells[0].strip("`") or when
        for name in cells[1].split(", "):
            rows.setdefault(when, {})[name] = cells[2].strip("`")
    return rows


async def told(room: Room, streams: dict[str, EventStream[Event]], expected: dict[str, str]) -> None:
    """Check that each closed object told so once, on its own stream and as the last thing there."""
    for name in expected:
        item = getattr(room, name)
        events = [event async for event in streams[name]]
        own = [event for event in events if isinstance(event, ObjectClosed) and event.id == item.id]
        assert own == [events[-1]], f"{name}: {events}"
        assert events[-1] == item._closed_event(item.id, expected[name])
