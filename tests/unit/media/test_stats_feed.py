"""The statistics of everything, one sample after the other."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from headwater import ConfigurationError, PublishTransport, Router
from headwater.testing import FakeWorker, client_offer


async def crowd(router: Router, count: int) -> list[PublishTransport]:
    """So many transports."""
    return [await router.create_publish_transport() for _ in range(count)]


def asked(worker: FakeWorker) -> int:
    """How many statistics the core was asked for."""
    return worker.core.commands.count("get_stats")


async def test_every_object_is_told_once_in_a_round_parents_first(worker: FakeWorker, router: Router) -> None:
    """The Worker, then each router with what hangs on it; who comes later is in the next round."""
    [transport] = await crowd(router, 1)
    await transport.get_answer(client_offer(video=["cam"]))
    publisher = await transport.publish(transport.tracks[0])
    feed = worker.stats_feed(0.001)
    round_ = [await anext(feed) for _ in range(4)]
    assert [(each.kind, each.id) for each in round_] == [
        ("worker", "worker"), ("router", router.id), ("transport", transport.id), ("publisher", publisher.id),
    ]  # fmt: skip
    assert all(each.values for each in round_)
    watching = await router.create_subscribe_transport()
    assert watching.id in {(await anext(feed)).id for _ in range(5)}


async def test_only_the_wanted_kinds_are_asked(worker: FakeWorker, router: Router) -> None:
    """Nobody pays for what is not read."""
    transports = await crowd(router, 3)
    feed = worker.stats_feed(0.001, kinds=["transport"])
    assert [(await anext(feed)).id for _ in range(3)] == [each.id for each in transports]
    assert asked(worker) == 3


async def test_a_slow_reader_gets_new_samples_and_the_count_of_those_it_missed(
    worker: FakeWorker, router: Router
) -> None:
    """What was due while it did something else was not asked for, and is not kept."""
    await crowd(router, 1)
    feed = worker.stats_feed(0.01, kinds=["transport"])
    await anext(feed)
    assert feed.lost == 0
    for _ in range(2):
        end = asyncio.get_running_loop().time() + 0.1
        while asyncio.get_running_loop().time() < end:  # noqa: ASYNC110  # it is busy elsewhere
            await asyncio.sleep(0.02)
        before = asked(worker)
        await anext(feed)
        assert asked(worker) == before + 1
    assert feed.lost >= 2 * 8


async def test_few_are_asked_at_once(worker: FakeWorker, router: Router) -> None:
    """However many there are, so many wait in the feed; the next are asked for when those were read."""
    await crowd(router, 100)
    feed = worker.stats_feed(3600, kinds=["transport"])
    await anext(feed)
    assert asked(worker) == 32
    for _ in range(31):
        await anext(feed)
    assert asked(worker) == 32
    await anext(feed)
    assert asked(worker) == 64


async def test_what_closes_before_its_turn_has_no_sample(worker: FakeWorker, router: Router) -> None:
    """It is left out, and the others come."""
    transports = await crowd(router, 40)
    feed = worker.stats_feed(3600, kinds=["transport"])
    seen = Counter([(await anext(feed)).id])
    await transports[-1].close()
    seen.update([(await anext(feed)).id for _ in range(38)])
    assert seen == Counter(each.id for each in transports[:-1])


async def test_a_feed_ends_with_its_worker(worker: FakeWorker, router: Router) -> None:
    """Also while it waits for the next round."""
    first = asyncio.Event()

    async def follow() -> int:
        count = 0
        async for _ in worker.stats_feed(3600):
            count += 1
            if count == 2:
                first.set()
        return count

    following = asyncio.create_task(follow())
    await first.wait()
    await worker.close()
    assert await asyncio.wait_for(following, 20) == 2


@pytest.mark.parametrize("interval", [0, -1])
async def test_an_interval_is_above_zero(worker: FakeWorker, interval: float) -> None:
    """Else nobody else would get a turn."""
    with pytest.raises(ConfigurationError):
        worker.stats_feed(interval)
