"""A router on several media threads is one router to its users."""

from __future__ import annotations

import asyncio

from headwater.media.branch import thread_of
from headwater.testing import FakeWorker, client_offer


async def test_members_spread_and_find_each_other() -> None:
    """Whoever is on another thread subscribes by the same id, and the router knows them all."""
    async with FakeWorker(threads=3, spread=0, allow_several=True) as worker:
        router = await worker.create_router()
        publishing = await router.create_publish_transport()
        watching = [await router.create_subscribe_transport() for _ in range(5)]
        threads = [thread_of(transport._handle) for transport in (publishing, *watching)]
        assert sorted(threads) == [0, 0, 1, 1, 2, 2]
        assert worker.core.commands.count("create_branch") == 2
        await publishing.get_answer(client_offer(video="camera"))
        publisher = await publishing.publish("camera")
        for transport in watching:
            subscriber, _ = await transport.subscribe("camera")
            assert subscriber.publisher is publisher
            assert thread_of(subscriber._handle) == thread_of(transport._handle)
        assert len(publisher.subscribers) == 5
        assert (await router.get_stats())["threads"] == 3


async def test_members_who_come_at_once_spread_too() -> None:
    """Transports under way count for the next one."""
    async with FakeWorker(threads=2, spread=10, allow_several=True) as worker:
        router = await worker.create_router()
        made = await asyncio.gather(*(router.create_subscribe_transport() for _ in range(20)))
        threads = [thread_of(transport._handle) for transport in made]
        assert [threads.count(0), threads.count(1)] == [10, 10]


async def test_closing_the_router_closes_its_branches() -> None:
    """Nothing of it is left on any thread."""
    async with FakeWorker(threads=2, spread=0, allow_several=True) as worker:
        router = await worker.create_router()
        transports = [await router.create_subscribe_transport() for _ in range(4)]
        await router.close()
        assert worker.core.objects == 0
        assert {transport.close_reason for transport in transports} == {"parent"}
        await router.close()


async def test_a_lost_branch_leaves_the_room_open() -> None:
    """What was on that thread closes; the next member there opens a new branch."""
    async with FakeWorker(threads=2, spread=0, allow_several=True) as worker:
        router = await worker.create_router()
        first = await router.create_subscribe_transport()
        second = await router.create_subscribe_transport()
        near, far = sorted((first, second), key=lambda transport: thread_of(transport._handle))
        worker.core.lose_thread(1)
        assert await far.wait_closed() == "parent"
        assert not router.closed
        assert not near.closed
        again = await router.create_subscribe_transport()
        assert thread_of(again._handle) == 1
        assert worker.core.commands.count("create_branch") == 2


async def test_losing_the_home_closes_the_room() -> None:
    """A room without its home is over, on the other threads as well."""
    async with FakeWorker(threads=2, spread=0, allow_several=True) as worker:
        router = await worker.create_router()
        for _ in range(2):
            await router.create_subscribe_transport()
        worker.core.lose_thread(0)
        assert await router.wait_closed() == "panic"
        await worker.core.asked("close_router")
        assert worker.core.objects == 0
