"""What a viewer receives who offered first (WHEP): a fixed number of slots per kind.

The client's offer says how many audio and video m-lines it receives; nothing can be added later.
So tracks are put into slots: those that are there when it comes, later ones as they appear, and when
one ends the next takes its slot without a renegotiation. Sound goes with the picture: an audio
slot prefers the participant whose video is shown.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable

from headwater.errors import HeadwaterError, InvalidSdp
from headwater.media.events import Event, EventsLost, SubscriberClosed, TransportClosed
from headwater.media.router import Router
from headwater.media.subscribe_transport import SubscribeTransport
from headwater.media.subscriber import Subscriber
from headwater.meetings.rooms.events import MediaKind, RoomEvent, TrackView, TransportLost
from headwater.meetings.rooms.models import RoomOptions, check_sdp
from headwater.protocols.sdp import parse_sdp
from headwater.tasks import Tasks
from headwater.telemetry import get_logger

__all__ = ["Slots"]

_log = get_logger(__name__)


class Slots:
    """The receiving side of one viewer.

    Args:
        router: The room's router.
        emit: Takes ``TransportLost``.
        options: Bound on SDP; the DTLS version.
    """

    def __init__(self, *, router: Router, emit: Callable[[RoomEvent], None], options: RoomOptions) -> None:
        self._router = router
        self._emit = emit
        self._options = options
        self._tasks = Tasks()
        self._transport: SubscribeTransport | None = None
        self._available: dict[str, TrackView] = {}
        self._unusable: set[str] = set()
        self._slots: Counter[MediaKind] = Counter()
        self._attached: dict[str, Subscriber] = {}
        self._changed = asyncio.Event()

    @property
    def transport(self) -> SubscribeTransport | None:
        """The transport, once the client has offered."""
        return self._transport

    @property
    def received(self) -> dict[str, Subscriber]:
        """What it receives now, by publisher."""
        return dict(self._attached)

    async def accept_offer(self, sdp: str) -> str:
        """Answer the viewer's offer, or its ICE restart, and fill the slots.

        Raises:
            InvalidSdp: The offer cannot be used.
        """
        check_sdp(sdp, self._options.limits)
        if self._transport is not None:
            return await self._transport.get_answer(sdp, [])
        self._slots = _receiving_slots(sdp)
        transport = await self._router.create_subscribe_transport(dtls=self._options.dtls)
        self._transport = transport
        self._tasks.spawn(self._follow(transport, transport.events()), name="whep transport")
        answer = await transport.get_answer(sdp, [])
        self._changed.set()
        self._tasks.spawn(self._fill(), name="whep slots")
        return answer

    def add(self, track: TrackView) -> None:
        """A track began; it gets a slot when one is free."""
        self._available[track.publisher_id] = track
        self._changed.set()

    def update(self, track: TrackView) -> None:
        """Remember the new description of a track."""
        if track.publisher_id in self._available:
            self._available[track.publisher_id] = track

    def remove(self, publisher_id: str) -> None:
        """A track ends; its slot is free when its subscriber has closed, which is an event of its own."""
        self._available.pop(publisher_id, None)
        self._unusable.discard(publisher_id)

    def add_data(self, data_publisher_id: str) -> None:
        """Viewers get no data channels."""

    def remove_data(self, data_publisher_id: str) -> None:
        """Viewers get no data channels."""

    def hear_loudest(self, loudest: bool) -> None:
        """Viewers keep the slots that they offered, whatever the size of the room."""

    async def add_candidate(self, candidate: str) -> None:
        """Take a trickled candidate."""
        if self._transport is not None:
            await self._transport.add_ice_candidate(candidate)

    async def close(self) -> None:
        """Close the transport; idempotent."""
        await self._tasks.close()
        transport, self._transport = self._transport, None
        self._attached.clear()
        if transport is not None:
            await transport.close()

    async def _fill(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            await self._fill_kind("video")
            await self._fill_kind("audio")

    async def _fill_kind(self, kind: MediaKind) -> None:
        while (track := self._next(kind)) is not None:
            await self._attach(track)

    def _next(self, kind: MediaKind) -> TrackView | None:
        if sum(subscriber.kind == kind for subscriber in self._attached.values()) >= self._slots[kind]:
            return None
        shown = {self._available[i].participant_id for i in self._attached if i in self._available}
        waiting = [
            track
            for track in self._available.values()
            if track.kind == kind
            and track.publisher_id not in self._attached
            and track.publisher_id not in self._unusable
        ]
        # min() keeps the order of publication among equals.
        return min(waiting, key=lambda track: track.participant_id not in shown, default=None)

    async def _attach(self, track: TrackView) -> None:
        transport = self._transport
        if transport is None:
            self._unusable.add(track.publisher_id)
            return
        try:
            self._attached[track.publisher_id] = await transport.attach(track.publisher_id)
        except HeadwaterError as error:
            _log.info("track not attached", publisher=track.publisher_id, reason=str(error))
            self._unusable.add(track.publisher_id)

    async def _follow(self, transport: SubscribeTransport, events: AsyncIterator[Event]) -> None:
        async for event in events:
            match event:
                case SubscriberClosed(id=subscriber_id):
                    for publisher_id in [i for i, s in self._attached.items() if s.id == subscriber_id]:
                        self._attached.pop(publisher_id)
                        # Its publisher is gone, or the viewer cannot take it: never try it again.
                        self._available.pop(publisher_id, None)
                    self._changed.set()
                case EventsLost():
                    for publisher_id in [i for i, s in self._attached.items() if s.closed]:
                        self._attached.pop(publisher_id)
                    self._changed.set()
                case TransportClosed(id=transport.id, reason=reason):
                    self._transport = None
                    self._emit(TransportLost("subscribe", reason))
                    return


def _receiving_slots(sdp: str) -> Counter[MediaKind]:
    """Count the m-lines on which the client wants to receive."""
    slots: Counter[MediaKind] = Counter()
    for section in parse_sdp(sdp).media:
        rejected = section.port == 0 and section.attribute("bundle-only") is None
        if rejected or section.direction in ("sendonly", "inactive"):
            continue
        if section.kind == "audio":
            slots["audio"] += 1
        elif section.kind == "video":
            slots["video"] += 1
    if not slots:
        raise InvalidSdp("the offer has no m-line on which to receive audio or video")
    return slots
