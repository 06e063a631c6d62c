"""A participant: one person or program in a room, by whatever protocol.

A participant owns what it sends (``Publications``) and what it receives (``Subscriptions`` for those
that answer our offers, ``Slots`` for WHEP viewers, nothing for WHIP publishers) and speaks to the
rest of the room through it. Its signalling connection may be lost and come back: ``attach`` and
``detach``; the media goes on meanwhile.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from headwater.auth import ROLE_GRANTS, Claims, Grant
from headwater.cluster import Endpoint
from headwater.errors import Forbidden
from headwater.ids import ParticipantId
from headwater.media.events import LayersWanted
from headwater.media.publish_transport import PublishTransport
from headwater.media.router import Router
from headwater.meetings.rooms import events
from headwater.meetings.rooms.events import EventQueue, ParticipantView, RoomEvent, TrackView, TransportLost
from headwater.meetings.rooms.models import RoomOptions
from headwater.meetings.rooms.publications import Publications
from headwater.meetings.rooms.slots import Slots
from headwater.meetings.rooms.subscriptions import Subscriptions

__all__ = ["Participant", "RoomSide"]


class RoomSide(Protocol):
    """What a participant reports to its room; all calls return at once."""

    def track_published(self, owner: Participant, track: TrackView) -> None:
        """A track began."""

    def track_updated(self, owner: Participant, track: TrackView) -> None:
        """A track was muted or unmuted."""

    def track_unpublished(self, owner: Participant, track: TrackView) -> None:
        """A track ended."""

    def quality_changed(self, owner: Participant, score: int) -> None:
        """A connection works better or worse, 0 to 100."""

    def data_published(self, owner: Participant, data_publisher_id: str) -> None:
        """A data channel opened."""

    def data_unpublished(self, owner: Participant, data_publisher_id: str) -> None:
        """A data channel closed."""


class Participant:
    """One participant of one room.

    Args:
        participant_id: Its id.
        endpoint: The connection that carries it; replaced on resume.
        claims: Its verified token; ``None`` for a guest under ``--dev``.
        identity: Who it is.
        name: What others see.
        router: The room's router.
        room: Hears what it publishes.
        options: Bounds and the DTLS version.
    """

    def __init__(
        self,
        *,
        participant_id: ParticipantId,
        endpoint: Endpoint,
        claims: Claims | None,
        identity: str,
        name: str,
        router: Router,
        room: RoomSide,
        options: RoomOptions,
    ) -> None:
        self.id = participant_id
        self.endpoint = endpoint
        self.claims = claims
        self.identity = identity
        self.name = name
        self.role = claims.role if claims else "participant"
        self.grace: asyncio.Task[None] | None = None
        self.events: EventQueue | None = None
        self.closed = False
        self.quality: int | None = None
        """How well the worse of both connections works, 0 to 100, once it is known."""
        self._sending_score = self._receiving_score = _PERFECT
        self._grants: frozenset[Grant] = claims.grants if claims else frozenset(ROLE_GRANTS["participant"])
        self._room = room
        self._router = router
        self._options = options
        self.publications = Publications(router=router, side=self, options=options)
        self.receiving = self._make_receiving()

    @property
    def participant_id(self) -> str:
        """The id, as ``Publications`` asks for it."""
        return self.id

    @property
    def view(self) -> ParticipantView:
        """The participant, as others see them."""
        return ParticipantView(
            id=self.id,
            name=self.name,
            identity=self.identity,
            role=self.role,
            protocol=self.endpoint.protocol,
            tracks=self.publications.tracks,
        )

    @property
    def subscriptions(self) -> Subscriptions:
        """What it receives by our offers.

        Raises:
            Forbidden: It has no grant to, or its protocol receives otherwise.
        """
        if not isinstance(self.receiving, Subscriptions):
            raise Forbidden("the token lacks the grant 'subscribe'")
        return self.receiving

    @property
    def slots(self) -> Slots:
        """What it receives by its own offer.

        Raises:
            Forbidden: It has no grant to.
        """
        if not isinstance(self.receiving, Slots):
            raise Forbidden("the token lacks the grant 'subscribe'")
        return self.receiving

    def require(self, grant: Grant) -> None:
        """Raise ``Forbidden`` without this grant."""
        if grant not in self._grants:
            raise Forbidden(f"the token lacks the grant {grant!r}")

    def matches(self, claims: Claims) -> bool:
        """Whether a token is for the same person with the same rights, and so for the same place."""
        same_rights = claims.role == self.role and claims.grants == self._grants
        return same_rights and claims.identity == self.identity

    def emit(self, event: RoomEvent) -> None:
        """Tell the participant something; without a connection it is dropped."""
        if self.events is not None:
            self.events.put(event)

    def attach(self, endpoint: Endpoint) -> EventQueue:
        """Take a connection; events go there from now on."""
        self.endpoint = endpoint
        self.events = EventQueue(limit=self._options.limits.send_queue)
        return self.events

    def detach(self) -> None:
        """The connection is lost."""
        self.events = None
        if isinstance(self.receiving, Subscriptions):
            self.receiving.detach()

    def stop_grace(self) -> None:
        """The connection is back, or the participant goes: end the waiting for either."""
        grace, self.grace = self.grace, None
        if grace is not None:
            grace.cancel()

    async def replace_transports(self) -> None:
        """Its peer connections are lost: end what hung on them and start again."""
        await self.publications.reset()
        if isinstance(self.receiving, Subscriptions):
            await self.receiving.reset()

    async def close(self) -> None:
        """End everything it sends and receives; idempotent."""
        self.closed = True
        await self.publications.close()
        if self.receiving is not None:
            await self.receiving.close()

    # --- what publications report --------------------------------------------------------------

    def track_published(self, track: TrackView) -> None:
        """Pass on to the room."""
        self._room.track_published(self, track)

    def track_updated(self, track: TrackView) -> None:
        """Pass on to the room."""
        self._room.track_updated(self, track)

    def track_unpublished(self, track: TrackView) -> None:
        """Pass on to the room."""
        self._room.track_unpublished(self, track)

    def data_published(self, data_publisher_id: str) -> None:
        """Pass on to the room."""
        self._room.data_published(self, data_publisher_id)

    def data_unpublished(self, data_publisher_id: str) -> None:
        """Pass on to the room."""
        self._room.data_unpublished(self, data_publisher_id)

    def layers_wanted(self, wanted: LayersWanted) -> None:
        """Tell the participant what of its own track anybody needs."""
        self.emit(events.LayersWanted(wanted.publisher_id, wanted.encodings, wanted.maximum))

    def sending_quality(self, score: int) -> None:
        """Pass the worse of both directions on to the room."""
        self._quality_changed(sending=score)

    def publish_transport_made(self, transport: PublishTransport) -> None:
        """See to it that the participant does not hear their own voice."""
        if isinstance(self.receiving, Subscriptions):
            self.receiving.set_own(transport)

    def publish_transport_lost(self, reason: str) -> None:
        """Tell the participant to make a new one."""
        self.emit(TransportLost("publish", reason))

    def _make_receiving(self) -> Subscriptions | Slots | None:
        if "subscribe" not in self._grants or self.endpoint.protocol == "whip":
            return None
        if self.endpoint.protocol == "whep":
            return Slots(router=self._router, emit=self.emit, options=self._options)
        return Subscriptions(
            router=self._router,
            emit=self.emit,
            quality=lambda score: self._quality_changed(receiving=score),
            options=self._options,
        )

    def _quality_changed(self, *, sending: int | None = None, receiving: int | None = None) -> None:
        self._sending_score = self._sending_score if sending is None else sending
        self._receiving_score = self._receiving_score if receiving is None else receiving
        score = min(self._sending_score, self._receiving_score)
        if score != self.quality:
            self.quality = score
            self._room.quality_changed(self, score)


_PERFECT = 100
