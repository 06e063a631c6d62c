"""What an operator sees of a participant: who it is, how its connections fare, what was decided for it.

Read when asked and kept nowhere; whoever wants rates asks twice.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from dataclasses import dataclass, fields

from headwater.errors import Closed, HeadwaterError
from headwater.media.decision import Decision
from headwater.media.object import Statistics
from headwater.media.publish_transport import PublishTransport
from headwater.media.subscribe_transport import SubscribeTransport
from headwater.meetings.rooms.events import ParticipantView
from headwater.meetings.rooms.participant import Participant

__all__ = ["Connection", "Overview", "decisions", "overview"]


@dataclass(frozen=True, slots=True)
class Connection:
    """One connection, by the names of ``docs/reference/statistics.md``."""

    state: str
    bytes_received: int
    bytes_sent: int
    round_trip_time_ms: float | None = None
    available_outgoing_bitrate: int | None = None


@dataclass(frozen=True, slots=True)
class Overview:
    """A participant with its connections; one that there is not is ``None``."""

    view: ParticipantView
    quality: int | None
    sending: Connection | None
    receiving: Connection | None


async def overview(participants: Iterable[Participant]) -> list[Overview]:
    """Look at participants, one after the other: a room of many must not stop its media thread."""
    return [await _of(participant) for participant in participants]


async def decisions(participant: Participant) -> dict[str, tuple[Decision, ...]]:
    """The last decisions about each track that a participant receives, by its publisher's id."""
    journals: dict[str, tuple[Decision, ...]] = {}
    if participant.receiving is not None:
        for publisher_id, subscriber in participant.receiving.received.items():
            with contextlib.suppress(Closed):  # while we asked about another
                journals[publisher_id] = await subscriber.journal()
    return journals


async def _of(participant: Participant) -> Overview:
    receiving = participant.receiving.transport if participant.receiving else None
    return Overview(
        participant.view,
        participant.quality,
        *await asyncio.gather(_connection(participant.publications.transport), _connection(receiving)),
    )


async def _connection(transport: PublishTransport | SubscribeTransport | None) -> Connection | None:
    if transport is not None:
        with contextlib.suppress(HeadwaterError):  # it closes while we ask
            return _read(await transport.get_stats())
    return None


def _read(stats: Statistics) -> Connection:
    known = {field.name: stats[field.name] for field in fields(Connection) if field.name in stats}
    return Connection(**{"state": "new", "bytes_received": 0, "bytes_sent": 0} | known)  # type: ignore[arg-type]
