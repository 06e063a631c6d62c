"""What one participant receives: the subscribe transport and its serial negotiation.

The room says what should be received (``add``, ``remove``); one task makes it so. There is never more
than one open offer: changes that come while the client is still answering wait and go together
into the next one. The first offer is made at once, with a data channel m-line alone when nobody
publishes. While the signalling connection is lost no offers are made; ``attach`` repeats the open
one, because the client may or may not have seen it.

In a large room voices come in a few slots (``Loudest``), all other tracks as before.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict

from headwater.errors import (
    AmbiguousTrack,
    Closed,
    HeadwaterError,
    NegotiationTimeout,
    NoOffer,
    NotFound,
    UnsupportedCodec,
)
from headwater.media.data_subscriber import DataSubscriber
from headwater.media.events import (
    ConnectionQuality,
    ConnectionStateChanged,
    Event,
    EventsLost,
    LayerChanged,
    NegotiationNeeded,
    SlotChanged,
    SubscriberClosed,
    TransportClosed,
)
from headwater.media.publish_transport import PublishTransport
from headwater.media.router import Router
from headwater.media.subscribe_transport import SubscribeTransport
from headwater.media.subscriber import Subscriber
from headwater.meetings.rooms import events
from headwater.meetings.rooms.account import Account, account_of
from headwater.meetings.rooms.events import OfferMade, RoomEvent, TrackView, TransportLost
from headwater.meetings.rooms.loudest import Loudest
from headwater.meetings.rooms.models import LayerWish, RoomOptions, check_sdp
from headwater.tasks import Tasks
from headwater.telemetry import get_logger

__all__ = ["Subscriptions"]

_log = get_logger(__name__)
SETTLE_SECONDS = 2.0
_REFUSED_WAIT = 0.05
_MAX_REFUSED = 7
_REFUSALS = ("unsupported_codec", "remote_ended", "remote_closed")


class Subscriptions:
    """The receiving side of one participant.

    Args:
        router: The room's router.
        emit: Takes ``OfferMade``, ``LayerChanged``, ``SlotChanged`` and ``TransportLost`` events.
        quality: Takes how well the connection works, 0 to 100.
        options: Bound on SDP; the DTLS version; how many voices at once in a large room.
    """

    def __init__(
        self,
        *,
        router: Router,
        emit: Callable[[RoomEvent], None],
        quality: Callable[[int], None],
        options: RoomOptions,
    ) -> None:
        self._router = router
        self._emit = emit
        self._quality = quality
        self._options = options
        self._tasks = Tasks()
        self._transport: SubscribeTransport | None = None
        self._wanted: dict[str, TrackView] = {}
        self._wanted_data: set[str] = set()
        self._paused: set[str] = set()
        self._wishes: dict[str, LayerWish] = {}
        self._subscribers: dict[str, Subscriber] = {}
        self._data: dict[str, DataSubscriber] = {}
        self._loudest = Loudest(count=options.voice_slots, emit=emit)
        self._own: PublishTransport | None = None
        self._open_offer: OfferMade | None = None
        self._offer_due = True
        self._restart_due = False
        self._attached = True
        self._refused = 0
        self._changed = asyncio.Event()
        self._settled = asyncio.Event()
        self._ending = asyncio.Lock()

    @property
    def transport(self) -> SubscribeTransport | None:
        """The transport, once the first offer is on its way."""
        return self._transport

    @property
    def received(self) -> dict[str, Subscriber]:
        """What it receives now, by publisher."""
        return dict(self._subscribers)

    def start(self) -> None:
        """Begin to negotiate."""
        self._changed.set()
        self._tasks.spawn(self._negotiate(), name="subscriptions")

    def add(self, track: TrackView) -> None:
        """Receive this track from now on."""
        self._wanted[track.publisher_id] = track
        self._changed.set()

    def update(self, track: TrackView) -> None:
        """Remember the new description of a track."""
        if track.publisher_id in self._wanted:
            self._wanted[track.publisher_id] = track

    def remove(self, publisher_id: str) -> None:
        """Stop receiving; the core closes the subscriber together with its publisher."""
        self._paused.discard(publisher_id)
        self._wishes.pop(publisher_id, None)
        if self._wanted.pop(publisher_id, None) is not None:
            self._changed.set()

    def add_data(self, data_publisher_id: str) -> None:
        """Receive this data channel from now on."""
        self._wanted_data.add(data_publisher_id)
        self._changed.set()

    def remove_data(self, data_publisher_id: str) -> None:
        """Stop receiving a data channel; it closes together with its publisher."""
        self._wanted_data.discard(data_publisher_id)
        self._data.pop(data_publisher_id, None)

    def hear_loudest(self, loudest: bool) -> None:
        """Hear the loudest in slots, or everybody one by one."""
        self._loudest.wanted = loudest
        self._changed.set()

    def set_own(self, transport: PublishTransport) -> None:
        """Never put what comes from this transport, the participant's own, into a slot."""
        self._own = transport
        if self._transport is not None:
            self._tasks.spawn(self._tell_own(self._transport, transport), name="own transport")

    async def answer(self, sdp: str) -> None:
        """Take the client's answer to the open offer.

        Raises:
            NoOffer: None is open.
            InvalidSdp: It is too large or cannot be used; the offer is withdrawn, another follows.
        """
        if self._transport is None or self._open_offer is None:
            raise NoOffer("no offer is open")
        check_sdp(sdp, self._options.limits, answer=True)
        try:
            await self._transport.set_answer(sdp)
        except HeadwaterError:
            # A client that answers every offer wrongly is offered more and more slowly.
            self._refused = min(self._refused + 1, _MAX_REFUSED)
            await self._withdraw_offer(self._transport)
            raise
        self._refused = 0
        self._open_offer = None
        self._loudest.answered()
        self._changed.set()

    async def add_candidate(self, candidate: str) -> None:
        """Take a trickled candidate."""
        if self._transport is None:
            raise NoOffer("a candidate came before the offer of its transport")
        await self._transport.add_ice_candidate(candidate)

    def restart_ice(self) -> None:
        """Make an offer with fresh ICE credentials, after the open one."""
        self._restart_due = True
        self._changed.set()

    async def set_paused(self, publisher_id: str, *, paused: bool) -> None:
        """Pause or resume one received track.

        Raises:
            NotFound: The participant does not receive it.
        """
        if publisher_id not in self._wanted:
            raise NotFound("you do not receive that track")
        (self._paused.add if paused else self._paused.discard)(publisher_id)
        if (subscriber := self._subscribers.get(publisher_id)) is not None:
            await (subscriber.pause() if paused else subscriber.resume())

    async def set_layers(self, publisher_id: str, wish: LayerWish) -> None:
        """Take what the participant would like to receive of a track; kept for a later subscriber.

        Raises:
            NotFound: The participant does not receive it.
        """
        if publisher_id not in self._wanted:
            raise NotFound("you do not receive that track")
        self._wishes[publisher_id] = wish
        if (subscriber := self._subscribers.get(publisher_id)) is not None:
            await subscriber.set_preferences(**asdict(wish))

    async def explain(self, publisher_id: str) -> Account:
        """Say why the participant receives a track as it does.

        Raises:
            NotFound: The participant does not receive it.
        """
        subscriber, transport = self._subscribers.get(publisher_id), self._transport
        if subscriber is None or transport is None:
            raise NotFound("you do not receive that track")
        sent, source, line, journal = await asyncio.gather(
            subscriber.get_stats(),
            subscriber.publisher.get_stats(),
            transport.get_stats(),
            subscriber.journal(),
        )
        return account_of(sent, source, line, journal, time.time())

    def attach(self) -> None:
        """The signalling connection is back: repeat the open offer, or make a new one."""
        self._attached = True
        if self._open_offer is not None:
            self._emit(self._offer_made(self._open_offer.sdp))
        else:
            self._offer_due = True
        self._changed.set()

    def detach(self) -> None:
        """The signalling connection is lost: make no offers."""
        self._attached = False

    async def reset(self) -> None:
        """Drop the transport; the next offer is for a new one."""
        await self._drop_transport()
        self._changed.set()

    async def close(self) -> None:
        """Stop negotiating and close the transport; idempotent."""
        await self._tasks.close()
        await self._drop_transport()

    async def _withdraw_offer(self, transport: SubscribeTransport) -> None:
        with contextlib.suppress(HeadwaterError):  # the core may have taken it back already
            await transport.rollback()
        self._open_offer = None
        self._offer_due = True
        self._changed.set()

    async def _negotiate(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            if self._open_offer is not None or not self._attached:
                continue
            await self._settle()
            if self._refused:
                await asyncio.sleep(_REFUSED_WAIT * 2**self._refused)
            try:
                await self._apply()
            except NegotiationTimeout:  # an offer that this side lost sight of; begin from a clean state
                if self._transport is not None:
                    await self._withdraw_offer(self._transport)
            except HeadwaterError as error:
                # The room closes, or the transport was lost meanwhile: `_follow` and the next change go on.
                _log.info("subscription not made", reason=str(error))
            except Exception:  # a bug of ours must not leave this participant deaf for the rest of the call
                _log.exception("subscription failed")

    async def _settle(self) -> None:
        """Let the connection come up before a second offer, for a bounded time.

        No media can flow before, and clients exist that lose what is negotiated meanwhile (aiortc 1.16
        never starts a receiver that it learns of while DTLS is connecting).
        """
        if self._transport is not None and self._transport.connection_state in ("new", "connecting"):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SETTLE_SECONDS):
                    await self._settled.wait()
            self._settled.set()  # waited once is waited enough

    async def _apply(self) -> None:
        """Bring the transport nearer to what is wanted; at most one offer comes of it."""
        transport = await self._open_transport()
        await self._close_unwanted()
        fresh = self._fresh()
        sdp: str | None = None
        if self._restart_due:
            self._restart_due = False
            self._offer_due = False
            sdp = await transport.restart_ice()
            if fresh:
                self._changed.set()
        elif self._loudest.due:
            sdp = await self._loudest.open(transport, self._own)
        elif fresh:
            sdp = await self._subscribe(transport, fresh)
        elif self._offer_due:
            sdp = await transport.create_offer()
        else:
            sdp = await self._subscribe_data(transport)
        if sdp is not None and transport is self._transport:
            self._offer_due = False
            self._open_offer = self._offer_made(sdp)
            self._emit(self._open_offer)

    async def _open_transport(self) -> SubscribeTransport:
        if self._transport is None:
            self._transport = await self._router.create_subscribe_transport(dtls=self._options.dtls)
            stream = self._transport.events()
            self._tasks.spawn(self._follow(self._transport, stream), name="subscribe transport")
            self._offer_due = True
            self._settled.clear()
        return self._transport

    def _fresh(self) -> list[str]:
        """Tracks that are to have a subscriber and have none."""
        unmet = [i for i in self._wanted if i not in self._subscribers]
        return [i for i in unmet if not (self._loudest.active and self._wanted[i].voice)]

    async def _tell_own(self, transport: SubscribeTransport, own: PublishTransport) -> None:
        with contextlib.suppress(Closed):  # either of them, meanwhile
            await transport.set_own(own)

    async def _close_unwanted(self) -> None:
        in_slots = {i for i, track in self._wanted.items() if track.voice and self._loudest.carrying}
        for publisher_id in [i for i in self._subscribers if i not in self._wanted or i in in_slots]:
            # While one closes, events may have taken away the next.
            if (subscriber := self._subscribers.pop(publisher_id, None)) is not None:
                await subscriber.close()
                self._offer_due = True
        if self._loudest.left_over and not any(self._wanted[i].voice for i in self._fresh()):
            await self._loudest.close()
            self._offer_due = True

    async def _subscribe(self, transport: SubscribeTransport, ids: list[str]) -> str | None:
        """Subscribe to several publishers with one offer; those that cannot be had are let go."""
        try:
            subscribers, sdp = await transport.subscribe_many(ids)
        except (NotFound, AmbiguousTrack, UnsupportedCodec) as error:
            if len(ids) > 1:  # one of them spoils the offer: take them one by one
                sdp_or_none = await self._subscribe(transport, ids[:1])
                self._changed.set()
                return sdp_or_none
            _log.info("track cannot be received", publisher=ids[0], reason=str(error))
            self._wanted.pop(ids[0], None)
            self._changed.set()
            return None
        for publisher_id, subscriber in zip(ids, subscribers, strict=True):
            self._subscribers[publisher_id] = subscriber
            with contextlib.suppress(HeadwaterError):  # closed meanwhile; the offer stands
                if (wish := self._wishes.get(publisher_id)) is not None:
                    await subscriber.set_preferences(**asdict(wish))
                if publisher_id in self._paused:
                    await subscriber.pause()
        return sdp

    async def _subscribe_data(self, transport: SubscribeTransport) -> str | None:
        """Subscribe to the data channels; the first offer made room for them, so seldom one comes of it."""
        for data_id in [i for i in self._wanted_data if i not in self._data]:
            try:
                self._data[data_id], sdp = await transport.subscribe_data(data_id)
            except HeadwaterError as error:
                _log.info("data channel cannot be received", publisher=data_id, reason=str(error))
                self._wanted_data.discard(data_id)
                continue
            if sdp is not None:
                return sdp
        return None

    def _offer_made(self, sdp: str) -> OfferMade:
        tracks = []
        for publisher_id, subscriber in self._subscribers.items():
            view = self._wanted.get(publisher_id)
            if view is not None and not subscriber.closed and subscriber.mid is not None:
                tracks.append((subscriber.mid, view))
        return OfferMade(sdp, tuple(tracks), self._loudest.described)

    async def _follow(self, transport: SubscribeTransport, stream: AsyncIterator[Event]) -> None:
        async for event in stream:
            if transport is not self._transport:
                return
            match event:
                case ConnectionStateChanged(state="connected" | "failed"):
                    self._settled.set()
                case NegotiationNeeded():
                    self._offer_due = True
                    self._changed.set()
                case SubscriberClosed(id=subscriber_id, reason=reason):
                    self._subscriber_closed(subscriber_id, refused=reason in _REFUSALS)
                case LayerChanged():
                    self._layer_changed(event)
                case SlotChanged(slot_id=slot_id, publisher_id=publisher):
                    self._loudest.slot_changed(slot_id, publisher)
                case ConnectionQuality(score=score):
                    self._quality(score)
                case EventsLost():
                    for subscriber in [s for s in self._subscribers.values() if s.closed]:
                        self._subscriber_closed(subscriber.id, refused=subscriber.close_reason in _REFUSALS)
                    self._offer_due = self._offer_due or transport.negotiation_needed
                    self._loudest.tell()
                    self._changed.set()
                case TransportClosed(id=transport.id, reason=reason):
                    await self._drop_transport()
                    self._emit(TransportLost("subscribe", reason))
                    self._changed.set()
                    return

    def _subscriber_closed(self, subscriber_id: str, *, refused: bool) -> None:
        self._loudest.slot_closed(subscriber_id, refused=refused)
        for publisher_id in [i for i, s in self._subscribers.items() if s.id == subscriber_id]:
            del self._subscribers[publisher_id]
            if refused:  # the client cannot take it; offering it again would go on for ever
                self._wanted.pop(publisher_id, None)

    def _layer_changed(self, change: LayerChanged) -> None:
        """Tell the participant."""
        for publisher_id, subscriber in self._subscribers.items():
            if subscriber.id == change.subscriber_id:
                self._emit(
                    events.LayerChanged(
                        publisher_id, change.before, change.after, change.reason, change.estimate
                    )
                )
                return

    async def _drop_transport(self) -> None:
        async with self._ending:
            transport, self._transport = self._transport, None
            self._settled.set()
            self._subscribers.clear()
            self._loudest.forget()
            self._data.clear()
            self._open_offer = None
            self._offer_due = True
            if transport is not None:
                await transport.close()
