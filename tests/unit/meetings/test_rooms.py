"""Rooms: who comes, who goes, what the others hear of it, and what is left afterwards."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from headwater.cluster import Endpoints
from headwater.errors import Closed, Forbidden, LimitReached, NotFound, Overloaded
from headwater.meetings.rooms import MeetingSettings, RoomOptions, RoomsService, TrackHint
from headwater.meetings.rooms import events as e
from headwater.meetings.rooms.models import clean_name
from headwater.testing import FakeWorker
from tests.unit.meetings.conftest import LIMITS
from tests.unit.meetings.support import Person, claims_for, eventually


async def test_the_first_offer_comes_at_once_and_carries_no_tracks(service: RoomsService) -> None:
    ada = await Person.join(service, "Ada")
    offer = await ada.hear(e.OfferMade)
    assert offer.tracks == ()
    assert "m=application" in offer.sdp


async def test_others_hear_who_comes_and_who_leaves(service: RoomsService) -> None:
    ada = await Person.join(service, "Ada")
    bob = await Person.join(service, "Bob")
    joined = await ada.hear(e.ParticipantJoined)
    assert (joined.participant.id, joined.participant.name) == (bob.id, "Bob")
    assert [p.id for p in bob.joining.room.others(bob.participant)] == [ada.id]
    await bob.leave()
    assert await ada.hear(e.ParticipantLeft) == e.ParticipantLeft(bob.id, "left")


async def test_a_published_track_reaches_those_who_are_there_and_those_who_come(
    service: RoomsService,
) -> None:
    ada = await Person.join(service)
    bob = await Person.join(service)
    hints = {"0": TrackHint("microphone"), "1": TrackHint("camera", muted=True)}
    published = await ada.publish(hints, audio="mic", video="cam")
    assert len(published) == 2
    told = await bob.hear(e.TrackPublished)
    assert (told.track.source, told.track.kind, told.track.muted) == ("microphone", "audio", False)
    for person in (bob, await Person.join(service)):
        offer = await person.answer_until(set(published))
        assert {track.source for _, track in offer.tracks} == {"microphone", "camera"}
        assert len({mid for mid, _ in offer.tracks}) == 2
    assert ada.participant.subscriptions.transport is not None
    assert ada.participant.subscriptions.transport.subscribers == ()


async def test_changes_while_an_offer_is_open_go_together_into_the_next_one(service: RoomsService) -> None:
    ada = await Person.join(service)
    bob = await Person.join(service)
    open_offer = await bob.hear(e.OfferMade)
    assert open_offer.tracks == ()
    first = await ada.publish(audio="mic")
    eve = await Person.join(service)
    second = await eve.publish(audio="mic2", video="cam2")
    await bob.participant.subscriptions.answer("v=0\r\n")
    offer = await bob.hear(e.OfferMade)
    assert {track.publisher_id for _, track in offer.tracks} == {*first, *second}


async def test_a_track_that_ends_leaves_the_next_offer(service: RoomsService, worker: FakeWorker) -> None:
    ada = await Person.join(service)
    bob = await Person.join(service)
    mic, cam = await ada.publish(audio="mic", video="cam")
    await bob.answer_until({mic, cam})
    worker.core.end(ada.participant.publications.publisher(cam))
    assert await bob.hear(e.TrackUnpublished) == e.TrackUnpublished(cam, ada.id)
    await bob.answer_until({mic})
    assert [t.publisher_id for t in ada.participant.view.tracks] == [mic]


async def test_leaving_ends_tracks_before_it_is_told(service: RoomsService) -> None:
    ada = await Person.join(service)
    bob = await Person.join(service)
    (mic,) = await ada.publish(audio="mic")
    await bob.answer_until({mic})
    await ada.leave()
    assert (await bob.hear(e.TrackUnpublished)).publisher_id == mic
    assert (await bob.hear(e.ParticipantLeft)).participant_id == ada.id
    await bob.answer_until(set())


async def test_muting_is_told_to_the_others_once(service: RoomsService) -> None:
    ada = await Person.join(service)
    bob = await Person.join(service)
    (mic,) = await ada.publish(audio="mic")
    await bob.hear(e.TrackPublished)
    await ada.participant.publications.set_muted(mic, muted=True)
    await ada.participant.publications.set_muted(mic, muted=True)
    assert (await bob.hear(e.TrackUpdated)).track.muted
    await ada.participant.publications.set_muted(mic, muted=False)
    assert not (await bob.hear(e.TrackUpdated)).track.muted
    assert not ada.participant.publications.publisher(mic).paused


async def test_nobody_mutes_what_is_not_theirs(service: RoomsService) -> None:
    ada = await Person.join(service)
    bob = await Person.join(service)
    (mic,) = await ada.publish(audio="mic")
    with pytest.raises(NotFound):
        await bob.participant.publications.set_muted(mic, muted=True)


async def test_a_paused_subscription_is_paused_whenever_the_subscriber_comes(service: RoomsService) -> None:
    ada = await Person.join(service)
    bob = await Person.join(service)
    (cam,) = await ada.publish(video="cam")
    await eventually(lambda: cam in bob.participant.subscriptions._wanted)
    await bob.participant.subscriptions.set_paused(cam, paused=True)
    await bob.answer_until({cam})
    transport = bob.participant.subscriptions.transport
    assert transport is not None
    assert transport.subscribers[0].paused
    await bob.participant.subscriptions.set_paused(cam, paused=False)
    assert not transport.subscribers[0].paused


async def test_a_data_channel_reaches_all_others_late_joiners_too(
    service: RoomsService, worker: FakeWorker
) -> None:
    ada = await Person.join(service)
    bob = await Person.join(service)
    await bob.answer_offer()
    await ada.publish(audio="mic", data=True)
    transport = ada.participant.publications.transport
    assert transport is not None
    worker.core.open_channel(transport, "chat")
    eve = await Person.join(service)
    for person in (bob, eve):

        async def answering(person: Person = person) -> None:
            while True:
                await person.answer_offer()

        answers = asyncio.create_task(answering())
        side = person.participant.subscriptions
        await eventually(
            lambda side=side: side.transport and side.transport.data_subscribers, "data subscriber"
        )
        answers.cancel()
    worker.core.end(transport.data_publishers[0])
    await eventually(lambda: ada.participant.publications.data_publisher_ids == ())


async def test_data_channels_and_tracks_of_one_participant_are_bounded(
    service: RoomsService, worker: FakeWorker
) -> None:
    ada = await Person.join(service)
    with pytest.raises(LimitReached):
        await ada.publish(audio=["a", "b", "c", "d"])
    transport = ada.participant.publications.transport
    assert transport is not None
    for label in ("one", "two", "three", "x" * 300):
        worker.core.open_channel(transport, label)
    await eventually(lambda: len(ada.participant.publications.data_publisher_ids) == 2)


async def test_a_new_peer_connection_replaces_the_old_publish_transport(service: RoomsService) -> None:
    ada = await Person.join(service)
    bob = await Person.join(service)
    offer = "a=fingerprint:sha-256 AA\r\n"
    media = "m=audio 9 X 0\r\na=mid:0\r\na=sendonly\r\n"
    head = "v=0\r\ns=-\r\n"
    _, ((_, first),) = await ada.participant.publications.accept_offer(head + offer + media, {})
    old = ada.participant.publications.transport
    _, ((_, same),) = await ada.participant.publications.accept_offer(head + offer + media, {})
    assert (same, ada.participant.publications.transport) == (first, old)
    _, ((_, fresh),) = await ada.participant.publications.accept_offer(
        head + offer.replace("AA", "BB") + media, {}
    )
    assert fresh != first
    assert old is not None
    assert old.closed
    assert (await bob.hear(e.TrackUnpublished)).publisher_id == first


async def test_a_lost_publish_transport_ends_its_tracks_and_is_told(
    service: RoomsService, worker: FakeWorker
) -> None:
    ada = await Person.join(service)
    bob = await Person.join(service)
    (mic,) = await ada.publish(audio="mic")
    lost = ada.participant.publications.transport
    assert lost is not None
    worker.core.lose(lost)
    assert await ada.hear(e.TransportLost) == e.TransportLost("publish", "connection_failed")
    assert (await bob.hear(e.TrackUnpublished)).publisher_id == mic
    assert len(await ada.publish(audio="mic")) == 1
    assert ada.participant.publications.transport is not lost


async def test_a_lost_subscribe_transport_is_replaced_with_all_its_tracks(
    service: RoomsService, worker: FakeWorker
) -> None:
    ada = await Person.join(service)
    bob = await Person.join(service)
    (mic,) = await ada.publish(audio="mic")
    await bob.answer_until({mic})
    lost = bob.participant.subscriptions.transport
    assert lost is not None
    worker.core.lose(lost)
    assert (await bob.hear(e.TransportLost)).transport == "subscribe"
    await bob.answer_until({mic})
    assert bob.participant.subscriptions.transport is not lost


async def test_a_track_whose_codec_the_client_lacks_is_not_offered_for_ever(
    service: RoomsService, worker: FakeWorker
) -> None:
    ada = await Person.join(service)
    bob = await Person.join(service)
    mic, cam = await ada.publish(audio="mic", video="cam")
    await bob.answer_until({mic, cam})
    transport = bob.participant.subscriptions.transport
    assert transport is not None
    worker.core.reject(next(s for s in transport.subscribers if s.publisher_id == cam))
    await bob.answer_until({mic})
    asked = worker.core.commands.count("subscribe")
    await ada.participant.publications.set_muted(mic, muted=True)
    await bob.hear(e.TrackUpdated)
    assert worker.core.commands.count("subscribe") == asked


async def test_a_wrong_answer_is_refused_and_another_offer_follows(service: RoomsService) -> None:
    ada = await Person.join(service)
    await ada.hear(e.OfferMade)
    with pytest.raises(Exception, match="not an SDP line"):
        await ada.participant.subscriptions.answer("nonsense")
    await ada.answer_offer()


async def test_the_second_offer_waits_for_the_connection_but_not_for_ever(
    service: RoomsService, worker: FakeWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headwater.meetings.rooms.subscriptions.SETTLE_SECONDS", 60.0)
    ada = await Person.join(service)
    bob = await Person.join(service)
    await bob.answer_offer()
    (mic,) = await ada.publish(audio="mic")
    await asyncio.sleep(0.05)
    assert not any(isinstance(event, e.OfferMade) for event in bob.joining.events._events)
    transport = bob.participant.subscriptions.transport
    assert transport is not None
    worker.core.connect(transport)
    await bob.answer_until({mic})
    monkeypatch.setattr("headwater.meetings.rooms.subscriptions.SETTLE_SECONDS", 0.01)
    eve = await Person.join(service)
    await eve.answer_until({mic})
    (cam,) = await bob.publish(video="cam")
    await eve.answer_until({mic, cam})


async def test_restarting_ice_makes_an_offer_after_the_open_one(
    service: RoomsService, worker: FakeWorker
) -> None:
    ada = await Person.join(service)
    await ada.answer_offer()
    ada.participant.subscriptions.restart_ice()
    await ada.answer_offer()
    assert worker.core.commands.count("create_offer") == 2


async def test_a_lost_connection_keeps_its_place_and_its_tracks(service: RoomsService) -> None:
    ada = await Person.join(service)
    bob = await Person.join(service)
    (mic,) = await ada.publish(audio="mic")
    service.connection_lost(ada.joining)
    again = await Person.join(service, resume=ada.connection)
    assert again.joining.resumed
    assert again.id == ada.id
    assert [t.publisher_id for t in again.participant.view.tracks] == [mic]
    assert again.participant.endpoint.conn_id != ""
    await again.hear(e.OfferMade)  # the open one, again
    heard = [type(event) for event in bob.joining.events._events]
    assert e.ParticipantLeft not in heard


async def test_resuming_with_lost_peer_connections_starts_them_anew(service: RoomsService) -> None:
    ada = await Person.join(service)
    bob = await Person.join(service)
    (mic,) = await ada.publish(audio="mic")
    before = ada.participant.subscriptions.transport
    service.connection_lost(ada.joining)
    again = await Person.join(service, resume=ada.connection, restart=True)
    assert (again.id, again.joining.resumed) == (ada.id, False)
    assert (await bob.hear(e.TrackUnpublished)).publisher_id == mic
    await again.answer_offer()
    assert again.participant.subscriptions.transport is not before


async def test_a_connection_that_does_not_come_back_leaves(
    service: RoomsService, endpoints: Endpoints
) -> None:
    ada = await Person.join(service)
    bob = await Person.join(service)
    service.connection_lost(ada.joining)
    assert (await bob.hear(e.ParticipantLeft)).reason == "connection_lost"
    assert len(endpoints) == 1
    late = await Person.join(service, resume=ada.connection)
    assert late.id != ada.id
    assert not late.joining.resumed


async def test_a_place_that_a_full_node_cannot_give_back_still_expires(
    service: RoomsService, endpoints: Endpoints
) -> None:
    ada = await Person.join(service)
    bob = await Person.join(service)
    service.connection_lost(ada.joining)
    while len(endpoints) < 10:
        endpoints.open(room_id="other", peer_id="x", protocol="webrtc")
    with pytest.raises(LimitReached):
        await Person.join(service, resume=ada.connection)
    assert (await bob.hear(e.ParticipantLeft)).participant_id == ada.id


async def test_an_offer_that_comes_after_the_end_publishes_nothing(service: RoomsService) -> None:
    ada = await Person.join(service)
    bob = await Person.join(service)
    await ada.leave()
    with pytest.raises(Closed):
        await ada.publish(audio="mic")
    assert ada.participant.publications.transport is None
    assert e.TrackPublished not in [type(event) for event in bob.joining.events._events]


async def test_a_place_is_taken_over_from_a_connection_that_still_looks_alive(service: RoomsService) -> None:
    ada = await Person.join(service)
    again = await Person.join(service, resume=ada.connection)
    assert (await ada.hear(e.Ended)).reason == "resumed_elsewhere"
    service.connection_lost(ada.joining)  # the old one notices late: it must not end the new one
    await asyncio.sleep(0.3)
    assert not again.participant.closed


async def test_nobody_takes_a_place_by_what_everybody_knows(service: RoomsService) -> None:
    ada = await Person.join(service)
    service.connection_lost(ada.joining)
    thief = await Person.join(service, resume=ada.id)
    assert thief.id != ada.id


async def test_a_connection_id_takes_a_place_once(service: RoomsService) -> None:
    ada = await Person.join(service)
    old = ada.connection
    again = await Person.join(service, resume=old)
    assert again.id == ada.id
    assert (await Person.join(service, resume=old)).id != ada.id


@pytest.mark.parametrize("thief", [None, "eve"])
async def test_nobody_takes_the_place_of_another_identity(service: RoomsService, thief: str | None) -> None:
    ada = await Person.join(service, claims=claims_for("ada"))
    claims = claims_for(thief) if thief else None
    other = await Person.join(service, claims=claims, resume=ada.connection)
    assert other.id != ada.id


@pytest.mark.parametrize("rights", [{"role": "viewer"}, {"role": "host"}, {"grants": ["subscribe"]}])
async def test_a_place_keeps_its_rights_and_is_not_taken_with_others(
    service: RoomsService, rights: dict[str, Any]
) -> None:
    ada = await Person.join(service, claims=claims_for("ada"))
    other = await Person.join(service, claims=claims_for("ada", **rights), resume=ada.connection)
    assert other.id != ada.id
    assert other.participant.claims is not None
    assert not other.joining.resumed


async def test_the_last_one_out_gives_everything_back(
    service: RoomsService, worker: FakeWorker, endpoints: Endpoints
) -> None:
    ada = await Person.join(service)
    bob = await Person.join(service)
    await ada.publish(audio="mic", video="cam", data=True)
    await ada.leave()
    await bob.leave()
    await eventually(lambda: service.counts()["rooms"] == 0)
    await eventually(lambda: worker.core.objects == 0, "core objects closed")
    assert len(endpoints) == 0
    assert service.counts()["meetings"] == 0  # it was ad hoc
    assert worker.routers == ()


async def test_a_meeting_that_was_made_outlives_its_room(service: RoomsService, worker: FakeWorker) -> None:
    meeting = service.create_meeting(MeetingSettings(title="Monday"))
    ada = await Person.join(service, room=meeting.id)
    await ada.leave()
    await eventually(lambda: worker.routers == ())
    again = await Person.join(service, room=meeting.id)
    assert again.joining.room.meeting.settings.title == "Monday"


async def test_somebody_who_comes_back_in_time_finds_the_same_router(
    service: RoomsService, worker: FakeWorker
) -> None:
    ada = await Person.join(service)
    router = ada.joining.room.router
    await ada.leave()
    again = await Person.join(service)
    assert again.joining.room.router is router
    await asyncio.sleep(0.3)
    assert not router.closed


async def test_many_who_come_at_once_get_one_router(service: RoomsService, worker: FakeWorker) -> None:
    await asyncio.gather(*(Person.join(service) for _ in range(4)))
    assert len(worker.routers) == 1


async def test_a_full_room_and_a_full_meeting_refuse(service: RoomsService) -> None:
    for _ in range(4):
        await Person.join(service)
    with pytest.raises(LimitReached):
        await Person.join(service)
    meeting = service.create_meeting(MeetingSettings(max_participants=1))
    await Person.join(service, room=meeting.id)
    with pytest.raises(LimitReached):
        await Person.join(service, room=meeting.id)


async def test_without_ad_hoc_rooms_an_unknown_name_is_not_found(
    worker: FakeWorker, endpoints: Endpoints
) -> None:
    closed = RoomsService(worker=worker, endpoints=endpoints, options=RoomOptions())
    with pytest.raises(NotFound):
        await Person.join(closed, room="nowhere")
    assert worker.routers == ()
    await closed.close()


async def test_a_token_for_another_room_is_forbidden_and_makes_none(service: RoomsService) -> None:
    with pytest.raises(Forbidden):
        await Person.join(service, claims=claims_for("ada"), room="other")
    assert service.counts()["meetings"] == 0


async def test_a_viewer_sends_nothing_and_a_publisher_without_grant_receives_nothing(
    service: RoomsService,
) -> None:
    viewer = await Person.join(service, claims=claims_for("v", role="viewer"))
    with pytest.raises(Forbidden):
        viewer.participant.require("publish")
    sender = await Person.join(service, claims=claims_for("s", grants=["publish"]))
    sender.participant.require("publish")
    with pytest.raises(Forbidden):
        _ = sender.participant.subscriptions


async def test_a_name_can_be_changed_unless_the_token_fixes_it(service: RoomsService) -> None:
    ada = await Person.join(service, "Ada")
    bob = await Person.join(service, "Bob", claims=claims_for("bob", name="Robert"))
    assert bob.participant.name == "Robert"
    service.rename(ada.joining, "Countess")
    assert (await bob.hear(e.ParticipantUpdated)).participant.name == "Countess"
    with pytest.raises(Forbidden):
        service.rename(bob.joining, "Mallory")


async def test_a_slow_client_is_ended_instead_of_waited_for(service: RoomsService) -> None:
    ada = await Person.join(service)
    for _ in range(1000):
        ada.participant.emit(e.ParticipantLeft("x", "left"))
    await asyncio.wait_for(ada.joining.events.wait_overflow(), 20)
    with pytest.raises(Exception, match="slowly"):
        await ada.joining.events.get()


async def test_closing_tells_everybody_and_takes_nobody_more(
    service: RoomsService, worker: FakeWorker
) -> None:
    ada = await Person.join(service)
    await ada.publish(audio="mic")
    await service.close()
    assert await ada.hear(e.Ended) == e.Ended("server_shutdown", reconnect=True)
    assert worker.core.objects == 0
    with pytest.raises(Closed):
        await Person.join(service)


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("  Ada   Lovelace ", "Ada Lovelace"),
        ("a\u0000b\nc\td", "ab c d"),
        ("\u202egpj.exe", "gpj.exe"),
        ("\u200b\u200b", ""),
        (None, ""),
        ("e\u0301", "é"),
        ("x" * 100, "x" * 10),
        ("👩\u200d🚀", "👩\u200d🚀"),
    ],
)
def test_names_are_made_fit_to_be_shown(raw: str | None, clean: str) -> None:
    assert clean_name(raw, limit=10 if raw and len(raw) > 50 else 256) == clean


class _Busy:
    """A machine that can be busy."""

    def __init__(self) -> None:
        self.busy = False

    def check(self) -> None:
        if self.busy:
            raise Overloaded("this server takes nobody in at the moment")


async def test_a_busy_machine_takes_nobody_in_and_throws_nobody_out(
    worker: FakeWorker, endpoints: Endpoints
) -> None:
    machine = _Busy()
    options = RoomOptions(limits=LIMITS, check_capacity=machine.check)
    service = RoomsService(worker=worker, endpoints=endpoints, options=options, ad_hoc=True)
    ada = await Person.join(service, "Ada")
    eve = await Person.join(service, "Eve")
    await ada.publish(audio="mic", video="cam")
    machine.busy = True
    with pytest.raises(Overloaded):
        await Person.join(service, "Bob")
    with pytest.raises(Overloaded):
        await Person.join(service, "Bob", room="another")
    assert service.room("another") is None, "no router was made for it"
    assert len(await ada.publish(audio="mic", video="cam")) == 2, "what is sent goes on"
    assert len(await eve.publish(audio="mic")) == 1, "the first offer belongs to the joining"
    with pytest.raises(Overloaded):
        await ada.publish(audio="mic", video=["cam", "screen"])
    service.connection_lost(ada.joining)
    back = await Person.join(service, resume=ada.connection)
    assert back.id == ada.id
    machine.busy = False
    assert (await Person.join(service, "Bob")).participant.name == "Bob"
    await service.close()
