"""What a participant is told. Values only: each protocol writes them in its own words.

Events reach a participant through an ``EventQueue``. It is bounded: a client that does not read is
ended instead of being waited for, and may come back to the present state with ``resume``.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Literal

from headwater.cluster import EndpointProtocol
from headwater.errors import BufferFull
from headwater.media.layer import Layer, LayerReason

__all__ = [
    "ActiveSpeaker",
    "Ended",
    "EventQueue",
    "LayerChanged",
    "LayersWanted",
    "MediaKind",
    "OfferMade",
    "ParticipantJoined",
    "ParticipantLeft",
    "ParticipantUpdated",
    "ParticipantView",
    "QualityChanged",
    "RoomEvent",
    "SlotChanged",
    "Source",
    "TrackPublished",
    "TrackUnpublished",
    "TrackUpdated",
    "TrackView",
    "TransportLost",
    "TransportName",
]

MediaKind = Literal["audio", "video"]
Source = Literal["camera", "microphone", "screen", "screen_audio", "unknown"]
TransportName = Literal["publish", "subscribe"]


@dataclass(frozen=True, slots=True)
class TrackView:
    """A published track, as others see it."""

    publisher_id: str
    participant_id: str
    kind: MediaKind
    source: Source
    muted: bool
    voice: bool = False
    """A person speaking, whom a slot may carry in a large room; no film and no broadcast."""


@dataclass(frozen=True, slots=True)
class ParticipantView:
    """A participant, as others see them."""

    id: str
    name: str
    identity: str
    role: str
    protocol: EndpointProtocol
    tracks: tuple[TrackView, ...]


@dataclass(frozen=True, slots=True)
class ParticipantJoined:
    """Somebody came."""

    participant: ParticipantView


@dataclass(frozen=True, slots=True)
class ParticipantUpdated:
    """Somebody changed their name."""

    participant: ParticipantView


@dataclass(frozen=True, slots=True)
class ParticipantLeft:
    """Somebody left, or was lost."""

    participant_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class TrackPublished:
    """A track began."""

    track: TrackView


@dataclass(frozen=True, slots=True)
class TrackUpdated:
    """A track was muted or unmuted."""

    track: TrackView


@dataclass(frozen=True, slots=True)
class TrackUnpublished:
    """A track ended."""

    publisher_id: str
    participant_id: str


@dataclass(frozen=True, slots=True)
class LayerChanged:
    """What the participant receives of a track changed; ``after`` is ``None`` while nothing comes."""

    publisher_id: str
    before: Layer | None
    after: Layer | None
    reason: LayerReason
    estimate: int | None


@dataclass(frozen=True, slots=True)
class LayersWanted:
    """Which encodings (rid, needed) of the participant's own track anybody receives."""

    publisher_id: str
    encodings: tuple[tuple[str, bool], ...]
    maximum: Layer | None


@dataclass(frozen=True, slots=True)
class ActiveSpeaker:
    """Who speaks; ``None`` when nobody does."""

    publisher_id: str | None
    participant_id: str | None


@dataclass(frozen=True, slots=True)
class SlotChanged:
    """One of the participant's slots carries another track; ``None`` while it is silent."""

    mid: str
    publisher_id: str | None


@dataclass(frozen=True, slots=True)
class QualityChanged:
    """How well somebody's connection works, 0 to 100."""

    participant_id: str
    score: int


@dataclass(frozen=True, slots=True)
class OfferMade:
    """An offer for the participant's subscribe transport.

    ``tracks`` pairs mids with tracks; ``slots`` are the m-lines that carry one voice after the other,
    with the publisher that each carries now.
    """

    sdp: str
    tracks: tuple[tuple[str, TrackView], ...]
    slots: tuple[tuple[str, str | None], ...] = ()


@dataclass(frozen=True, slots=True)
class TransportLost:
    """One of the participant's own transports ended."""

    transport: TransportName
    reason: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The participant is out of the room; ``reconnect`` says whether coming back makes sense."""

    reason: str
    reconnect: bool


RoomEvent = (
    ParticipantJoined
    | ParticipantUpdated
    | ParticipantLeft
    | TrackPublished
    | TrackUpdated
    | TrackUnpublished
    | LayerChanged
    | LayersWanted
    | ActiveSpeaker
    | SlotChanged
    | QualityChanged
    | OfferMade
    | TransportLost
    | Ended
)


class EventQueue:
    """Events on their way to one connection.

    Args:
        limit: Events that may wait.
    """

    def __init__(self, *, limit: int) -> None:
        self._events: deque[RoomEvent] = deque()
        self._limit = limit
        self._wake = asyncio.Event()
        self._overflow = asyncio.Event()

    def __len__(self) -> int:
        return len(self._events)

    def put(self, event: RoomEvent) -> None:
        """Add an event; when there is no room left the queue is broken for good."""
        if len(self._events) >= self._limit:
            self._overflow.set()
        else:
            self._events.append(event)
        self._wake.set()

    @property
    def overflowed(self) -> bool:
        """Whether events were lost."""
        return self._overflow.is_set()

    async def wait_overflow(self) -> None:
        """Wait until events are lost."""
        await self._overflow.wait()

    async def get(self) -> RoomEvent:
        """Wait for the next event.

        Raises:
            BufferFull: Events were lost, so what follows would make no sense.
        """
        while not self._events and not self.overflowed:
            self._wake.clear()
            await self._wake.wait()
        if self.overflowed:
            raise BufferFull("the client reads too slowly")
        return self._events.popleft()
