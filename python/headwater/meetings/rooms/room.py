"""A live room: the router of a meeting, and who is in it.

The room is where one participant's doings become the others' events. It is protocol-blind: it knows
who sends and who receives, not how.

A room with many voices is *large*: an m-line for each of them would cost every participant more than
anybody can listen to, so all hear the loudest in a few slots. It is small again a quarter below.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

from headwater.errors import NotFound
from headwater.ids import ParticipantId
from headwater.media import events as media
from headwater.media.events import Event
from headwater.media.router import Router
from headwater.meetings.rooms.events import (
    ActiveSpeaker,
    ParticipantJoined,
    ParticipantLeft,
    ParticipantUpdated,
    QualityChanged,
    RoomEvent,
    TrackPublished,
    TrackUnpublished,
    TrackUpdated,
    TrackView,
)
from headwater.meetings.rooms.models import Meeting
from headwater.meetings.rooms.participant import Participant
from headwater.tasks import Tasks

__all__ = ["Room"]


class Room:
    """The live side of a meeting.

    Args:
        meeting: What it belongs to.
        router: Its media.
        hear_all: Voices that are heard one by one; with more it is large.
    """

    def __init__(self, *, meeting: Meeting, router: Router, hear_all: int) -> None:
        self.meeting = meeting
        self.router = router
        self.large = False
        self.participants: dict[ParticipantId, Participant] = {}
        self.expiry: asyncio.Task[None] | None = None
        self._hear_all = hear_all
        self._voices: set[str] = set()
        self._speaker: ActiveSpeaker | None = None
        self._tasks = Tasks()

    def start(self) -> None:
        """Begin to listen to the router."""
        self._tasks.spawn(self._follow(self.router.events()), name="room speaker")

    async def close(self) -> None:
        """Close the router and stop listening; idempotent."""
        await self._tasks.close()
        await self.router.close()

    def get(self, participant_id: str) -> Participant:
        """Find a participant.

        Raises:
            NotFound: Nobody of that id is here.
        """
        try:
            return self.participants[ParticipantId(participant_id)]
        except KeyError:
            raise NotFound("no such participant in this room") from None

    def others(self, participant: Participant) -> Iterator[Participant]:
        """Everybody else."""
        return (p for p in list(self.participants.values()) if p is not participant)

    def add(self, participant: Participant) -> None:
        """Let somebody in: they receive what is sent already, the others hear of them."""
        self.participants[participant.id] = participant
        if participant.receiving is not None:
            participant.receiving.hear_loudest(self.large)
            for other in self.others(participant):
                for track in other.publications.tracks:
                    participant.receiving.add(track)
                for data_id in other.publications.data_publisher_ids:
                    participant.receiving.add_data(data_id)
        self.tell_others(participant, ParticipantJoined(participant.view))
        for other in self.others(participant):
            if other.quality is not None:
                participant.emit(QualityChanged(other.id, other.quality))
        if self._speaker is not None:
            participant.emit(self._speaker)

    async def remove(self, participant: Participant, *, reason: str) -> None:
        """Let somebody go: what they sent ends, then the others hear that they left."""
        if self.participants.pop(participant.id, None) is None:
            return
        await participant.close()
        self.tell_others(participant, ParticipantLeft(participant.id, reason))

    def rename(self, participant: Participant, name: str) -> None:
        """Change what others see."""
        participant.name = name
        self.tell_others(participant, ParticipantUpdated(participant.view))

    async def request_key_frame(self, publisher_id: str) -> None:
        """Ask whoever sends a track for a key frame; requests are coalesced below.

        Raises:
            PublisherNotFound: Nobody here sends it.
        """
        await self.router.publisher(publisher_id).request_key_frame()

    def tell_others(self, participant: Participant, event: RoomEvent) -> None:
        """Send an event to everybody else."""
        for other in self.others(participant):
            other.emit(event)

    # --- what participants report --------------------------------------------------------------

    def track_published(self, owner: Participant, track: TrackView) -> None:
        """Tell the others, and let them receive it."""
        if track.voice:
            self._voices.add(track.publisher_id)
            self._measure()
        for other in self.others(owner):
            other.emit(TrackPublished(track))
            if other.receiving is not None:
                other.receiving.add(track)

    def track_updated(self, owner: Participant, track: TrackView) -> None:
        """Tell the others."""
        for other in self.others(owner):
            other.emit(TrackUpdated(track))
            if other.receiving is not None:
                other.receiving.update(track)

    def track_unpublished(self, owner: Participant, track: TrackView) -> None:
        """Tell the others."""
        self._voices.discard(track.publisher_id)
        self._measure()
        for other in self.others(owner):
            other.emit(TrackUnpublished(track.publisher_id, owner.id))
            if other.receiving is not None:
                other.receiving.remove(track.publisher_id)

    def quality_changed(self, owner: Participant, score: int) -> None:
        """Tell everybody, the owner included."""
        for participant in list(self.participants.values()):
            participant.emit(QualityChanged(owner.id, score))

    def data_published(self, owner: Participant, data_publisher_id: str) -> None:
        """Let the others receive it; its label travels in the channel itself."""
        for other in self.others(owner):
            if other.receiving is not None:
                other.receiving.add_data(data_publisher_id)

    def data_unpublished(self, owner: Participant, data_publisher_id: str) -> None:
        """The others' channels close with it."""
        for other in self.others(owner):
            if other.receiving is not None:
                other.receiving.remove_data(data_publisher_id)

    def _measure(self) -> None:
        """Find out whether the room is large, and let everybody hear accordingly."""
        voices, bound = len(self._voices), self._hear_all
        large = voices > (bound - max(1, bound // 4) if self.large else bound)
        if large == self.large:
            return
        self.large = large
        for participant in self.participants.values():
            if participant.receiving is not None:
                participant.receiving.hear_loudest(large)

    # --- what the router tells -----------------------------------------------------------------

    async def _follow(self, stream: AsyncIterator[Event]) -> None:
        async for event in stream:
            if isinstance(event, media.ActiveSpeaker):
                self._speaker = ActiveSpeaker(event.publisher_id, self._owner_of(event.publisher_id))
                for participant in list(self.participants.values()):
                    participant.emit(self._speaker)

    def _owner_of(self, publisher_id: str | None) -> str | None:
        for participant in self.participants.values():
            if any(track.publisher_id == publisher_id for track in participant.publications.tracks):
                return participant.id
        return None
