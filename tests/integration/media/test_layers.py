"""A subscriber's layer, from real packets up to the object."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from headwater import ConfigurationError, Layer, LayerChanged, Router
from tests.integration.media.test_calls import publish
from tests.support.peer import Camera, Peer


async def test_a_camera_without_layers(router: Router, peer: Callable[[], Peer]) -> None:
    """The only layer there is starts, is told, and stays whatever is preferred."""
    alice, bob = peer(), peer()
    (publisher,) = await publish(router, alice, Camera(90))
    transport = await router.create_subscribe_transport()
    subscriber, offer = await transport.subscribe(publisher)
    events = subscriber.events()
    await bob.answer(transport, offer)
    async with asyncio.timeout(30):
        event = await anext(event async for event in events if isinstance(event, LayerChanged))
    assert event == LayerChanged(subscriber.id, None, Layer(0, 0), "start", event.estimate)
    assert subscriber.layer == Layer(0, 0)
    await subscriber.set_preferred_layer(2, 1)
    await subscriber.set_preferences(width=160, max_fps=5, priority=255, content="motion")
    await subscriber.publisher.set_content("detail")
    assert subscriber.mid is not None
    await bob.received(subscriber.mid, 5)
    stats = await subscriber.get_stats()
    assert (stats["current_spatial"], stats["target_spatial"], stats["preferred_spatial"]) == (0, 0, 0)
    with pytest.raises(ConfigurationError):
        await subscriber.set_preferred_layer(9)


async def test_a_ceiling_of_bitrate(router: Router, peer: Callable[[], Peer]) -> None:
    """What is above a transport's ceiling is given up for bandwidth, and comes back without one."""
    alice, bob = peer(), peer()
    (publisher,) = await publish(router, alice, Camera(90))
    for wrong in (0, -1, 1 << 63):
        with pytest.raises(ConfigurationError):
            await router.create_subscribe_transport(max_bitrate=wrong)
    transport = await router.create_subscribe_transport(max_bitrate=20_000_000)
    subscriber, offer = await transport.subscribe(publisher)
    changes = (event async for event in subscriber.events() if isinstance(event, LayerChanged))
    await bob.answer(transport, offer)
    async with asyncio.timeout(45):
        assert (await anext(changes)).after == Layer(0, 0)
        await transport.set_max_bitrate(1_000)
        change = await anext(changes)
        assert (change.after, change.reason) == (None, "bandwidth")
        await transport.set_max_bitrate(None)
        assert (await anext(changes)).after == Layer(0, 0)
    with pytest.raises(ConfigurationError):
        await transport.set_max_bitrate(0)
