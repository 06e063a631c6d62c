"""What objects tell, as values; and the bounded stream by which they tell it.

Every object of the model has ``events()``. An event is seen on the object it is about and on
everything that object hangs on, up to the router: a publisher that closes shows up on its own
stream, on its transport's and on its router's::

    async for event in transport.events():
        match event:
            case ConnectionStateChanged(state="connected"): ...
            case PublisherClosed(id=publisher_id, reason=reason): ...

A stream starts when ``events()`` is called, holds at most ``capacity`` events for a consumer that
is slow, and ends after the closing event of its own object. When it overflows, the oldest event
goes and ``EventsLost`` says how many went; the consumer then looks at the object again
(``router.publisher_ids``). What is never lost is the object's own state: its closing event, and
the newest of each kind of state.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Generic, Literal, Self, TypeVar, cast

from headwater.errors import InvalidState
from headwater.ids import DataPublisherId, PublisherId, RouterId, SubscriberId, TransportId
from headwater.media.codec import Codec
from headwater.media.layer import Layer, LayerReason
from headwater.media.track import LocalTrack

__all__ = [
    "ActiveSpeaker", "AudioLevels", "CloseReason", "ConnectionQuality", "ConnectionState",
    "ConnectionStateChanged", "DataChannelOpened", "DataMessage", "DataPublisherAdded",
    "DataPublisherClosed", "DataSubscriberClosed", "Event", "EventStream", "EventsLost", "LayerChanged",
    "LayersWanted", "NegotiationNeeded", "ObjectClosed", "PauseChanged", "PeerFound", "PlainTrackClosed",
    "PublisherActive", "PublisherAdded", "PublisherClosed", "QualityLevel", "RecordingTrackClosed",
    "RouterClosed", "SlotChanged", "SubscriberClosed", "TrackAdded", "TrackRemoved", "TransportClosed",
    "quality_level",
]  # fmt: skip

ConnectionState = Literal["new", "connecting", "connected", "disconnected", "failed", "closed"]
"""ICE and DTLS together; ``disconnected`` may come back, ``failed`` and ``closed`` do not."""

CloseReason = Literal[
    "requested",
    "parent",
    "publisher_closed",
    "remote_ended",
    "remote_closed",
    "connection_failed",
    "unsupported_codec",
    "panic",
]
"""Why something closed; ``docs/topics/closures.md`` has the table."""


@dataclass(frozen=True, slots=True)
class Event:
    """Base of all events."""


@dataclass(frozen=True, slots=True)
class EventsLost(Event):
    """This stream's consumer was too slow: ``count`` events went before the next one."""

    count: int


@dataclass(frozen=True, slots=True)
class ConnectionStateChanged(Event):
    """A transport's connection changed."""

    transport_id: TransportId
    state: ConnectionState


@dataclass(frozen=True, slots=True)
class NegotiationNeeded(Event):
    """A subscribe transport has changes that wait for the next offer: call ``create_offer``."""

    transport_id: TransportId


@dataclass(frozen=True, slots=True)
class TrackAdded(Event):
    """The client offers a new track on a publish transport; ``publish`` makes it available."""

    transport_id: TransportId
    track: LocalTrack


@dataclass(frozen=True, slots=True)
class TrackRemoved(Event):
    """The client no longer offers a track."""

    transport_id: TransportId
    track: LocalTrack


@dataclass(frozen=True, slots=True)
class PublisherAdded(Event):
    """A track became available to the router's subscribe transports."""

    publisher_id: PublisherId
    transport_id: TransportId
    kind: Literal["audio", "video"]
    track_id: str


@dataclass(frozen=True, slots=True)
class PublisherActive(Event):
    """A publisher's first packet arrived; ``codec`` is what it really sends."""

    publisher_id: PublisherId
    codec: Codec


@dataclass(frozen=True, slots=True)
class PauseChanged(Event):
    """The publisher or subscriber ``id`` was paused or resumed."""

    id: str
    paused: bool


@dataclass(frozen=True, slots=True)
class PeerFound(Event):
    """A plain transport with ``comedia`` has learned where its peer is."""

    transport_id: TransportId
    remote: tuple[str, int]
    """IP address and port that its RTP comes from."""
    rtcp_remote: tuple[str, int] | None
    """The same for RTCP, once it has come to a port of its own."""


@dataclass(frozen=True, slots=True)
class LayerChanged(Event):
    """What passes to a subscriber changed; ``after`` is ``None`` while nothing does."""

    subscriber_id: SubscriberId
    before: Layer | None
    after: Layer | None
    reason: LayerReason
    estimate: int | None
    """What the connection was believed to carry then, in bit/s."""


@dataclass(frozen=True, slots=True)
class LayersWanted(Event):
    """Which of a publisher's layers anybody needs; the client may stop sending the others."""

    publisher_id: PublisherId
    encodings: tuple[tuple[str, bool], ...]
    """Pairs of rid (as in `LocalTrack`; empty without simulcast) and whether it is needed."""
    maximum: Layer | None
    """The highest layer in use; ``None`` when nobody watches."""


QualityLevel = Literal["excellent", "good", "poor", "lost"]


def quality_level(score: int) -> QualityLevel:
    """Return the word for a score of 0 to 100; loss or delay alone leave it good up to 8 % or 600 ms."""
    if score <= 0:
        return "lost"
    if score < _GOOD:
        return "poor"
    return "good" if score < _EXCELLENT else "excellent"


_GOOD, _EXCELLENT = 40, 70


@dataclass(frozen=True, slots=True)
class ConnectionQuality(Event):
    """How well a transport's connection works now, 0 (nothing gets through) to 100."""

    transport_id: TransportId
    score: int

    @property
    def level(self) -> QualityLevel:
        """The score in a word."""
        return quality_level(self.score)


@dataclass(frozen=True, slots=True)
class ActiveSpeaker(Event):
    """Who speaks in a router; ``None`` when nobody does."""

    router_id: RouterId
    publisher_id: PublisherId | None


@dataclass(frozen=True, slots=True)
class AudioLevels(Event):
    """How loud a router's publishers are, loudest first."""

    router_id: RouterId
    levels: tuple[tuple[PublisherId, int], ...]
    """Pairs of publisher and level in -dBov: 0 is the loudest, 127 silence (RFC 6464)."""


@dataclass(frozen=True, slots=True)
class SlotChanged(Event):
    """A slot carries another publisher; ``None`` while it carries nothing."""

    slot_id: SubscriberId
    publisher_id: PublisherId | None


@dataclass(frozen=True, slots=True)
class DataChannelOpened(Event):
    """A client opened a data channel on a publish transport; ``publish_data`` makes it available."""

    transport_id: TransportId
    label: str
    ordered: bool
    max_retransmits: int | None
    max_packet_lifetime: int | None
    """In milliseconds."""


@dataclass(frozen=True, slots=True)
class DataPublisherAdded(Event):
    """A data channel became available to the router's subscribe transports."""

    data_publisher_id: DataPublisherId
    transport_id: TransportId
    label: str


@dataclass(frozen=True, slots=True)
class DataMessage(Event):
    """A message from a data publisher; text is ``str``, binary is ``bytes``."""

    payload: str | bytes


@dataclass(frozen=True, slots=True)
class ObjectClosed(Event):
    """Base of the closing events: what closed, and why."""

    id: str
    reason: CloseReason


@dataclass(frozen=True, slots=True)
class RouterClosed(ObjectClosed):
    """A router closed, after all that hung on it."""


@dataclass(frozen=True, slots=True)
class TransportClosed(ObjectClosed):
    """A transport closed, after all that hung on it."""


@dataclass(frozen=True, slots=True)
class PublisherClosed(ObjectClosed):
    """A publisher closed, after its subscribers."""


@dataclass(frozen=True, slots=True)
class SubscriberClosed(ObjectClosed):
    """A subscriber closed."""


@dataclass(frozen=True, slots=True)
class DataPublisherClosed(ObjectClosed):
    """A data publisher closed, after its subscribers."""


@dataclass(frozen=True, slots=True)
class DataSubscriberClosed(ObjectClosed):
    """A data subscriber closed."""


@dataclass(frozen=True, slots=True)
class RecordingTrackClosed(ObjectClosed):
    """A recording track stopped."""


@dataclass(frozen=True, slots=True)
class PlainTrackClosed(ObjectClosed):
    """A track out of a plain transport stopped."""


E = TypeVar("E", bound=Event)
"""What a stream yields; `EventsLost` is always one of it."""


class EventStream(AsyncIterator[E], Generic[E]):
    """One consumer's bounded view of an object's events; made by ``events()``.

    Let go of it (leave the loop) and it is forgotten: the object holds it weakly.
    """

    def __init__(self, capacity: int) -> None:
        """Hold at most ``capacity`` pending events."""
        if capacity < 1:
            raise ValueError(f"capacity must be at least 1, not {capacity}")
        self._capacity = capacity
        self._pending: deque[tuple[E, bool]] = deque()
        self._kept: Counter[type[Event]] = Counter()
        self._lost = 0
        self._ended = False
        self._waiter: asyncio.Future[None] | None = None
        self.lost_total = 0
        """Events this stream has lost in its life."""

    def push(self, event: E, *, keep: bool = False) -> None:
        """Add an event; with ``keep`` it is state, of which the newest of each kind survives."""
        if self._ended:
            return
        self._pending.append((event, keep))
        if keep:
            self._kept[type(event)] += 1
        if len(self._pending) > self._capacity:
            self._make_room()
        self._wake()

    def end(self) -> None:
        """End the iteration once the pending events are consumed."""
        self._ended = True
        self._wake()

    def __aiter__(self) -> Self:
        """Return itself."""
        return self

    async def __anext__(self) -> E:
        """Return the next event, waiting for it when there is none.

        Raises:
            InvalidState: Another task already waits on this stream; give it its own.
        """
        while not self._pending and not self._lost:
            if self._ended:
                raise StopAsyncIteration
            if self._waiter is not None:
                raise InvalidState(
                    "another task already waits on this stream; call events() once per consumer"
                )
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        if self._lost:
            lost, self._lost = self._lost, 0
            return cast("E", EventsLost(lost))
        event, keep = self._pending.popleft()
        if keep:
            self._kept[type(event)] -= 1
        return event

    def _make_room(self) -> None:
        """Drop the oldest event that is not state, else the oldest state that has a newer one."""
        for index, (event, keep) in enumerate(self._pending):
            if not keep:
                self._lost += 1
                self.lost_total += 1
            elif self._kept[type(event)] > 1:
                self._kept[type(event)] -= 1
            else:
                continue
            del self._pending[index]
            return

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
