"""Statistics again and again, and scores in words."""

from __future__ import annotations

import asyncio

import pytest

from headwater import ConnectionQuality, Router
from headwater.ids import TransportId
from headwater.testing import FakeWorker


async def test_a_stream_of_samples_ends_with_its_object(router: Router) -> None:
    transport = await router.create_publish_transport()
    samples = 0
    async with asyncio.timeout(20):
        async for sample in transport.stats_stream(0.001):
            assert sample
            samples += 1
            if samples == 3:
                await transport.close()
    assert samples == 3
    assert [sample async for sample in transport.stats_stream()] == []


async def test_a_waiting_stream_does_not_outlive_its_object(worker: FakeWorker, router: Router) -> None:
    transport = await router.create_publish_transport()
    first = asyncio.Event()

    async def follow() -> int:
        count = 0
        async for _ in transport.stats_stream(3600):
            first.set()
            count += 1
        return count

    following = asyncio.create_task(follow())
    await first.wait()
    worker.core.hang_up(transport)
    assert await asyncio.wait_for(following, 20) == 1


@pytest.mark.parametrize(
    ("score", "word"),
    [
        (100, "excellent"),
        (70, "excellent"),
        (69, "good"),
        (40, "good"),
        (39, "poor"),
        (1, "poor"),
        (0, "lost"),
    ],
)
def test_a_score_in_a_word(score: int, word: str) -> None:
    assert ConnectionQuality(TransportId("t"), score).level == word
