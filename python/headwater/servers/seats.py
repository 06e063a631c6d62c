"""What a WHIP or WHEP client has in a room, whatever the room is: a seat.

The directory knows both products. A name is a channel's, or a meeting's, or (under ``--dev``) makes a
meeting. In a meeting the client is a participant; in a channel it is the broadcaster or a viewer
(``channel_seats.py``).
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Literal, Protocol

from headwater.auth import Claims, Gate
from headwater.channels import Channels
from headwater.errors import BufferFull, ChannelNotFound, Forbidden, InvalidSdp
from headwater.loopback import is_loopback_origin
from headwater.meetings.rooms import JoinRequest, RoomsService, TrackHint
from headwater.meetings.rooms.events import Ended, TransportLost
from headwater.meetings.rooms.service import Joining
from headwater.servers.channel_seats import ChannelSender, ChannelWatcher
from headwater.telemetry import get_logger

__all__ = ["Kind", "RoomDirectory", "Seat"]

_log = get_logger(__name__)
Kind = Literal["whip", "whep"]
_PROGRAMME = TrackHint(voice=False)
"""It is heard by everybody, however large the room."""


class Seat(Protocol):
    """One client in one room."""

    @property
    def conn_id(self) -> str:
        """The connection, and last part of the session URL."""

    @property
    def room_id(self) -> str:
        """The room."""

    @property
    def connected(self) -> bool:
        """Whether the client has ever connected."""

    async def answer(self, offer: str) -> str:
        """Answer the client's offer, the first one or one that restarts ICE.

        Raises:
            InvalidSdp: It cannot be used.
        """

    async def counter_offer(self) -> str | None:
        """Offer what the room has, to a client whose own offer was of no use.

        Returns:
            The offer; ``None`` where that is not done.
        """

    async def accept_answer(self, answer: str) -> None:
        """Take the client's answer to `counter_offer`.

        Raises:
            NoOffer: None was made.
        """

    async def add_candidate(self, candidate: str) -> None:
        """Take a trickled candidate."""

    def make_way(self) -> None:
        """The same client is coming again: let it have the place."""

    async def wait_over(self) -> str:
        """Wait until the client is gone or sent away, and return why."""

    async def leave(self, reason: str) -> None:
        """Give the seat up; idempotent."""


@dataclass(slots=True)
class MeetingSeat:
    """A participant of a meeting."""

    service: RoomsService
    joining: Joining
    kind: Kind

    @property
    def conn_id(self) -> str:
        """The connection."""
        return self.joining.participant.endpoint.conn_id

    @property
    def room_id(self) -> str:
        """The meeting."""
        return self.joining.room.meeting.id

    @property
    def connected(self) -> bool:
        """Whether its transport is beyond connecting."""
        participant = self.joining.participant
        side = participant.publications if self.kind == "whip" else participant.slots
        return side.transport is not None and side.transport.connection_state not in ("new", "connecting")

    async def answer(self, offer: str) -> str:
        """Answer the client's offer."""
        participant = self.joining.participant
        if self.kind == "whep":
            return await participant.slots.accept_offer(offer)
        answer, pairs = await participant.publications.accept_offer(offer, {}, unsaid=_PROGRAMME)
        if not pairs:
            raise InvalidSdp("the offer has no m-line that sends audio or video")
        return answer

    async def counter_offer(self) -> str | None:
        """A meeting has no fixed tracks that could be offered."""
        return None

    async def accept_answer(self, answer: str) -> None:
        """There was no offer."""
        raise InvalidSdp("there is no offer that this would answer")

    async def add_candidate(self, candidate: str) -> None:
        """Take a trickled candidate."""
        participant = self.joining.participant
        side = participant.publications if self.kind == "whip" else participant.slots
        await side.add_candidate(candidate)

    def make_way(self) -> None:
        """There is room for both; the listener ends this one when the other has its seat."""

    async def wait_over(self) -> str:
        """Wait for the end of the client's transport or room; nothing else is told to it."""
        try:
            while True:
                event = await self.joining.events.get()
                if isinstance(event, TransportLost | Ended):
                    break
        except BufferFull:
            _log.warning("session lost track of its room", session=self.conn_id)
        return "connection_lost"

    async def leave(self, reason: str) -> None:
        """Leave the meeting."""
        await self.service.leave(self.joining.room, self.joining.participant, reason=reason)


class RoomDirectory:
    """Every room of this node by its name, and who may take which seat in it.

    Args:
        rooms: Meetings.
        channels: Channels.
        gate: Checks tokens.
    """

    def __init__(self, *, rooms: RoomsService, channels: Channels, gate: Gate) -> None:
        self._rooms = rooms
        self._channels = channels
        self._gate = gate

    async def look(self, room: str) -> None:
        """Have a channel at hand that other nodes may have made or changed; before all else."""
        if not self._rooms.has_meeting(room):
            with contextlib.suppress(ChannelNotFound):
                await self._channels.find(room)

    def authorise(self, kind: Kind, room: str, header: str | None) -> Claims | None:
        """Check the ``Authorization`` of a newcomer; whether there is such a room is not looked at.

        Returns:
            The claims; ``None`` for a guest under ``--dev`` and for viewers of public channels.

        Raises:
            Unauthorized: A token is needed, or does not verify.
            Forbidden: It is for another room or another direction.
        """
        if room in self._channels and kind == "whep":
            public = self._channels.get(room).record.visibility == "public"
            return self._gate.may_view(header, room, public=public)
        claims = self._gate.room_claims(header, room)
        if claims is not None:
            claims.require("publish" if kind == "whip" else "subscribe")
        return claims

    def check(self, room: str) -> None:
        """See to it that there is such a room, making one under ``--dev``.

        Raises:
            NotFound: There is none.
        """
        if room not in self._channels:
            self._rooms.get_meeting(room)

    async def enter(self, kind: Kind, room: str, claims: Claims | None) -> Seat:
        """Take a seat.

        Raises:
            NotFound: The room is gone.
            ChannelBusy: Somebody else broadcasts there.
            ChannelNotLive: Nobody does, so there is nothing to watch.
            ChannelEnded: The channel is over for good.
            LimitReached, Overloaded: There is no room.
            Closed: The node is going down.
        """
        if room not in self._channels:
            name = None if claims else kind.upper()
            joining = await self._rooms.join(JoinRequest(room=room, claims=claims, protocol=kind, name=name))
            return MeetingSeat(self._rooms, joining, kind)
        channel = self._channels.get(room)
        peer = claims.identity if claims else kind
        endpoint = self._channels.endpoint(channel, peer_id=peer, protocol=kind)
        try:
            if kind == "whep":
                channel.check_live()
                return ChannelWatcher(channel.watch(endpoint))
            return ChannelSender(await channel.go_live(endpoint))
        except BaseException:
            self._channels.release(endpoint)
            raise

    def refuse_strangers(self, claims: Claims | None, origin: str | None) -> None:
        """A guest is let in because the listener is on loopback; a foreign page in a browser there is not.

        Raises:
            Forbidden: It is one.
        """
        if claims is None and self._gate.open_house and origin is not None and not is_loopback_origin(origin):
            raise Forbidden("pages of other hosts need a token")
