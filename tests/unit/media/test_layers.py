"""Layers: wishes go down as a whole, changes come up as events."""

from __future__ import annotations

import pytest

from headwater import ConfigurationError, Layer, LayerChanged, Router, Subscriber
from headwater.testing import FakeWorker, client_offer


@pytest.fixture
async def subscriber(router: Router) -> Subscriber:
    publishing = await router.create_publish_transport()
    await publishing.get_answer(client_offer(video=["cam"]))
    publisher = await publishing.publish(publishing.tracks[0])
    watching = await router.create_subscribe_transport()
    subscriber, _offer = await watching.subscribe(publisher.id)
    return subscriber


async def test_the_last_wishes_count(worker: FakeWorker, subscriber: Subscriber) -> None:
    """A set of wishes replaces the one before; a preferred layer is a set of its own."""
    await subscriber.set_preferences(width=640, height=360, max_fps=15, priority=200, content="detail")
    assert worker.core.wishes(subscriber) == {
        "width": 640, "height": 360, "max_fps": 15, "priority": 200, "content": "detail",
    }  # fmt: skip
    await subscriber.set_preferred_layer(1)
    assert worker.core.wishes(subscriber) == {"spatial": 1, "priority": 128}
    await subscriber.set_preferred_layer(2, 0)
    assert worker.core.wishes(subscriber) == {"spatial": 2, "temporal": 0, "priority": 128}


async def test_impossible_wishes(subscriber: Subscriber) -> None:
    """What no layer can be is refused, with the range."""
    with pytest.raises(ConfigurationError, match="spatial is a number from 0 to 7, not 8"):
        await subscriber.set_preferred_layer(8)
    for wish in ({"temporal": -1}, {"width": 0}, {"max_fps": 0}, {"priority": 0}, {"priority": 256}):
        with pytest.raises(ConfigurationError):
            await subscriber.set_preferences(**wish)  # type: ignore[arg-type]


async def test_changes_are_told(worker: FakeWorker, subscriber: Subscriber) -> None:
    """The subscriber knows its layer, and whoever listens hears of each change."""
    events = subscriber.events()
    nothing_yet = subscriber.layer
    assert nothing_yet is None
    worker.core.change_layer(subscriber, (2, 1), "publisher")
    event = await anext(events)
    assert event == LayerChanged(subscriber.id, None, Layer(2, 1), "publisher", None)
    assert subscriber.layer == Layer(2, 1)
    worker.core.change_layer(subscriber, None, "bandwidth")
    await anext(events)
    assert subscriber.layer is None


async def test_content(subscriber: Subscriber) -> None:
    """A publisher says what it shows."""
    await subscriber.publisher.set_content("detail")
