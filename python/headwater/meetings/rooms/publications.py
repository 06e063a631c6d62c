"""What one participant sends: the publish transport, its tracks and its data channels.

The client offers; every sending m-line becomes a track and every data channel is passed on under
its label. An offer with another DTLS fingerprint comes from a new peer connection, so the transport
is replaced and its tracks end. When the transport is lost (ICE or DTLS failed) its tracks end and
the client is told to make a new one.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from headwater.errors import Closed, HeadwaterError, LimitReached, NoOffer, NotFound
from headwater.media.data_publisher import DataPublisher
from headwater.media.events import (
    ConnectionQuality,
    DataChannelOpened,
    DataPublisherClosed,
    Event,
    EventsLost,
    LayersWanted,
    PublisherClosed,
    TransportClosed,
)
from headwater.media.publish_transport import PublishTransport
from headwater.media.publisher import Publisher
from headwater.media.router import Router
from headwater.media.track import LocalTrack
from headwater.meetings.rooms.events import TrackView
from headwater.meetings.rooms.models import RoomOptions, TrackHint, check_sdp
from headwater.protocols.sdp import parse_sdp
from headwater.tasks import Tasks
from headwater.telemetry import get_logger

__all__ = ["Publications", "PublishedTrack", "PublishingSide"]

_log = get_logger(__name__)
_FINGERPRINT = re.compile(r"^a=fingerprint:(\S+) (\S+)", re.MULTILINE)


@dataclass(slots=True)
class PublishedTrack:
    """One track of the participant: what others see, and the publisher behind it."""

    view: TrackView
    mid: str
    publisher: Publisher


class PublishingSide(Protocol):
    """Whom publications report to; all calls return at once."""

    @property
    def participant_id(self) -> str:
        """Whose tracks these are."""

    def track_published(self, track: TrackView) -> None:
        """A track began."""

    def track_updated(self, track: TrackView) -> None:
        """A track was muted or unmuted."""

    def track_unpublished(self, track: TrackView) -> None:
        """A track ended."""

    def data_published(self, data_publisher_id: str) -> None:
        """A data channel opened."""

    def data_unpublished(self, data_publisher_id: str) -> None:
        """A data channel closed."""

    def layers_wanted(self, wanted: LayersWanted) -> None:
        """Which encodings of a track anybody needs changed."""

    def sending_quality(self, score: int) -> None:
        """How well the connection works changed, 0 to 100."""

    def publish_transport_made(self, transport: PublishTransport) -> None:
        """The client sends on this transport from now on."""

    def publish_transport_lost(self, reason: str) -> None:
        """The transport ended by itself."""


class Publications:
    """The sending side of one participant.

    Args:
        router: The room's router.
        side: Hears what changes.
        options: Bounds on tracks, channels and SDP; the DTLS version.
    """

    def __init__(self, *, router: Router, side: PublishingSide, options: RoomOptions) -> None:
        self._router = router
        self._side = side
        self._options = options
        self._limits = options.limits
        self._transport: PublishTransport | None = None
        self._fingerprints: frozenset[str] = frozenset()
        self._watch: Tasks = Tasks()
        self._lock = asyncio.Lock()
        self._tracks: dict[str, PublishedTrack] = {}
        self._data: dict[str, DataPublisher] = {}
        self._closed = False
        self._admitted = 0

    @property
    def tracks(self) -> tuple[TrackView, ...]:
        """The tracks, as others see them."""
        return tuple(track.view for track in self._tracks.values())

    @property
    def data_publisher_ids(self) -> tuple[str, ...]:
        """The open data channels."""
        return tuple(self._data)

    @property
    def transport(self) -> PublishTransport | None:
        """The transport, once the client has offered."""
        return self._transport

    async def accept_offer(
        self, sdp: str, hints: Mapping[str, TrackHint], *, unsaid: TrackHint | None = None
    ) -> tuple[str, tuple[tuple[str, str], ...]]:
        """Answer a client's offer and publish what it sends.

        Args:
            sdp: The offer.
            hints: What the client says of its m-lines, by mid.
            unsaid: What holds for m-lines of which it says nothing.

        Returns:
            The answer, and pairs of mid and publisher id for every sending m-line.

        Raises:
            InvalidSdp: The offer cannot be used.
            Overloaded: It sends more than before, and the machine has too much to do.
            LimitReached: More tracks than one participant may have.
            Closed: The participant has left, perhaps while the offer waited for its turn.
        """
        check_sdp(sdp, self._options.limits)
        if (sending := _sending_lines(sdp)) > self._admitted > 0:
            self._options.check_capacity()  # the first offer belongs to the joining, which was let in
        self._admitted = max(self._admitted, sending)
        async with self._lock:
            if self._closed:
                raise Closed("the participant has left the room")
            transport = await self._transport_for(sdp)
            answer = await transport.get_answer(sdp)
            await self._publish_new(transport, hints, unsaid or TrackHint())
            pairs = tuple((t.mid, t.view.publisher_id) for t in self._tracks.values())
            return answer, pairs

    async def add_candidate(self, candidate: str) -> None:
        """Take a trickled candidate. The server needs none; a wrong one is the client's fault."""
        if self._transport is None:
            raise NoOffer("a candidate came before the offer of its transport")
        await self._transport.add_ice_candidate(candidate)

    async def set_muted(self, publisher_id: str, *, muted: bool) -> None:
        """Pause or resume one of the participant's own tracks."""
        track = self._own(publisher_id)
        await (track.publisher.pause() if muted else track.publisher.resume())
        if track.view.muted != muted:
            track.view = replace(track.view, muted=muted)
            self._side.track_updated(track.view)

    def publisher(self, publisher_id: str) -> Publisher:
        """Find the publisher of one of the participant's tracks."""
        return self._own(publisher_id).publisher

    async def reset(self) -> None:
        """End all tracks and channels and close the transport; the next offer makes a new one."""
        async with self._lock:
            await self._drop_transport()

    async def close(self) -> None:
        """End all tracks and channels and take no more offers; idempotent."""
        self._closed = True
        await self.reset()

    def _own(self, publisher_id: str) -> PublishedTrack:
        try:
            return self._tracks[publisher_id]
        except KeyError:
            raise NotFound("no such track of yours") from None

    async def _transport_for(self, sdp: str) -> PublishTransport:
        fingerprints = frozenset(f"{m[1].lower()} {m[2].upper()}" for m in _FINGERPRINT.finditer(sdp))
        if self._transport is not None and fingerprints != self._fingerprints:
            await self._drop_transport()
        if self._transport is None:
            self._transport = await self._router.create_publish_transport(dtls=self._options.dtls)
            self._watch = Tasks()
            # The stream starts here, before the offer can cause an event.
            self._watch.spawn(
                self._follow(self._transport, self._transport.events()), name="publish transport"
            )
            self._side.publish_transport_made(self._transport)
        self._fingerprints = fingerprints
        return self._transport

    async def _publish_new(
        self, transport: PublishTransport, hints: Mapping[str, TrackHint], unsaid: TrackHint
    ) -> None:
        known = {track.mid for track in self._tracks.values() if not track.publisher.closed}
        fresh = [track for track in transport.tracks if track.mid not in known]
        if len(known) + len(fresh) > self._limits.tracks:
            raise LimitReached(f"one participant publishes at most {self._limits.tracks} tracks")
        begun: list[TrackView] = []
        try:
            for track in fresh:
                view = await self._publish(transport, track, hints.get(track.mid, unsaid))
                begun.append(view)  # a later one that fails must not hide this one
        finally:
            # Told together, so that the others receive them with one offer.
            for told in begun:
                if told.publisher_id in self._tracks:
                    self._side.track_published(told)

    async def _publish(self, transport: PublishTransport, track: LocalTrack, hint: TrackHint) -> TrackView:
        publisher = await transport.publish(track)
        voice = track.kind == "audio" and hint.voice and hint.source != "screen_audio"
        content = "motion" if track.kind == "audio" and not voice else hint.content
        if content != "camera":
            await publisher.set_content(content)
        if hint.muted:
            await publisher.pause()
        view = TrackView(
            publisher_id=publisher.id,
            participant_id=self._side.participant_id,
            kind=track.kind,
            source=hint.source,
            muted=hint.muted,
            voice=voice and content == "camera",
        )
        self._tracks[publisher.id] = PublishedTrack(view, track.mid, publisher)
        return view

    async def _follow(self, transport: PublishTransport, events: AsyncIterator[Event]) -> None:
        async for event in events:
            match event:
                case PublisherClosed(id=publisher_id):
                    self._forget_track(publisher_id)
                case LayersWanted(publisher_id=publisher_id) if publisher_id in self._tracks:
                    self._side.layers_wanted(event)
                case ConnectionQuality(score=score):
                    self._side.sending_quality(score)
                case DataChannelOpened(label=label):
                    await self._publish_data(transport, label)
                case DataPublisherClosed(id=data_id):
                    self._forget_data(data_id)
                case EventsLost():
                    self._resynchronise()
                case TransportClosed(id=transport.id, reason=reason) if transport is self._transport:
                    self._transport = None
                    self._forget_all()
                    self._side.publish_transport_lost(reason)

    async def _publish_data(self, transport: PublishTransport, label: str) -> None:
        if len(self._data) >= self._limits.data_channels or len(label) > self._limits.name_length:
            _log.warning("data channel refused", participant=self._side.participant_id)
            return
        try:
            publisher = await transport.publish_data(label)
        except HeadwaterError as error:  # it closed again, or the label is taken
            _log.info("data channel not published", reason=str(error))
            return
        self._data[publisher.id] = publisher
        self._side.data_published(publisher.id)

    def _resynchronise(self) -> None:
        """Events were lost: what closed meanwhile is seen on the objects themselves."""
        for publisher_id, track in list(self._tracks.items()):
            if track.publisher.closed:
                self._forget_track(publisher_id)
        for data_id, publisher in list(self._data.items()):
            if publisher.closed:
                self._forget_data(data_id)

    def _forget_all(self) -> None:
        for publisher_id in list(self._tracks):
            self._forget_track(publisher_id)
        for data_id in list(self._data):
            self._forget_data(data_id)

    async def _drop_transport(self) -> None:
        transport, self._transport = self._transport, None
        self._forget_all()
        await self._watch.close()
        if transport is not None:
            await transport.close()

    def _forget_track(self, publisher_id: str) -> None:
        if (track := self._tracks.pop(publisher_id, None)) is not None:
            self._side.track_unpublished(track.view)

    def _forget_data(self, data_id: str) -> None:
        if self._data.pop(data_id, None) is not None:
            self._side.data_unpublished(data_id)


def _sending_lines(sdp: str) -> int:
    """How many m-lines send audio or video."""
    return sum(
        section.kind in ("audio", "video") and section.direction in ("sendonly", "sendrecv")
        for section in parse_sdp(sdp).media
    )
