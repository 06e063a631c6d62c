"""Observers: who speaks and who is loud, of those one cares about."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable
from typing import TypeVar

import pytest

from headwater import ConfigurationError, Publisher, Router
from headwater.testing import FakeWorker, client_offer

T = TypeVar("T")


async def voices(router: Router) -> list[Publisher]:
    """Two people with microphones."""
    transport = await router.create_publish_transport()
    await transport.get_answer(client_offer(audio=["ada", "bob"]))
    return [await transport.publish("ada"), await transport.publish("bob")]


async def take(source: AsyncIterable[T], count: int) -> list[T]:
    """The next values."""
    found: list[T] = []
    async for item in source:
        found.append(item)
        if len(found) == count:
            break
    return found


async def test_active_speaker(router: Router, worker: FakeWorker) -> None:
    """Each change of speaker is told; of publishers that were not named nothing is."""
    ada, bob = await voices(router)
    async with router.create_active_speaker_observer() as everybody:
        only = router.create_active_speaker_observer()
        only.add_publisher(bob.id)
        for speaker in (ada, None, bob):
            worker.core.speak(router, speaker)
        assert await take(everybody, 2) == [ada, bob]
        assert await take(only, 1) == [bob]
        assert everybody.dominant_speaker is only.dominant_speaker is bob
        only.remove_publisher(bob.id)
        assert everybody.router is router
    assert everybody.closed
    assert await take(everybody, 1) == []
    await router.close()
    assert only.closed


async def test_audio_levels(router: Router, worker: FakeWorker) -> None:
    """The loudest are told with levels in dBov, and silence once."""
    ada, bob = await voices(router)
    observer = await router.create_audio_level_observer(max_entries=1, threshold=-60)
    for levels in ([(ada, 20), (bob, 40)], [(bob, 70)], [(bob, 80)], [(bob, 55)]):
        worker.core.sound(router, *levels)
    assert await take(observer, 3) == [((ada, -20),), (), ((bob, -55),)]
    await observer.close()
    await observer.close()


async def test_levels_are_told_while_somebody_wants_them(router: Router, worker: FakeWorker) -> None:
    """The last observer that closes switches the levels off; a slower one before it does not."""
    ada, _ = await voices(router)
    slow = await router.create_audio_level_observer(interval=2.0)
    fast = await router.create_audio_level_observer(interval=0.5)
    await fast.close()
    worker.core.sound(router, (ada, 10))
    async with asyncio.timeout(20):
        assert await take(slow, 1) == [((ada, -10),)]
    await slow.close()
    events = router.events()
    worker.core.sound(router, (ada, 10))
    worker.core.speak(router, ada)
    assert type(await anext(events)).__name__ == "ActiveSpeaker"


@pytest.mark.parametrize("wrong", [{"max_entries": 0}, {"threshold": 1}, {"interval": 0.0}])
async def test_wrong_values(router: Router, wrong: dict[str, float]) -> None:
    """A value out of its range is refused."""
    with pytest.raises(ConfigurationError):
        await router.create_audio_level_observer(**wrong)  # type: ignore[arg-type]
