"""The rooms service: meetings, joining and leaving. It knows no HTTP.

A meeting is a record; its live room, with a router, exists while somebody is in it and for a short
while after. Who loses the signalling connection stays for ``resume_seconds`` with all media and
can take the place again by the id of that connection and the same identity. Who closes whom: service ->
room -> participants -> their transports; the room's router last.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from datetime import UTC, datetime

from headwater.auth import Claims
from headwater.cluster import Endpoints
from headwater.errors import Closed, Forbidden, LimitReached, NotFound
from headwater.ids import ConnId, MeetingId, ParticipantId, new_id
from headwater.media.worker import Worker
from headwater.meetings.rooms.events import Ended, EventQueue
from headwater.meetings.rooms.models import JoinRequest, Meeting, MeetingSettings, RoomOptions, clean_name
from headwater.meetings.rooms.participant import Participant
from headwater.meetings.rooms.room import Room
from headwater.meetings.rooms.subscriptions import Subscriptions
from headwater.tasks import Tasks
from headwater.telemetry import get_logger

__all__ = ["Joining", "RoomsService"]

_log = get_logger(__name__)
_GUEST = "guest-"


class Joining:
    """The outcome of ``join``: the participant, the room, and the queue of this connection."""

    __slots__ = ("events", "participant", "resumed", "room")

    def __init__(self, room: Room, participant: Participant, events: EventQueue, *, resumed: bool) -> None:
        self.room = room
        self.participant = participant
        self.events = events
        self.resumed = resumed


class RoomsService:
    """Meetings and rooms of one node.

    Args:
        worker: Makes the routers.
        endpoints: Where connections are registered.
        options: Bounds and the DTLS version.
        ad_hoc: Whether an unknown room name makes a room (``--dev``).
        taken: Whether a name belongs to something that is no meeting.
    """

    def __init__(
        self,
        *,
        worker: Worker,
        endpoints: Endpoints,
        options: RoomOptions,
        ad_hoc: bool = False,
        taken: Callable[[str], bool] = lambda name: False,
    ) -> None:
        self._worker = worker
        self._endpoints = endpoints
        self._options = options
        self._limits = options.limits
        self._ad_hoc = ad_hoc
        self._taken = taken
        self._meetings: dict[MeetingId, Meeting] = {}
        self._rooms: dict[MeetingId, Room] = {}
        self._opening: dict[MeetingId, asyncio.Lock] = {}
        self._tasks = Tasks()
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether the service takes nobody any more."""
        return self._closed

    def counts(self) -> dict[str, int]:
        """Gauges for the metrics."""
        participants = [p for room in self._rooms.values() for p in room.participants.values()]
        return {
            "meetings": len(self._meetings),
            "rooms": len(self._rooms),
            "participants": len(participants),
            "connections": len(self._endpoints),
            "tracks_published": sum(len(p.publications.tracks) for p in participants),
        }

    # --- meetings ------------------------------------------------------------------------------

    def create_meeting(
        self, settings: MeetingSettings | None = None, *, meeting_id: str | None = None, ad_hoc: bool = False
    ) -> Meeting:
        """Make a meeting.

        Args:
            settings: What its creator decides.
            meeting_id: A name instead of a random id, for the demo room and ad-hoc rooms.
            ad_hoc: Forget it when its room closes.

        Raises:
            LimitReached: There are as many as the node may keep.
        """
        self._forget_unused()
        if len(self._meetings) >= self._limits.rooms:
            raise LimitReached("this server keeps no more meetings")
        meeting = Meeting(
            id=MeetingId(meeting_id or new_id("mtg")),
            created_at=datetime.now(UTC),
            settings=settings or MeetingSettings(),
            used_at=asyncio.get_running_loop().time(),
            ad_hoc=ad_hoc,
        )
        self._meetings[meeting.id] = meeting
        return meeting

    @property
    def meetings(self) -> tuple[Meeting, ...]:
        """All of them, oldest first."""
        return tuple(self._meetings.values())

    def count_participants(self, meeting: Meeting) -> int:
        """How many are in a meeting now."""
        room = self.room(meeting.id)
        return len(room.participants) if room else 0

    def get_meeting(self, meeting_id: str) -> Meeting:
        """Find a meeting; under ``--dev`` an unknown name makes an ad-hoc one.

        Raises:
            NotFound: No such meeting.
        """
        meeting = self._meetings.get(MeetingId(meeting_id))
        if meeting is not None:
            return meeting
        named = 0 < len(meeting_id) <= self._limits.name_length and meeting_id.isprintable()
        if self._ad_hoc and named and not self._taken(meeting_id):
            return self.create_meeting(meeting_id=meeting_id, ad_hoc=True)
        raise NotFound("no such meeting")

    def has_meeting(self, meeting_id: str) -> bool:
        """Whether there is a meeting of that id."""
        return meeting_id in self._meetings

    def find_meeting(self, meeting_id: str) -> Meeting:
        """Find a meeting and never make one.

        Raises:
            NotFound: No such meeting.
        """
        try:
            return self._meetings[MeetingId(meeting_id)]
        except KeyError:
            raise NotFound("no such meeting") from None

    def find_participant(self, meeting_id: str, participant_id: str) -> Participant:
        """Return somebody who is in a meeting now.

        Raises:
            NotFound: No such meeting, or nobody of that id is in it.
        """
        room = self.room(self.find_meeting(meeting_id).id)
        participant = room.participants.get(ParticipantId(participant_id)) if room else None
        if participant is None:
            raise NotFound(f"nobody of id {participant_id!r} is in that meeting")
        return participant

    def room(self, meeting_id: str) -> Room | None:
        """The live room of a meeting, when somebody is or was just in it."""
        return self._rooms.get(MeetingId(meeting_id))

    # --- coming and going ----------------------------------------------------------------------

    async def join(self, request: JoinRequest) -> Joining:
        """Let somebody in, or back in.

        Raises:
            NotFound: No such meeting.
            Forbidden: The token is for another room.
            LimitReached: The room or the node is full.
            Overloaded: The machine has too much to do; who comes back to a place of theirs is let in.
            Closed: The node is going down.
        """
        if self._closed:
            raise Closed("this server is going down")
        if request.claims is not None:
            request.claims.require_room(request.room)
        meeting = self.get_meeting(request.room)
        if meeting.id not in self._rooms:  # nobody can come back to it
            self._options.check_capacity()
        room = await self._open_room(meeting)
        meeting.used_at = asyncio.get_running_loop().time()
        if request.resume is not None and (known := self._resumable(room, request)) is not None:
            return await self._resume(room, known, request)
        return self._admit(room, request)

    async def leave(self, room: Room, participant: Participant, *, reason: str = "left") -> None:
        """Let somebody go, with everything that is theirs; idempotent."""
        self._endpoints.close(participant.endpoint.conn_id)
        participant.stop_grace()
        await room.remove(participant, reason=reason)
        room.meeting.used_at = asyncio.get_running_loop().time()
        if not room.participants and self._rooms.get(room.meeting.id) is room:
            self._expire_later(room)

    def connection_lost(self, joining: Joining) -> None:
        """A signalling connection ended without a goodbye: keep the place for a while."""
        participant = joining.participant
        if participant.closed or participant.events is not joining.events:
            return  # gone already, or taken over by a newer connection
        self._endpoints.close(participant.endpoint.conn_id)
        participant.detach()
        participant.grace = self._tasks.spawn(self._leave_later(joining.room, participant), name="grace")

    def rename(self, joining: Joining, name: str) -> None:
        """Change one's own name.

        Raises:
            Forbidden: The token fixes it.
        """
        participant = joining.participant
        if participant.claims is not None and participant.claims.name is not None:
            raise Forbidden("the token fixes the name")
        cleaned = clean_name(name, limit=self._limits.name_length)
        if cleaned and cleaned != participant.name:
            joining.room.rename(participant, cleaned)

    async def close(self) -> None:
        """End all rooms: everybody is told to come back later, then everything closes."""
        self._closed = True
        await self._tasks.close()
        for room in list(self._rooms.values()):
            for participant in list(room.participants.values()):
                participant.emit(Ended("server_shutdown", reconnect=True))
                self._endpoints.close(participant.endpoint.conn_id)
                await room.remove(participant, reason="server_shutdown")
            await self._close_room(room)

    # --- how -----------------------------------------------------------------------------------

    async def _open_room(self, meeting: Meeting) -> Room:
        lock = self._opening.setdefault(meeting.id, asyncio.Lock())
        async with lock:
            room = self._rooms.get(meeting.id)
            if room is None:
                router = await self._worker.create_router()
                if self._closed:
                    await router.close()
                    raise Closed("this server is going down")
                room = self._rooms[meeting.id] = Room(
                    meeting=meeting, router=router, hear_all=self._options.hear_all
                )
                room.start()
                self._expire_later(room)  # should the one who comes fail on the way in
        return room

    def _resumable(self, room: Room, request: JoinRequest) -> Participant | None:
        # Participant ids are public in the room; the connection id was told to its client alone.
        connection = ConnId(request.resume or "")
        lost = (p for p in room.participants.values() if p.endpoint.conn_id == connection)
        participant = next(lost, None)
        if participant is None or participant.closed or participant.endpoint.protocol != request.protocol:
            return None
        if request.claims is None:
            return participant if participant.claims is None else None
        return participant if participant.matches(request.claims) else None

    async def _resume(self, room: Room, participant: Participant, request: JoinRequest) -> Joining:
        participant.emit(Ended("resumed_elsewhere", reconnect=False))
        self._endpoints.close(participant.endpoint.conn_id)
        endpoint = self._endpoints.open(
            room_id=room.meeting.id, peer_id=participant.id, protocol=request.protocol
        )
        participant.stop_grace()  # not before: a full node refuses, and the place must still expire
        if request.claims is not None:
            participant.claims = request.claims
        events = participant.attach(endpoint)
        if request.restart:
            await participant.replace_transports()
        if isinstance(participant.receiving, Subscriptions):
            participant.receiving.attach()
        return Joining(room, participant, events, resumed=not request.restart)

    def _admit(self, room: Room, request: JoinRequest) -> Joining:
        self._options.check_capacity()
        bound = room.meeting.settings.max_participants or self._limits.participants
        if len(room.participants) >= min(bound, self._limits.participants):
            raise LimitReached("this room is full")
        participant_id = ParticipantId(new_id("prt"))
        endpoint = self._endpoints.open(
            room_id=room.meeting.id, peer_id=participant_id, protocol=request.protocol
        )
        identity = request.claims.identity if request.claims else f"{_GUEST}{secrets.token_hex(4)}"
        participant = Participant(
            participant_id=participant_id,
            endpoint=endpoint,
            claims=request.claims,
            identity=identity,
            name=self._name(request, identity),
            router=room.router,
            room=room,
            options=self._options,
        )
        events = participant.attach(endpoint)
        room.add(participant)
        if isinstance(participant.receiving, Subscriptions):
            participant.receiving.start()
        return Joining(room, participant, events, resumed=False)

    def _name(self, request: JoinRequest, identity: str) -> str:
        fixed: Claims | None = request.claims
        wished = fixed.name if fixed is not None and fixed.name is not None else request.name
        fallback = identity if fixed is not None else "Guest"
        return clean_name(wished, limit=self._limits.name_length) or fallback

    async def _leave_later(self, room: Room, participant: Participant) -> None:
        await asyncio.sleep(self._limits.resume_seconds)
        participant.grace = None  # from here on nothing takes it back
        _log.info("connection not resumed", room=room.meeting.id, participant=participant.id)
        await self.leave(room, participant, reason="connection_lost")

    def _expire_later(self, room: Room) -> None:
        if room.expiry is None or room.expiry.done():
            room.expiry = self._tasks.spawn(self._expire(room), name="room expiry")

    async def _expire(self, room: Room) -> None:
        while not room.participants:
            idle_since = room.meeting.used_at
            await asyncio.sleep(self._limits.empty_room_seconds)
            if not room.participants and room.meeting.used_at == idle_since:
                await self._close_room(room)
                return

    async def _close_room(self, room: Room) -> None:
        """Close an empty room; nobody can be let in between the check and the removal."""
        if self._rooms.get(room.meeting.id) is room:
            del self._rooms[room.meeting.id]
            self._opening.pop(room.meeting.id, None)
            if room.meeting.ad_hoc:
                self._meetings.pop(room.meeting.id, None)
        await room.close()

    def _forget_unused(self) -> None:
        oldest = asyncio.get_running_loop().time() - self._limits.unused_meeting_seconds
        for meeting_id, meeting in list(self._meetings.items()):
            if meeting.used_at < oldest and meeting_id not in self._rooms:
                del self._meetings[meeting_id]
