"""Slots with real media: few m-lines for many microphones, and no offer but the first."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from headwater import ActiveSpeaker, PublishTransport, Router, SlotChanged
from tests.support.peer import Microphone, Peer


async def test_slots_carry_who_makes_sound(router: Router, peer: Callable[[], Peer]) -> None:
    """Of three microphones two are heard, on whichever media thread they arrive; then the chosen one.

    The clients here tell no levels: whoever sends more than silence counts as a voice.
    """
    events = router.events()
    publishers = []
    for _ in range(3):
        transport, microphone = await router.create_publish_transport(), Microphone()
        await peer().publish(transport, microphone)
        publishers.append(await transport.publish(microphone.id))
    own = publishers[0].transport
    assert isinstance(own, PublishTransport)
    watching, bob = await router.create_subscribe_transport(), peer()
    slots, offer = await watching.open_slots("audio", 2, own=own)
    await bob.answer(watching, offer)
    for slot in slots:
        assert slot.mid is not None
        await bob.received(slot.mid, 10)
        assert abs(bob.last[slot.mid].to_ndarray().astype(int)).max() > 1000
    assert {slot.publisher_id for slot in slots} == {publishers[1].id, publishers[2].id}

    slot = slots[0]
    assert slot.mid is not None
    await slot.switch_to(publishers[0].id)
    await bob.received(slot.mid, 30)
    assert slot.publisher_id == publishers[0].id
    assert not watching.negotiation_needed
    packets = (await slot.get_stats())["packets_sent"]
    assert isinstance(packets, int)
    assert packets > 30

    changes = slot.events()
    await publishers[0].close()
    assert await anext(changes) == SlotChanged(slot.id, None)
    async with asyncio.timeout(30):
        async for event in events:
            if isinstance(event, ActiveSpeaker) and event.publisher_id is not None:
                break
