"""Large rooms: the loudest are heard in a few slots, whoever comes and goes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from headwater.api.translate import message_of
from headwater.cluster import Endpoints
from headwater.config import Limits
from headwater.meetings.rooms import RoomOptions, RoomsService, TrackHint
from headwater.meetings.rooms import events as e
from headwater.testing import FakeWorker, client_offer
from tests.unit.meetings.support import Person, eventually

MICROPHONE = {"0": TrackHint("microphone")}
HEAR_ALL, SLOTS = 4, 2


@pytest.fixture
async def service(worker: FakeWorker) -> AsyncIterator[RoomsService]:
    """Rooms that are large from the fifth voice on, and small again at the third."""
    options = RoomOptions(
        limits=Limits(resume_seconds=0.2, empty_room_seconds=0.1, participants=200),
        hear_all=HEAR_ALL,
        voice_slots=SLOTS,
    )
    endpoints = Endpoints(node="test", limit=500)
    service = RoomsService(worker=worker, endpoints=endpoints, options=options, ad_hoc=True)
    yield service
    await service.close()


async def speakers(service: RoomsService, number: int) -> tuple[list[Person], list[str]]:
    """People with microphones, and their publishers' ids; they answer no offers."""
    people = [await Person.join(service, f"speaker {place}") for place in range(number)]
    return people, [(await person.publish(MICROPHONE, audio="mic"))[0] for person in people]


async def answer_until(person: Person, *, tracks: set[str], slots: int) -> e.OfferMade:
    """Answer offers until one carries exactly these tracks and so many slots."""
    while True:
        offer = await person.answer_offer()
        if {track.publisher_id for _, track in offer.tracks} == tracks and len(offer.slots) == slots:
            return offer


def slots_of(person: Person) -> list[Any]:
    """The open slots of somebody's connection."""
    transport = person.participant.subscriptions.transport
    assert transport is not None
    return list(transport.slots)


async def test_a_room_that_becomes_large_is_heard_in_slots_and_becomes_small_again(
    service: RoomsService,
) -> None:
    """Nobody is unheard in between: what comes new is there before the old goes, both ways."""
    people, voices = await speakers(service, HEAR_ALL)
    eve = await Person.join(service, "Eve")
    await answer_until(eve, tracks=set(voices), slots=0)
    late = await Person.join(service, "Late")
    (fifth,) = await late.publish(MICROPHONE, audio="mic")
    both = await eve.answer_offer()
    assert ({t.publisher_id for _, t in both.tracks}, len(both.slots)) == (set(voices), SLOTS)
    await answer_until(eve, tracks=set(), slots=SLOTS)
    assert [slot.kind for slot in slots_of(eve)] == ["audio"] * SLOTS

    await late.leave()
    await people[0].leave()
    back = await answer_until(eve, tracks=set(voices[1:]), slots=SLOTS)
    assert fifth not in {t.publisher_id for _, t in back.tracks}
    await answer_until(eve, tracks=set(voices[1:]), slots=0)
    assert slots_of(eve) == []


async def test_a_voice_that_comes_and_goes_at_the_bound_moves_nobody(service: RoomsService) -> None:
    """Large from the fifth on, small again at the third: one who wavers causes no offers."""
    people, _ = await speakers(service, HEAR_ALL + 1)
    eve = await Person.join(service, "Eve")
    await answer_until(eve, tracks=set(), slots=SLOTS)
    await people[0].leave()
    for _ in range(3):
        wavering = await Person.join(service, "Wavering")
        await wavering.publish(MICROPHONE, audio="mic")
        await wavering.leave()
    assert eve.joining.room.large
    assert not any(isinstance(event, e.OfferMade) for event in eve.joining.events._events)


async def test_whom_a_slot_carries_is_told_without_an_offer(
    service: RoomsService, worker: FakeWorker
) -> None:
    people, voices = await speakers(service, HEAR_ALL + 1)
    eve = await Person.join(service, "Eve")
    offer = await answer_until(eve, tracks=set(), slots=SLOTS)
    first, second = slots_of(eve)
    assert offer.slots == ((first.mid, None), (second.mid, None))
    voice = people[3].participant.publications.publisher(voices[3])
    worker.core.fill_slot(second, voice)
    told = await eve.hear(e.SlotChanged)
    assert told == e.SlotChanged(second.mid, voices[3])
    wire = msgspec.to_builtins(message_of(told))
    assert wire == {"type": "slot_changed", "mid": second.mid, "publisher_id": voices[3]}
    worker.core.fill_slot(second, None)
    silent = msgspec.to_builtins(message_of(await eve.hear(e.SlotChanged)))
    assert silent == {"type": "slot_changed", "mid": second.mid}


async def test_who_comes_back_hears_whom_the_slots_carry_now(
    service: RoomsService, worker: FakeWorker
) -> None:
    """What changed while the signalling connection was lost is in the offer that is made then."""
    people, voices = await speakers(service, HEAR_ALL + 1)
    eve = await Person.join(service, "Eve")
    await answer_until(eve, tracks=set(), slots=SLOTS)
    first, second = slots_of(eve)
    service.connection_lost(eve.joining)
    worker.core.fill_slot(first, people[1].participant.publications.publisher(voices[1]))
    await eventually(lambda: first.publisher_id == voices[1])
    again = await Person.join(service, "Eve", resume=eve.connection)
    offer = await again.hear(e.OfferMade)
    assert offer.slots == ((first.mid, voices[1]), (second.mid, None))


async def test_pictures_films_and_broadcasts_keep_lines_of_their_own(
    service: RoomsService, worker: FakeWorker
) -> None:
    """Slots are for voices: a shared film is heard though it is never the loudest."""
    await speakers(service, HEAR_ALL + 1)
    hints = {"0": TrackHint("screen_audio"), "1": TrackHint("screen", content="motion")}
    shared = await (await Person.join(service, "Ada")).publish(hints, audio="film sound", video="film")
    studio = await Person.join(service, "Studio", protocol="whip")
    offer = client_offer(audio="programme")
    _, [(_, programme)] = await studio.participant.publications.accept_offer(
        offer, {}, unsaid=TrackHint(voice=False)
    )
    eve = await Person.join(service, "Eve")
    await answer_until(eve, tracks={*shared, programme}, slots=SLOTS)
    assert worker.core.commands.count("set_publisher_content") == 3


async def test_nobody_hears_themselves(service: RoomsService, worker: FakeWorker) -> None:
    """Slots know their client's own transport, whichever comes first, also after it was replaced."""
    await speakers(service, HEAR_ALL + 1)
    eve = await Person.join(service, "Eve")
    await answer_until(eve, tracks=set(), slots=SLOTS)
    before = worker.core.commands.count("set_own_transport")
    await eve.publish(MICROPHONE, audio="mic")
    await eventually(lambda: worker.core.commands.count("set_own_transport") == before + 1)
    await eve.participant.publications.reset()
    await eve.publish(MICROPHONE, audio="mic")
    await eventually(lambda: worker.core.commands.count("set_own_transport") == before + 2)


async def test_a_replaced_transport_gets_slots_again(service: RoomsService, worker: FakeWorker) -> None:
    await speakers(service, HEAR_ALL + 1)
    eve = await Person.join(service, "Eve")
    await answer_until(eve, tracks=set(), slots=SLOTS)
    transport = eve.participant.subscriptions.transport
    assert transport is not None
    worker.core.lose(transport)
    await eve.hear(e.TransportLost)
    await answer_until(eve, tracks=set(), slots=SLOTS)
    assert eve.participant.subscriptions.transport is not transport


async def test_a_client_that_refuses_slots_hears_everybody(service: RoomsService, worker: FakeWorker) -> None:
    _, voices = await speakers(service, HEAR_ALL + 1)
    eve = await Person.join(service, "Eve")
    await answer_until(eve, tracks=set(), slots=SLOTS)
    for slot in slots_of(eve):
        worker.core.reject(slot)
    await answer_until(eve, tracks=set(voices), slots=0)


async def test_a_hundred_microphones_cost_a_listener_no_more_than_five(service: RoomsService) -> None:
    """The m-lines of one who listens are the same in number, and nobody is offered anything new."""
    await speakers(service, HEAR_ALL + 1)
    eve = await Person.join(service, "Eve")
    small = await answer_until(eve, tracks=set(), slots=SLOTS)
    for place in range(95):
        person = await Person.join(service, f"more {place}")
        await person.publish(MICROPHONE, audio="mic")
    late = await Person.join(service, "Late")
    large = await answer_until(late, tracks=set(), slots=SLOTS)
    assert small.sdp.count("m=audio") == large.sdp.count("m=audio") == SLOTS
    offers = [event for event in eve.joining.events._events if isinstance(event, e.OfferMade)]
    assert offers == []
