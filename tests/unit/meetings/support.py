"""A participant driven by hand: what it is told, and what it answers."""

from __future__ import annotations

import asyncio
from typing import Any, TypeVar

from headwater.auth import Claims, TokenAuthority
from headwater.cluster import EndpointProtocol
from headwater.meetings.rooms import JoinRequest, Participant, RoomsService, TrackHint
from headwater.meetings.rooms import events as e
from headwater.meetings.rooms.service import Joining
from headwater.testing import client_offer

__all__ = ["ANSWER", "Person", "claims_for", "eventually"]

ANSWER = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
AUTHORITY = TokenAuthority("0123456789abcdef0123456789abcdef-test")
DEADLINE = 30.0

E = TypeVar("E", bound=e.RoomEvent)


def claims_for(identity: str, **options: Any) -> Claims:
    """Claims of a token as the server would verify them."""
    return AUTHORITY.verify(AUTHORITY.mint(**{"room": "r", "identity": identity, **options}))


async def eventually(condition: Any, what: str = "condition") -> None:
    """Let the loop run until something holds.

    Raises:
        AssertionError: Not within the deadline.
    """
    try:
        async with asyncio.timeout(DEADLINE):
            while not condition():  # noqa: ASYNC110 - many objects, no common event
                await asyncio.sleep(0.001)
    except TimeoutError:
        raise AssertionError(f"never: {what}") from None


class Person:
    """Somebody in a room."""

    def __init__(self, service: RoomsService, joining: Joining) -> None:
        self.service = service
        self.joining = joining
        self.connection = joining.participant.endpoint.conn_id
        self._offer: e.OfferMade | None = None

    @classmethod
    async def join(
        cls,
        service: RoomsService,
        name: str | None = None,
        *,
        room: str = "r",
        claims: Claims | None = None,
        protocol: EndpointProtocol = "webrtc",
        resume: str | None = None,
        restart: bool = False,
    ) -> Person:
        """Join a room."""
        request = JoinRequest(room, claims, protocol, name=name, resume=resume, restart=restart)
        return cls(service, await service.join(request))

    @property
    def participant(self) -> Participant:
        """The participant behind."""
        return self.joining.participant

    @property
    def id(self) -> str:
        """Its id."""
        return self.participant.id

    async def hear(self, kind: type[E]) -> E:
        """Wait for the next event of a kind; others before it are passed over.

        Raises:
            AssertionError: It does not come in time.
        """
        passed: list[str] = []
        try:
            async with asyncio.timeout(DEADLINE):
                while True:
                    event = await self.joining.events.get()
                    if isinstance(event, kind):
                        return event
                    if isinstance(event, e.OfferMade):
                        self._offer = event  # there is never a second one before it is answered
                    passed.append(type(event).__name__)
        except TimeoutError:
            raise AssertionError(f"no {kind.__name__}, but {passed}") from None

    async def answer_offer(self) -> e.OfferMade:
        """Wait for an offer and answer it."""
        offer, self._offer = self._offer, None
        offer = offer or await self.hear(e.OfferMade)
        await self.participant.subscriptions.answer(ANSWER)
        return offer

    async def answer_until(self, publisher_ids: set[str]) -> e.OfferMade:
        """Answer offers until one carries exactly these tracks."""
        while True:
            offer = await self.answer_offer()
            if {track.publisher_id for _, track in offer.tracks} == publisher_ids:
                return offer

    async def publish(self, hints: dict[str, TrackHint] | None = None, **media: Any) -> list[str]:
        """Offer and return the publisher ids."""
        _, pairs = await self.participant.publications.accept_offer(client_offer(**media), hints or {})
        return [publisher_id for _, publisher_id in pairs]

    async def leave(self) -> None:
        """Leave for good."""
        await self.service.leave(self.joining.room, self.participant)
