"""What participants are told of layers, speakers and connections, and what they get when they ask why."""

from __future__ import annotations

import time

import msgspec
import pytest

from headwater.api.translate import message_of, why_answer
from headwater.errors import NotFound
from headwater.media import events as media
from headwater.media.layer import Layer
from headwater.media.object import Statistics
from headwater.media.subscriber import Subscriber
from headwater.meetings.rooms import LayerWish, RoomsService, TrackHint
from headwater.meetings.rooms import events as e
from headwater.meetings.rooms.account import account_of
from headwater.meetings.rooms.overview import decisions
from headwater.testing import FakeWorker
from tests.unit.meetings.support import Person, eventually

LOW, HIGH = Layer(0, 1), Layer(2, 2)


async def watching(service: RoomsService) -> tuple[Person, Person, str, Subscriber]:
    """Ada publishes a camera and Bob receives it."""
    ada, bob = await Person.join(service, "Ada"), await Person.join(service, "Bob")
    [publisher_id] = await ada.publish({"0": TrackHint("camera")}, video="cam")
    await bob.answer_until({publisher_id})
    transport = bob.participant.subscriptions.transport
    assert transport is not None
    return ada, bob, publisher_id, transport.subscribers[0]


async def test_a_change_of_layer_is_told_with_its_reason(service: RoomsService) -> None:
    ada, bob, publisher_id, subscriber = await watching(service)
    subscriber._handle_event(media.LayerChanged(subscriber.id, HIGH, LOW, "bandwidth", 250_000))
    told = await bob.hear(e.LayerChanged)
    assert told == e.LayerChanged(publisher_id, HIGH, LOW, "bandwidth", 250_000)
    assert not any(isinstance(event, e.LayerChanged) for event in ada.joining.events._events)
    wire = msgspec.to_builtins(message_of(told))
    assert wire == {
        "type": "layer_changed",
        "publisher_id": publisher_id,
        "reason": "bandwidth",
        "from": {"spatial": 2, "temporal": 2},
        "to": {"spatial": 0, "temporal": 1},
        "estimate": 250_000,
    }


async def test_who_asks_why_gets_the_last_decisions_newest_first(
    service: RoomsService, worker: FakeWorker
) -> None:
    _, bob, publisher_id, subscriber = await watching(service)
    now = time.time()
    for number in range(100):
        worker.core.decide(subscriber, "estimate", now - 100 + number, estimate=number, limited_by="loss")
    account = await bob.participant.subscriptions.explain(publisher_id)
    assert [each.facts["estimate"] for _, each in account.decisions] == list(range(99, 35, -1))
    ages = [ago for ago, _ in account.decisions]
    assert ages == sorted(ages)
    assert 1 <= ages[0] < 60
    newest = msgspec.to_builtins(why_answer(publisher_id, account, 7))["decisions"][0]
    assert newest == {
        "ago_ms": round(ages[0] * 1000),
        "kind": "estimate",
        "facts": {"estimate": 99, "limited_by": "loss"},
    }


async def test_a_wish_reaches_the_subscriber_and_outlives_its_transport(
    service: RoomsService, worker: FakeWorker
) -> None:
    _, bob, publisher_id, subscriber = await watching(service)
    await bob.participant.subscriptions.set_layers(publisher_id, LayerWish(spatial=0, max_fps=15))
    wished = worker.core.wishes(subscriber)
    assert (wished["spatial"], wished["max_fps"]) == (0, 15)
    await bob.participant.subscriptions.set_layers(publisher_id, LayerWish(height=360))
    assert "spatial" not in worker.core.wishes(subscriber)
    await bob.participant.subscriptions.reset()
    await bob.answer_until({publisher_id})
    transport = bob.participant.subscriptions.transport
    assert transport is not None
    assert worker.core.wishes(transport.subscribers[0])["height"] == 360


async def test_nobody_learns_about_tracks_they_do_not_receive(service: RoomsService) -> None:
    ada, _, publisher_id, _ = await watching(service)
    with pytest.raises(NotFound):
        await ada.participant.subscriptions.explain(publisher_id)
    with pytest.raises(NotFound):
        await ada.participant.subscriptions.set_layers(publisher_id, LayerWish(spatial=0))


def test_an_account_says_what_the_statistics_say() -> None:
    subscriber = {
        "preferred_spatial": 2,
        "preferred_temporal": 2,
        "current_spatial": 0,
        "current_temporal": 1,
    }
    publisher: Statistics = {"codec": "video/VP8", "layer_0_1_bitrate": 150_000, "layer_0_1_frame_width": 320}
    account = account_of(subscriber, publisher, {"available_outgoing_bitrate": 300_000}, (), 0.0)
    assert (account.preferred, account.target, account.current) == (HIGH, None, LOW)
    assert (account.codec, account.estimate) == ("VP8", 300_000)
    [layer] = account.layers
    assert (layer.layer, layer.bitrate, layer.width, layer.height) == (LOW, 150_000, 320, None)


async def test_what_nobody_needs_is_told_to_its_sender_alone(
    service: RoomsService, worker: FakeWorker
) -> None:
    ada, bob, publisher_id, subscriber = await watching(service)
    wanted = (("low", True), ("mid", False))
    worker.core.want_layers(subscriber.publisher, *wanted)
    assert await ada.hear(e.LayersWanted) == e.LayersWanted(publisher_id, wanted, None)
    assert not any(isinstance(event, e.LayersWanted) for event in bob.joining.events._events)


async def test_the_worse_direction_counts_and_everybody_hears_it(
    service: RoomsService, worker: FakeWorker
) -> None:
    ada, bob, _, _ = await watching(service)
    sending, receiving = ada.participant.publications.transport, ada.participant.subscriptions.transport
    assert sending is not None
    assert receiving is not None
    worker.core.judge(sending, 80)
    for person in (ada, bob):
        assert await person.hear(e.QualityChanged) == e.QualityChanged(ada.id, 80)
    worker.core.judge(receiving, 30)
    assert (await bob.hear(e.QualityChanged)).score == 30
    worker.core.judge(sending, 20)
    assert (await bob.hear(e.QualityChanged)).score == 20
    eve = await Person.join(service, "Eve")
    assert await eve.hear(e.QualityChanged) == e.QualityChanged(ada.id, 20)


async def test_who_speaks_is_told_also_to_those_who_come_later(service: RoomsService) -> None:
    ada, bob, publisher_id, _ = await watching(service)
    router = ada.joining.room.router
    router._handle_event(
        media.ActiveSpeaker(router.id, ada.participant.publications.publisher(publisher_id).id)
    )
    assert await bob.hear(e.ActiveSpeaker) == e.ActiveSpeaker(publisher_id, ada.id)
    eve = await Person.join(service, "Eve")
    assert await eve.hear(e.ActiveSpeaker) == e.ActiveSpeaker(publisher_id, ada.id)
    router._handle_event(media.ActiveSpeaker(router.id, None))
    assert await eve.hear(e.ActiveSpeaker) == e.ActiveSpeaker(None, None)
    await eventually(lambda: ada.joining.room._speaker == e.ActiveSpeaker(None, None))


async def test_an_operator_gets_the_decisions_about_each_received_track(service: RoomsService) -> None:
    """What the core has noted, by publisher; nobody unknown is found."""
    _, bob, publisher_id, _ = await watching(service)
    participant = service.find_participant("r", bob.participant.id)
    told = await decisions(participant)
    assert list(told) == [publisher_id]
    assert [each.kind for each in told[publisher_id]] == ["gate"]
    with pytest.raises(NotFound):
        service.find_participant("r", "nobody")
