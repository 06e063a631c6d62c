"""Viewers who offered first: a fixed number of slots that are always filled when they can be."""

from __future__ import annotations

import pytest

from headwater.errors import Forbidden, InvalidSdp
from headwater.meetings.rooms import RoomsService
from headwater.meetings.rooms import events as e
from headwater.testing import FakeWorker, client_offer
from tests.unit.meetings.support import Person, claims_for, eventually

WATCH = client_offer(audio="a", video="v", receive=True)


def attached(viewer: Person) -> set[str]:
    transport = viewer.participant.slots.transport
    return {s.publisher_id for s in transport.subscribers} if transport else set()


async def watch(service: RoomsService, offer: str = WATCH) -> Person:
    viewer = await Person.join(service, protocol="whep")
    await viewer.participant.slots.accept_offer(offer)
    return viewer


async def test_what_is_there_is_attached_at_once(service: RoomsService) -> None:
    ada = await Person.join(service)
    published = await ada.publish(audio="mic", video="cam")
    viewer = await watch(service)
    await eventually(lambda: attached(viewer) == set(published))


async def test_what_comes_later_takes_the_free_slots(service: RoomsService) -> None:
    viewer = await watch(service)
    ada = await Person.join(service)
    published = await ada.publish(audio="mic", video="cam")
    await eventually(lambda: attached(viewer) == set(published))


async def test_a_slot_whose_track_ended_goes_to_the_next(service: RoomsService, worker: FakeWorker) -> None:
    ada = await Person.join(service)
    bob = await Person.join(service)
    first = await ada.publish(audio="mic", video="cam")
    second = await bob.publish(audio="mic", video="cam")
    viewer = await watch(service)
    await eventually(lambda: attached(viewer) == set(first))
    await ada.leave()
    await eventually(lambda: attached(viewer) == set(second))
    assert "create_offer" not in worker.core.commands[worker.core.commands.index("attach") :]


async def test_sound_goes_with_the_picture(service: RoomsService) -> None:
    ada = await Person.join(service)
    bob = await Person.join(service)
    await ada.publish(audio="mic")
    both = await bob.publish(audio="mic", video="cam")
    viewer = await watch(service)
    await eventually(lambda: attached(viewer) == set(both))


async def test_a_viewer_of_sound_alone_gets_no_picture(service: RoomsService) -> None:
    ada = await Person.join(service)
    mic, _cam = await ada.publish(audio="mic", video="cam")
    viewer = await watch(service, client_offer(audio="a", receive=True))
    await eventually(lambda: attached(viewer) == {mic})


async def test_an_offer_that_receives_nothing_is_invalid(service: RoomsService) -> None:
    viewer = await Person.join(service, protocol="whep")
    for offer in (client_offer(audio="a"), client_offer(data=True), "nonsense"):
        with pytest.raises(InvalidSdp):
            await viewer.participant.slots.accept_offer(offer)


async def test_a_lost_viewer_is_told_to_its_listener(service: RoomsService, worker: FakeWorker) -> None:
    viewer = await watch(service)
    transport = viewer.participant.slots.transport
    assert transport is not None
    worker.core.lose(transport)
    assert (await viewer.hear(e.TransportLost)).transport == "subscribe"


async def test_a_viewer_needs_the_grant_to_subscribe(service: RoomsService) -> None:
    sender = await Person.join(service, protocol="whep", claims=claims_for("s", grants=["publish"]))
    with pytest.raises(Forbidden):
        _ = sender.participant.slots


async def test_a_whip_participant_receives_nothing_and_is_one_like_any_other(service: RoomsService) -> None:
    ada = await Person.join(service)
    camera = await Person.join(service, "Studio", protocol="whip")
    joined = await ada.hear(e.ParticipantJoined)
    assert (joined.participant.protocol, joined.participant.name) == ("whip", "Studio")
    assert camera.participant.receiving is None
    published = await camera.publish(audio="mic", video="cam")
    await ada.answer_until(set(published))
