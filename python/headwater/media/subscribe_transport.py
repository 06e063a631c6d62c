"""The SubscribeTransport: media and data go out to a client. The server offers.

::

    subscriber, offer = await watching.subscribe(publisher.id)
    await watching.set_answer(answer)           # SDP from the client

Negotiation is serial. While an offer waits for its answer, everything that needs another offer
(`subscribe`, `subscribe_many`, `subscribe_data`, `create_offer`, `restart_ice`) waits for
`set_answer`, ten seconds unless the router was told otherwise, then raises `NegotiationTimeout`.

An offer that is never answered stays open: a late answer is still welcome. Whoever does not want
to wait calls `rollback`: the offer is dropped as if it had never been made, its subscribers stay,
and the next offer carries what it carried.

A client may offer instead (WHEP): `get_answer` makes its receiving m-lines slots, and `attach`
feeds a publisher into a free one, without another offer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from headwater.errors import ConfigurationError, UnsupportedCodec
from headwater.media.data_subscriber import DataSubscriber
from headwater.media.events import Event, NegotiationNeeded
from headwater.media.negotiation import Negotiation
from headwater.media.publisher import Publisher
from headwater.media.receiver import Receiver
from headwater.media.seam import Seam
from headwater.media.slot import Slot
from headwater.media.subscriber import Subscriber
from headwater.media.transport import SignalingState, WebRtcTransport

if TYPE_CHECKING:
    from headwater._core import _native
    from headwater.media.publish_transport import PublishTransport
    from headwater.media.router import Router

__all__ = ["SubscribeTransport", "check_bitrate"]


class SubscribeTransport(WebRtcTransport):
    """One client's receiving connection; made by `Router.create_subscribe_transport`."""

    def __init__(self, seam: Seam, handle: int, router: Router, negotiation_timeout: float) -> None:
        """Use `Router.create_subscribe_transport`."""
        super().__init__(seam, handle, router)
        self._router = router
        self._negotiation = Negotiation(negotiation_timeout)
        self._negotiation_needed = False

    @property
    def router(self) -> Router:
        """The router it belongs to."""
        return self._router

    @property
    def signaling_state(self) -> SignalingState:
        """``have-local-offer`` while the client has not answered."""
        if self.closed:
            return "closed"
        return "have-local-offer" if self._negotiation.offer_open else "stable"

    @property
    def negotiation_needed(self) -> bool:
        """Whether there are changes that no offer has carried yet."""
        return self._negotiation_needed

    @property
    def subscribers(self) -> tuple[Subscriber, ...]:
        """The open subscribers, oldest first."""
        return tuple(item for item in self._children if isinstance(item, Subscriber))

    @property
    def slots(self) -> tuple[Slot, ...]:
        """The open slots, oldest first."""
        return tuple(item for item in self._children if isinstance(item, Slot))

    @property
    def data_subscribers(self) -> tuple[DataSubscriber, ...]:
        """The open data subscribers, oldest first."""
        return tuple(item for item in self._children if isinstance(item, DataSubscriber))

    async def subscribe(self, id_: str) -> tuple[Subscriber, str]:
        """Send a publisher's track to the client.

        Args:
            id_: A publisher's id, or a track id that is unique in the router.

        Returns:
            The subscriber, and the offer for the client.

        Raises:
            PublisherNotFound: The router has no such publisher or track.
            AmbiguousTrack: Several publishers carry that track id.
            NegotiationTimeout: An earlier offer was not answered in time.
        """
        subscribers, offer = await self.subscribe_many((id_,))
        return subscribers[0], offer

    async def subscribe_many(self, ids: Sequence[str]) -> tuple[list[Subscriber], str]:
        """Send several publishers' tracks to the client, with one offer.

        Args:
            ids: As for `subscribe`.

        Raises:
            PublisherNotFound, AmbiguousTrack, NegotiationTimeout: As for `subscribe`; then none of
                them is subscribed.
        """
        self._publishers(ids)  # fail on a wrong id now, not after the wait
        await self._begin()
        try:
            items = [
                Subscriber(self._seam, self._allocate(), self, publisher)
                for publisher in self._publishers(ids)
            ]
        except BaseException:
            self._negotiation.settled()
            raise
        pairs = [(item._handle, item.publisher._handle) for item in items]
        offer = await self._offer(lambda: self._seam.native.subscribe(self._handle, pairs), items)
        assert offer is not None, "the core always answers Subscribe with an offer"
        return items, offer

    async def set_max_bitrate(self, bitrate: int | None) -> None:
        """Send no more than this, whatever the line carries.

        What does not fit is given up as on a narrow line, with the reason ``bandwidth``.

        Args:
            bitrate: In bit/s, sound included and never given up; ``None`` takes the limit away.

        Raises:
            ConfigurationError: The bit rate is not above 0.
            Closed: The transport was closed.
        """
        check_bitrate(bitrate)
        await self._call(lambda: self._seam.native.set_max_bitrate(self._handle, bitrate))

    async def open_slots(
        self, kind: Literal["audio", "video"], count: int, *, own: PublishTransport | None = None
    ) -> tuple[list[Slot], str]:
        """Add m-lines that carry the loudest publishers of the router, with one offer for all time.

        Of videos they carry those whose owners spoke last: an owner is known by the transport that a
        voice and a picture share.

        Args:
            kind: Audio or video.
            count: How many, 1 to 64.
            own: The same client's publish transport, which its slots never carry.

        Raises:
            ConfigurationError: The count is out of its range.
            NegotiationTimeout: An earlier offer was not answered in time.
        """
        if not 1 <= count <= _MOST_SLOTS:
            raise ConfigurationError(f"count is a number from 1 to {_MOST_SLOTS}, not {count}")
        await self._begin()
        try:
            slots = [Slot(self._seam, self._allocate(), self, kind) for _ in range(count)]
        except BaseException:
            self._negotiation.settled()
            raise
        handles = [slot._handle for slot in slots]
        except_for = None if own is None else own._handle
        offer = await self._offer(
            lambda: self._seam.native.open_slots(self._handle, kind, handles, except_for), slots
        )
        assert offer is not None, "the core always answers OpenSlots with an offer"
        return slots, offer

    async def set_own(self, own: PublishTransport | None) -> None:
        """Say which transport the same client publishes on now; its slots never carry that.

        Raises:
            Closed: The transport was closed.
        """
        handle = None if own is None else own._handle
        await self._call(lambda: self._seam.native.set_own_transport(self._handle, handle))

    async def subscribe_data(self, id_: str) -> tuple[DataSubscriber, str | None]:
        """Send a data publisher's messages to the client.

        Args:
            id_: A data publisher's id.

        Returns:
            The data subscriber, and the offer for the client; ``None`` when the connection can
            carry data channels already, so nothing has to be negotiated.

        Raises:
            PublisherNotFound: The router has no such data publisher.
            NegotiationTimeout: An earlier offer was not answered in time.
        """
        self._check()
        self._router.data_publisher(id_)
        await self._begin()
        try:
            item = DataSubscriber(self._seam, self._allocate(), self, self._router.data_publisher(id_))
        except BaseException:
            self._negotiation.settled()
            raise
        source = item.publisher._handle
        offer = await self._offer(
            lambda: self._seam.native.subscribe_data(self._handle, item._handle, source), [item]
        )
        return item, offer

    async def create_offer(self) -> str:
        """Make an offer with all changes since the last answer; it always has a data-channel m-line.

        Raises:
            NegotiationTimeout: An earlier offer was not answered in time.
        """
        await self._begin()
        return await self._plain_offer(ice_restart=False)

    async def restart_ice(self) -> str:
        """Make an offer with new ICE credentials, for a client whose network changed.

        Raises:
            NegotiationTimeout: An earlier offer was not answered in time.
        """
        await self._begin()
        return await self._plain_offer(ice_restart=True)

    async def set_answer(self, answer: str) -> None:
        """Take the client's answer to the open offer.

        Raises:
            NoOffer: No offer is open.
            InvalidSdp: It cannot be parsed or does not answer the offer, which is rolled back.
        """

        def done(_reply: None) -> None:
            self._remote_description = answer
            self._negotiation.settled()

        def failed(_error: Exception) -> None:
            if not self.closed and self._seam.open:
                self._roll_back()

        self._check()
        self._negotiation.take()
        await self._seam.call(self._seam.native.accept_answer(self._handle, answer), done, failed)

    async def rollback(self) -> None:
        """Drop the open offer; the next one carries what it carried.

        Raises:
            NoOffer: No offer is open.
        """
        self._check()
        self._negotiation.take()
        await self._roll_back()

    async def get_answer(self, offer: str, publisher_ids: Iterable[str] = ()) -> str:
        """Answer a client that offers to receive (WHEP); its receiving m-lines become slots.

        Args:
            offer: The client's SDP, the first one or one that restarts ICE.
            publisher_ids: Publishers to attach at once; those for which the client has no slot or
                not the codec are left out (see `subscribers`).

        Raises:
            InvalidSdp: It cannot be parsed, or contradicts an earlier one.
            PublisherNotFound, AmbiguousTrack: As for `subscribe`.
        """

        def done(reply: _native.AnswerReply) -> str:
            self._remote_description = offer
            self._local_description = reply.sdp
            return reply.sdp

        publishers = self._publishers(tuple(publisher_ids))
        answer: str = await self._call(lambda: self._seam.native.accept_offer(self._handle, offer), done)
        for publisher in publishers:
            if not publisher.closed:
                try:
                    await self.attach(publisher.id)
                except UnsupportedCodec:
                    continue
        return answer

    async def attach(self, id_: str, *, mid: str | None = None) -> Subscriber:
        """Feed a publisher into a free slot that the client offered (WHEP).

        Args:
            id_: As for `subscribe`.
            mid: The slot; any that fits if ``None``.

        Raises:
            PublisherNotFound, AmbiguousTrack: As for `subscribe`.
            UnsupportedCodec: No free slot of that kind carries the publisher's codec.
        """
        publisher = self._publishers((id_,))[0]
        item = Subscriber(self._seam, self._allocate(), self, publisher)

        def done(reply: _native.AttachedReply) -> None:
            item._placed(reply.mid)

        return await self._create(
            item, lambda: self._seam.native.attach(self._handle, item._handle, publisher._handle, mid), done
        )

    # -- inside -------------------------------------------------------------------------------------

    def _handle_event(self, event: Event) -> None:
        """Note that an offer is due."""
        if isinstance(event, NegotiationNeeded):
            self._negotiation_needed = True
        super()._handle_event(event)

    def _publishers(self, ids: Sequence[str]) -> list[Publisher]:
        self._check()
        return [self._router.publisher(id_) for id_ in ids]

    def _allocate(self) -> int:
        return self._seam.native.allocate(self._handle)

    async def _begin(self) -> None:
        self._check()
        await self._negotiation.begin()
        if self.closed:  # closed between being given the turn and running
            self._negotiation.settled()
        self._check()

    async def _plain_offer(self, *, ice_restart: bool) -> str:
        offer = await self._offer(
            lambda: self._seam.native.create_offer(self._handle, ice_restart=ice_restart), ()
        )
        assert offer is not None, "the core always answers CreateOffer with an offer"
        return offer

    async def _offer(self, send: Callable[[], int], items: Sequence[Receiver | DataSubscriber]) -> str | None:
        """Send a command that may make an offer, in a turn that `_begin` took.

        A caller that is cancelled never had the offer: it is rolled back, and ``items`` close.
        """
        abandoned = False

        def done(reply: _native.OfferReply | None) -> str | None:
            for item in items:
                if not item.closed:
                    item._adopted()
            if abandoned:
                return None  # the rollback is under way and settles the turn
            if reply is None:
                self._negotiation.settled()
                return None
            self._local_description = reply.sdp
            self._negotiation_needed = False
            self._place(reply.mids)
            self._negotiation.opened()
            return reply.sdp

        def failed(_error: Exception) -> None:
            if not abandoned:
                self._negotiation.settled()

        try:
            reply = self._seam.call(send(), done, failed)
        except BaseException:  # the core did not take the command
            self._negotiation.settled()
            for item in items:
                item._discard()
            raise
        try:
            offer: str | None = await reply
        except asyncio.CancelledError:
            abandoned = True
            self._abandon_all(items)
            raise
        except BaseException:
            for item in items:
                item._discard()
            raise
        return offer

    def _abandon_all(self, items: Sequence[Receiver | DataSubscriber]) -> None:
        if not self.closed and self._seam.open:
            self._roll_back()
        for item in items:
            item._abandon()

    def _roll_back(self) -> asyncio.Future[Any]:
        def done(_reply: None) -> None:
            self._negotiation_needed = True
            self._negotiation.settled()

        def failed(_error: Exception) -> None:
            self._negotiation.settled()

        rollback = self._seam.call(self._seam.native.rollback_offer(self._handle), done, failed)
        rollback.add_done_callback(lambda future: future.cancelled() or future.exception())
        return rollback

    def _place(self, mids: Sequence[tuple[str, int]]) -> None:
        """Tell each subscriber its m-line."""
        for mid, handle in mids:
            item = self._seam.find("subscriber", handle)
            if isinstance(item, Receiver):
                item._placed(mid)

    def _on_closed(self) -> None:
        self._negotiation.close()


_MOST_SLOTS = 64


def check_bitrate(bitrate: int | None) -> None:
    """Check a limit in bit/s.

    Raises:
        ConfigurationError: It is not above 0.
    """
    if bitrate is not None and not 0 < bitrate < 1 << 63:
        raise ConfigurationError(f"a bit rate is a number of bit/s above 0, not {bitrate}")
