"""A WHIP broadcaster and a WHEP viewer of a channel.

The broadcaster's connection decides about its place: silence lets a newcomer take over, its end is a goodbye
(DTLS was closed) or a loss (nothing came any more), after which it may come back. A viewer's receiving
m-lines are filled with what the broadcaster sends now and later, across broadcasters.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from headwater.channels import Broadcast, ChannelEvent, PublisherOpened, Viewer
from headwater.channels.places import LeaveReason, Place
from headwater.errors import (
    HeadwaterError,
    InvalidSdp,
    NoOffer,
    UnsupportedCodec,
)
from headwater.media.events import ConnectionStateChanged, Event, EventsLost, TransportClosed
from headwater.media.publish_transport import PublishTransport
from headwater.media.subscribe_transport import SubscribeTransport
from headwater.protocols.sdp import MediaSection, parse_sdp
from headwater.tasks import Tasks
from headwater.telemetry import get_logger

__all__ = ["ChannelSender", "ChannelWatcher"]

_log = get_logger(__name__)
FAILED_SECONDS = 15.0
"""A broadcaster of whom nothing was heard for so long is lost; sooner than a participant of a meeting,
because a whole audience waits."""
_REASONS: dict[str, LeaveReason] = {"left": "left", "server_shutdown": "server_shutdown"}


class _ChannelSeat:
    """What both have in common."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._tasks = Tasks()
        self._gone: LeaveReason | None = None
        self.connected = False

    @property
    def conn_id(self) -> str:
        """The connection."""
        return self._place.endpoint.conn_id

    @property
    def room_id(self) -> str:
        """The channel."""
        return self._place.channel.id

    async def wait_over(self) -> str:
        """Wait until the place is gone, by whomever."""
        return await self._place.wait_closed()

    def _watch(self, transport: PublishTransport | SubscribeTransport) -> None:
        self._place.own(transport)
        self._tasks.spawn(self._follow(transport.events()), name="channel seat")

    async def _follow(self, events: AsyncIterator[Event]) -> None:
        async for event in events:
            match event:
                case ConnectionStateChanged(state=state):
                    self.connected = self.connected or state == "connected"
                    self._heard(silent=state == "disconnected")
                case TransportClosed(reason=reason) if reason not in ("requested", "parent"):
                    await self._lost("left" if reason == "remote_closed" else "lost")

    def _heard(self, *, silent: bool) -> None:
        """The client is heard of again, or not any more."""

    async def _lost(self, reason: LeaveReason) -> None:
        """The client's transport ended by itself."""
        raise NotImplementedError


class ChannelSender(_ChannelSeat):
    """The broadcaster.

    Args:
        broadcast: Its place.
    """

    def __init__(self, broadcast: Broadcast) -> None:
        super().__init__(broadcast)
        self._broadcast = broadcast
        self._transport: PublishTransport | None = None

    async def answer(self, offer: str) -> str:
        """Answer the client's offer and publish what it sends.

        Raises:
            InvalidSdp: It sends nothing.
            UnsupportedCodec: Not all of it can be taken (RFC 9725 section 4.4.3: all or nothing).
        """
        channel = self._broadcast.channel
        if self._transport is None:
            self._transport = await channel.router.create_publish_transport(
                dtls=channel.options.dtls, failed_timeout=FAILED_SECONDS
            )
            self._watch(self._transport)
        answer = await self._transport.get_answer(offer)
        if not self._transport.tracks:
            raise InvalidSdp("the offer has no m-line that sends audio or video")
        _refuse_parts(offer, answer)
        for track in self._transport.unpublished:
            await self._transport.publish(track)
        return answer

    async def counter_offer(self) -> str | None:
        """Whoever sends offers."""
        return None

    async def accept_answer(self, answer: str) -> None:
        """There was no offer."""
        raise NoOffer("there is no offer that this would answer")

    async def add_candidate(self, candidate: str) -> None:
        """Take a trickled candidate."""
        if self._transport is not None:
            await self._transport.add_ice_candidate(candidate)

    def make_way(self) -> None:
        """Let the next one take the place."""
        self._broadcast.silent = True

    async def leave(self, reason: str) -> None:
        """Give the place up."""
        await self._tasks.close()
        await self._broadcast.close(_REASONS.get(reason, "lost"))

    def _heard(self, *, silent: bool) -> None:
        self._broadcast.silent = silent

    async def _lost(self, reason: LeaveReason) -> None:
        await self._broadcast.close(reason)


class ChannelWatcher(_ChannelSeat):
    """A viewer.

    Args:
        viewer: Its place.
    """

    def __init__(self, viewer: Viewer) -> None:
        super().__init__(viewer)
        self._viewer = viewer
        self._transport: SubscribeTransport | None = None

    async def answer(self, offer: str) -> str:
        """Answer the client's offer; its receiving m-lines get what there is, now and later.

        Raises:
            InvalidSdp: It cannot be parsed.
            UnsupportedCodec: It has no place for anything that the channel sends.
        """
        if self._transport is not None:
            return await self._transport.get_answer(offer)
        if not _receives(offer):
            raise UnsupportedCodec("the offer has no m-line on which to receive audio or video")
        channel = self._viewer.channel
        self._transport = await channel.router.create_subscribe_transport(dtls=channel.options.dtls)
        self._watch(self._transport)
        events = channel.events()
        answer = await self._transport.get_answer(offer)
        await self._fill(self._transport)
        if channel.publishers and not self._transport.subscribers:
            raise UnsupportedCodec("the offer has no place for anything that the channel sends")
        self._tasks.spawn(self._refill(self._transport, events), name="channel viewer")
        return answer

    async def counter_offer(self) -> str | None:
        """Offer what the channel sends (draft-ietf-wish-whep-04 section 4.2, "counter-offer")."""
        channel = self._viewer.channel
        if self._transport is not None:
            await self._transport.close()
        ids = [id_ for id_, kind in channel.publishers.items() if kind != "data"]
        if not ids:
            return None
        self._transport = await channel.router.create_subscribe_transport(dtls=channel.options.dtls)
        self._watch(self._transport)
        _, offer = await self._transport.subscribe_many(ids)
        return offer

    async def accept_answer(self, answer: str) -> None:
        """Take the client's answer to our offer.

        Raises:
            NoOffer: None is open.
            InvalidSdp: It does not answer the offer.
        """
        if self._transport is None:
            raise NoOffer("there is no offer that this would answer")
        await self._transport.set_answer(answer)

    async def add_candidate(self, candidate: str) -> None:
        """Take a trickled candidate."""
        if self._transport is not None:
            await self._transport.add_ice_candidate(candidate)

    def make_way(self) -> None:
        """There is room for both."""

    async def leave(self, reason: str) -> None:
        """Give the place up."""
        await self._tasks.close()
        await self._viewer.close(_REASONS.get(reason, "lost"))

    async def _lost(self, reason: LeaveReason) -> None:
        await self._viewer.close(reason)

    async def _refill(self, transport: SubscribeTransport, events: AsyncIterator[ChannelEvent]) -> None:
        async for event in events:
            if isinstance(event, PublisherOpened | EventsLost) and not transport.closed:
                await self._fill(transport)

    async def _fill(self, transport: SubscribeTransport) -> None:
        """Attach what is sent and not yet attached, picture first."""
        attached = {subscriber.publisher.id for subscriber in transport.subscribers}
        waiting = [item for item in self._viewer.channel.publishers.items() if item[0] not in attached]
        for publisher_id, kind in sorted(waiting, key=lambda item: item[1] != "video"):
            if kind == "data":
                continue
            try:
                await transport.attach(publisher_id)
            except HeadwaterError as error:  # no m-line for it, not the codec, or gone again
                _log.info("track not attached", publisher=publisher_id, reason=str(error))


def _refuse_parts(offer: str, answer: str) -> None:
    """Refuse an offer of which a part was refused: half a broadcast misleads whoever sends it."""
    answered = {section.mid: section for section in parse_sdp(answer).media}
    for section in _media_lines(offer):
        found = answered.get(section.mid)
        if section.direction in ("sendonly", "sendrecv") and (found is None or found.port == 0):
            raise UnsupportedCodec(f"the {section.kind} of the offer has no codec that is understood here")


def _receives(offer: str) -> bool:
    return any(section.direction in ("recvonly", "sendrecv") for section in _media_lines(offer))


def _media_lines(description: str) -> list[MediaSection]:
    """The audio and video m-lines that are not rejected (RFC 8829 section 5.2.1: 0 may be bundled)."""
    return [
        section
        for section in parse_sdp(description).media
        if section.kind in ("audio", "video")
        and (section.port != 0 or section.attribute("bundle-only") is not None)
    ]
