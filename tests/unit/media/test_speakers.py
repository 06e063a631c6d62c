"""Who speaks and how loud: told to the router, by the ids of its publishers."""

from __future__ import annotations

import pytest

from headwater import (
    ActiveSpeaker,
    AudioLevels,
    Closed,
    ConfigurationError,
    Publisher,
    PublisherNotFound,
    PublishTransport,
    Router,
    SlotChanged,
)
from headwater.testing import FakeWorker, client_offer


@pytest.fixture
async def voices(router: Router) -> tuple[Publisher, Publisher]:
    transport = await router.create_publish_transport()
    await transport.get_answer(client_offer(audio=["ada", "bob"]))
    ada, bob = [await transport.publish(track) for track in transport.tracks]
    return ada, bob


async def test_the_router_knows_who_speaks(
    worker: FakeWorker, router: Router, voices: tuple[Publisher, Publisher]
) -> None:
    """The newest speaker is an attribute, and each change an event."""
    ada, bob = voices
    events = router.events()
    before = router.active_speaker
    assert before is None
    worker.core.speak(router, ada)
    assert await anext(events) == ActiveSpeaker(router.id, ada.id)
    worker.core.speak(router, bob)
    assert await anext(events) == ActiveSpeaker(router.id, bob.id)
    assert router.active_speaker == bob.id
    worker.core.speak(router, None)
    assert await anext(events) == ActiveSpeaker(router.id, None)
    assert router.active_speaker is None


async def test_a_slow_listener_gets_the_newest_speaker(
    worker: FakeWorker, router: Router, voices: tuple[Publisher, Publisher]
) -> None:
    """Speakers are state: what is dropped has a newer one behind it."""
    events = router.events(capacity=1)
    other = router.events()
    for speaker in (*voices, None, voices[0]):
        worker.core.speak(router, speaker)
    for _ in range(4):
        await anext(other)
    assert await anext(events) == ActiveSpeaker(router.id, voices[0].id)


async def test_levels_are_told_when_asked_for(
    worker: FakeWorker, router: Router, voices: tuple[Publisher, Publisher]
) -> None:
    """The loudest first; a publisher that has closed meanwhile is left out."""
    ada, bob = voices
    events = router.events()
    worker.core.sound(router, (ada, 20))
    await router.set_audio_levels(0.25)
    worker.core.hold()
    worker.core.sound(router, (bob, 18), (ada, 30))
    worker.core.release()
    assert await anext(events) == AudioLevels(router.id, ((bob.id, 18), (ada.id, 30)))
    assert router.audio_levels == ((bob.id, 18), (ada.id, 30))
    await router.set_audio_levels(None)
    left = len(router.audio_levels)
    assert left == 0


async def test_impossible_intervals(router: Router) -> None:
    """An interval is a time; a closed router has no voices."""
    for interval in (0, -1, 90_000):
        with pytest.raises(ConfigurationError, match="interval"):
            await router.set_audio_levels(interval)
    await router.close()
    with pytest.raises(Closed):
        await router.set_audio_levels(0.5)


async def test_a_slot_carries_one_after_the_other(
    worker: FakeWorker, router: Router, voices: tuple[Publisher, Publisher]
) -> None:
    """One offer, then only events; a closed publisher leaves the slot empty."""
    ada, bob = voices
    transport = await router.create_subscribe_transport()
    assert isinstance(ada.transport, PublishTransport)
    slots, offer = await transport.open_slots("audio", 2, own=ada.transport)
    assert "m=audio" in offer
    await transport.set_answer(offer)
    slot, other = slots
    assert transport.slots == (slot, other)
    assert slot.mid != other.mid
    assert slot.kind == "audio"
    events = transport.events()
    worker.core.fill_slot(slot, ada)
    assert await anext(events) == SlotChanged(slot.id, ada.id)
    assert slot.publisher_id == ada.id
    await slot.switch_to(bob.id)
    assert await anext(events) == SlotChanged(slot.id, bob.id)
    await slot.follow_loudest()
    worker.core.fill_slot(slot, None)
    assert await anext(events) == SlotChanged(slot.id, None)
    carried = transport.slots[0].publisher_id
    assert carried is None
    await transport.set_own(None)
    assert not transport.negotiation_needed


async def test_impossible_slots(router: Router, voices: tuple[Publisher, Publisher]) -> None:
    """There are 1 to 64 of them, and they carry what there is."""
    transport = await router.create_subscribe_transport()
    for count in (0, 65):
        with pytest.raises(ConfigurationError, match="count"):
            await transport.open_slots("audio", count)
    (slot,), _offer = await transport.open_slots("audio", 1)
    with pytest.raises(PublisherNotFound):
        await slot.switch_to("pub_nobody")
    await slot.close()
    with pytest.raises(Closed):
        await slot.switch_to(None)
