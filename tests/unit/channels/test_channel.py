"""One channel: who may broadcast, what viewers are told, and what remains when it is over."""

from __future__ import annotations

import asyncio
from typing import TypeVar

import pytest

from headwater.channels import (
    Channel,
    ChannelEvent,
    Channels,
    ChannelState,
    PublisherClosed,
    PublisherOpened,
    ViewerCount,
)
from headwater.cluster import Endpoints
from headwater.errors import ChannelBusy, ChannelEnded, ChannelNotLive, LimitReached
from headwater.media.events import EventStream
from headwater.testing import FakeWorker, client_offer
from tests.unit.channels.support import endpoint, go_live, send, watch

E = TypeVar("E", bound=ChannelEvent)
DEADLINE = 30.0


async def hear(stream: EventStream[ChannelEvent], kind: type[E]) -> E:
    """The next event of a kind."""
    async with asyncio.timeout(DEADLINE):
        async for event in stream:
            if isinstance(event, kind):
                return event
    raise AssertionError(f"the stream ended without {kind.__name__}")


async def live(channel: Channel) -> None:
    """Wait until the channel is live."""
    stream = channel.events()
    if channel.state != "live":
        assert (await hear(stream, ChannelState)).state == "live"


async def test_a_channel_is_live_with_the_first_track(channels: Channels) -> None:
    """Coming alone shows nobody anything; the first track does, and its router has the channel's id."""
    channel = channels.open("ada")
    stream = channel.events()
    with pytest.raises(ChannelNotLive):
        _ = channel.router
    broadcast = await channel.go_live(endpoint(channels, channel))
    assert (channel.state, str(channel.router.id)) == ("idle", str(channel.id))
    await send(broadcast)
    assert (await hear(stream, ChannelState)).state == "live"
    assert {(await hear(stream, PublisherOpened)).kind for _ in range(2)} == {"audio", "video"}
    assert set(channel.publishers) == set(channel.router.publisher_ids)
    assert channel.record.went_live_at is not None


async def test_a_second_broadcaster_is_refused(channels: Channels) -> None:
    """One sends, also when two come at the same moment."""
    channel = channels.open("ada")
    both = await asyncio.gather(
        *(channel.go_live(endpoint(channels, channel, name)) for name in ("ada", "eve")),
        return_exceptions=True,
    )
    assert [type(outcome).__name__ for outcome in both] == ["Broadcast", "ChannelBusy"]
    with pytest.raises(ChannelBusy):
        await channel.go_live(endpoint(channels, channel, "mallory"))


async def test_a_silent_broadcaster_makes_way(channels: Channels, worker: FakeWorker) -> None:
    """One of whom nothing is heard does not keep the next one out; the router and its viewers stay."""
    channel = channels.open("ada")
    first = await go_live(channels, channel)
    viewer = watch(channels, channel)
    router = channel.router
    first.silent = True
    await go_live(channels, channel, "ada again")
    assert await first.wait_closed() == "replaced"
    assert channel.router is router
    assert (len(router.publisher_ids), viewer.closed) == (2, False)


async def test_when_the_broadcaster_leaves_nothing_stays(
    channels: Channels, worker: FakeWorker, endpoints: Endpoints
) -> None:
    """Router, transports, publishers, viewers and connections are gone, and the channel is over."""
    channel = channels.open("ada")
    broadcast = await go_live(channels, channel)
    await live(channel)
    viewers = [watch(channels, channel, name) for name in ("bob", "eve")]
    for viewer in viewers:
        viewer.own(await channel.router.create_subscribe_transport())
    stream = channel.events()
    await broadcast.close()
    assert [await viewer.wait_closed() for viewer in viewers] == ["ended", "ended"]
    assert (await hear(stream, ChannelState)).state == "ended"
    assert (worker.routers, worker.core.objects, len(endpoints)) == ((), 0, 0)
    assert (channel.state, channel.over, channel.publishers, channel.viewer_count) == ("ended", True, {}, 0)
    with pytest.raises(ChannelEnded):
        await channel.go_live(endpoint(channels, channel))
    with pytest.raises(ChannelEnded):
        watch(channels, channel)


async def test_a_lost_broadcaster_may_come_back(channels: Channels, worker: FakeWorker) -> None:
    """Within the grace period viewers stay where they are and are fed again."""
    channel = channels.open("ada")
    broadcast = await go_live(channels, channel)
    await live(channel)
    viewer, router, stream = watch(channels, channel), channel.router, channel.events()
    await broadcast.close("lost")
    assert (await hear(stream, PublisherClosed)).channel_id == channel.id
    assert (channel.state, channel.broadcast, viewer.closed) == ("live", None, False)
    await go_live(channels, channel)
    assert (await hear(stream, PublisherOpened)).kind == "audio"
    await asyncio.sleep(channel.options.limits.broadcast_grace_seconds * 2)
    assert (channel.router, channel.state, viewer.closed) == (router, "live", False)


async def test_a_lost_broadcaster_that_stays_away_ends_it(channels: Channels, worker: FakeWorker) -> None:
    """After the grace period all is as if it had said goodbye."""
    channel = channels.open("ada")
    broadcast = await go_live(channels, channel)
    await live(channel)
    viewer = watch(channels, channel)
    await broadcast.close("lost")
    async with asyncio.timeout(DEADLINE):
        assert await viewer.wait_closed() == "ended"
    async with channel._turn:
        assert (channel.state, channel.over, worker.core.objects) == ("ended", True, 0)


async def test_a_reusable_channel_goes_live_again(channels: Channels) -> None:
    """One with a name of its owner's has as many broadcasts as it likes; each is dated anew."""
    channel = channels.open("ada", slug="friday-show")
    broadcast = await go_live(channels, channel)
    await live(channel)
    began = channel.record.went_live_at
    await broadcast.close()
    assert (channel.state, channel.over, channel.record.ended_at is None) == ("ended", False, False)
    await go_live(channels, channel)
    await live(channel)
    assert channel.record.ended_at is None
    assert began is not None
    assert channel.record.went_live_at is not None
    assert channel.record.went_live_at > began


async def test_a_broadcaster_that_never_sends_leaves_a_reusable_channel_idle(channels: Channels) -> None:
    """Nothing was shown, so nothing has ended; who waits for the show goes on waiting."""
    channel = channels.open("ada", slug="friday-show")
    viewer = watch(channels, channel)
    broadcast = await channel.go_live(endpoint(channels, channel))
    await broadcast.close("lost")
    assert (channel.state, viewer.closed) == ("idle", False)
    with pytest.raises(ChannelNotLive):
        _ = channel.router


async def test_ending_a_channel_sends_everybody_away(channels: Channels, worker: FakeWorker) -> None:
    """The owner's word is final, and streams of events end with it."""
    channel = channels.open("ada", slug="friday-show")
    broadcast, viewer, stream = await go_live(channels, channel), watch(channels, channel), channel.events()
    await channels.end(channel.id)
    assert (await broadcast.wait_closed(), await viewer.wait_closed()) == ("ended", "ended")
    async with asyncio.timeout(DEADLINE):
        told = [event async for event in stream]
    assert isinstance(told[-1], ChannelState)
    assert (told[-1].state, channel.over, worker.core.objects) == ("ended", True, 0)
    await channel.end()


async def test_viewers_are_counted(channels: Channels, endpoints: Endpoints) -> None:
    """The number is told at once, then not for every single one; the peak is kept."""
    channel = channels.open("ada", slug="friday-show")
    stream = channel.events()
    broadcast = await go_live(channels, channel)
    await live(channel)
    viewers = [watch(channels, channel, f"v{number}") for number in range(3)]
    with pytest.raises(LimitReached):
        watch(channels, channel, "one more")
    assert (await hear(stream, ViewerCount)).count == 1
    await viewers[0].close()
    await viewers[0].close()
    assert channel.viewer_count == 2
    assert (await hear(stream, ViewerCount)).count == 2  # a second later, and only the newest
    await broadcast.close()
    assert channel.record.peak_viewers == 3


async def test_an_attendant_lives_as_long_as_the_show(worker: FakeWorker, endpoints: Endpoints) -> None:
    """It starts with the first track, stays over a lost connection, and ends before the router does."""
    seen: list[str] = []

    async def attend(channel: Channel) -> None:
        seen.append(f"begins {channel.state}")
        try:
            await asyncio.Event().wait()
        finally:
            seen.append(f"ends {channel.router.closed}")

    channels = Channels(worker=worker, endpoints=endpoints, attendants=[attend])
    channel = channels.open("ada")
    broadcast = await channel.go_live(endpoint(channels, channel))
    assert seen == []
    await send(broadcast)
    await live(channel)
    await broadcast.close("lost")
    broadcast = await go_live(channels, channel)
    assert seen == ["begins live"]
    await broadcast.close()
    assert seen == ["begins live", "ends False"]
    await channels.close()


async def test_a_bug_in_the_media_ends_the_broadcast_alone(channels: Channels, worker: FakeWorker) -> None:
    """A router that is lost to a panic takes its channel off the air; the next broadcast gets a new one."""
    channel = channels.open("ada", slug="friday-show")
    broadcast = await go_live(channels, channel)
    await live(channel)
    worker.core.lose_thread(0)
    async with asyncio.timeout(DEADLINE):
        assert await broadcast.wait_closed() == "failed"
    await go_live(channels, channel)
    await live(channel)


async def test_lost_events_are_made_up_for(channels: Channels, worker: FakeWorker) -> None:
    """A router that tells too much at once does not leave the channel with a wrong list of tracks."""
    channel = channels.open("ada")
    broadcast = await channel.go_live(endpoint(channels, channel))
    transport = await channel.router.create_publish_transport()
    subscribing = await channel.router.create_subscribe_transport()
    await transport.get_answer(client_offer(audio="mic"))
    publisher = await transport.publish("mic")
    subscriber, _ = await subscribing.subscribe(publisher.id)
    for _ in range(3000):
        worker.core.change_layer(subscriber, (0, 0))
    await asyncio.sleep(0.05)
    await publisher.close()
    for _ in range(3000):
        worker.core.change_layer(subscriber, (0, 0))
    async with asyncio.timeout(DEADLINE):
        while channel.publishers:  # noqa: ASYNC110  # told by no single event
            await asyncio.sleep(0.01)
    await broadcast.close()
