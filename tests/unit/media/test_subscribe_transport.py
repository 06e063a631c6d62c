"""Subscribing: one offer at a time, by publisher or track id, and slots for WHEP."""

from __future__ import annotations

import asyncio
import inspect

import pytest

from headwater import (
    AmbiguousTrack,
    Closed,
    InvalidSdp,
    NegotiationNeeded,
    NegotiationTimeout,
    NoOffer,
    PauseChanged,
    Publisher,
    PublisherNotFound,
    PublishTransport,
    Router,
    SubscribeTransport,
    UnsupportedCodec,
)
from headwater.protocols.sdp import parse_sdp
from headwater.testing import FakeWorker, client_offer

ANSWER = "v=0\r\n"


@pytest.fixture
async def publishers(router: Router) -> list[Publisher]:
    publishing = await router.create_publish_transport()
    await publishing.get_answer(client_offer(audio="mic", video=["cam", "screen"]))
    return [await publishing.publish(track) for track in publishing.tracks]


@pytest.fixture
async def watching(router: Router, publishers: list[Publisher]) -> SubscribeTransport:
    return await router.create_subscribe_transport()


def m_lines(offer: str) -> list[str]:
    return [media.kind for media in parse_sdp(offer).media]


async def test_subscribe_and_answer(watching: SubscribeTransport, publishers: list[Publisher]) -> None:
    """An offer opens with subscribe and closes with the answer; the subscriber knows its m-line."""
    camera = publishers[1]
    subscriber, offer = await watching.subscribe(camera.id)
    assert watching.signaling_state == "have-local-offer"
    assert watching.local_description == offer
    assert m_lines(offer) == ["application", "video"]
    assert (subscriber.mid, subscriber.publisher_id, subscriber.kind) == ("1", camera.id, "video")
    assert camera.subscribers == (subscriber,)
    assert watching.subscribers == (subscriber,)
    await watching.set_answer(ANSWER)
    assert (watching.signaling_state, watching.remote_description) == ("stable", ANSWER)


async def test_subscribe_by_track_id(watching: SubscribeTransport, router: Router) -> None:
    """A track id works while it is unique in the router."""
    subscriber, _ = await watching.subscribe("cam")
    await watching.set_answer(ANSWER)
    other = await router.create_publish_transport()
    await other.get_answer(client_offer(video="cam"))
    twin = await other.publish("cam")
    with pytest.raises(AmbiguousTrack, match="2 publishers"):
        await watching.subscribe("cam")
    await subscriber.publisher.close()
    again, _ = await watching.subscribe("cam")
    assert again.publisher is twin


async def test_unknown_publisher(watching: SubscribeTransport, router: Router) -> None:
    """Unknown ids are refused at once, also when an offer is open, and change nothing."""
    await watching.create_offer()
    for call in (watching.subscribe("pub_x"), watching.subscribe_data("dpb_x"), watching.attach("pub_x")):
        with pytest.raises(PublisherNotFound):
            await call
    await watching.set_answer(ANSWER)
    assert await watching.create_offer()


async def test_subscribe_many_makes_one_offer(
    watching: SubscribeTransport, publishers: list[Publisher], worker: FakeWorker
) -> None:
    """Several publishers go into one offer; one wrong id and none is subscribed."""
    with pytest.raises(PublisherNotFound):
        await watching.subscribe_many([publishers[0].id, "pub_x"])
    subscribers, offer = await watching.subscribe_many([item.id for item in publishers])
    assert m_lines(offer) == ["application", "audio", "video", "video"]
    assert [item.mid for item in subscribers] == ["1", "2", "3"]
    assert worker.core.commands.count("subscribe") == 1


async def test_negotiation_is_serial(watching: SubscribeTransport, publishers: list[Publisher]) -> None:
    """While an offer is open the next ones wait their turn, first come, first served."""
    _, first = await watching.subscribe(publishers[0].id)
    order: list[str] = []

    async def later(name: str, publisher: Publisher) -> str:
        _, offer = await watching.subscribe(publisher.id)
        order.append(name)
        return offer

    tasks = [
        asyncio.ensure_future(later("second", publishers[1])),
        asyncio.ensure_future(later("third", publishers[2])),
    ]
    await watching.get_stats()
    assert order == []
    await watching.set_answer(ANSWER)
    second = await tasks[0]
    assert order == ["second"]
    await watching.set_answer(ANSWER)
    third = await tasks[1]
    assert [len(m_lines(offer)) for offer in (first, second, third)] == [2, 3, 4]


async def test_everything_that_offers_waits(
    watching: SubscribeTransport, publishers: list[Publisher]
) -> None:
    """create_offer, restart_ice, subscribe_many and subscribe_data wait like subscribe."""
    transport = publishers[0].transport
    assert isinstance(transport, PublishTransport)
    data = await transport.publish_data("chat")
    await watching.create_offer()
    calls = [
        asyncio.ensure_future(call)
        for call in (
            watching.create_offer(),
            watching.restart_ice(),
            watching.subscribe_many([publishers[0].id]),
            watching.subscribe_data(data.id),
        )
    ]
    for waiting in calls:
        await watching.get_stats()
        assert not waiting.done()
        await watching.set_answer(ANSWER)
        await waiting
    assert watching.signaling_state == "stable"  # data needs no offer on a connection that has the m-line


async def test_an_unanswered_offer_is_waited_for_ten_seconds(router: Router) -> None:
    """Unless somebody says otherwise; the number reaches what waits."""
    default = inspect.signature(Router.create_subscribe_transport).parameters["negotiation_timeout"].default
    assert default == 10.0
    loop = asyncio.get_running_loop()
    watching = await router.create_subscribe_transport()
    await watching.create_offer()
    asked: list[float | None] = []

    def timeout(seconds: float | None) -> asyncio.Timeout:
        asked.append(seconds)
        return asyncio.Timeout(loop.time())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("headwater.media.negotiation.asyncio.timeout", timeout)
        with pytest.raises(NegotiationTimeout, match="within 10 s"):
            await watching.create_offer()
    assert asked == [10.0]


async def test_timeout_and_late_answer(router: Router, publishers: list[Publisher]) -> None:
    """Waiting ends with NegotiationTimeout; the open offer can still be answered."""
    watching = await router.create_subscribe_transport(negotiation_timeout=0.01)
    await watching.create_offer()
    for call in (watching.subscribe("mic"), watching.create_offer()):
        with pytest.raises(NegotiationTimeout, match=r"0\.01 s"):
            await call
    assert watching.signaling_state == "have-local-offer"
    assert watching.subscribers == ()
    await watching.set_answer(ANSWER)
    assert await watching.subscribe("mic")


async def test_rollback(watching: SubscribeTransport, publishers: list[Publisher]) -> None:
    """A rolled back offer is gone; its subscribers stay and the next offer carries them."""
    subscriber, _ = await watching.subscribe(publishers[0].id)
    waiting = asyncio.ensure_future(watching.subscribe(publishers[1].id))
    await watching.get_stats()
    assert not waiting.done()
    await watching.rollback()
    _, offer = await waiting
    assert m_lines(offer) == ["application", "audio", "video"]
    await watching.rollback()
    assert (watching.signaling_state, watching.negotiation_needed) == ("stable", True)
    assert not subscriber.closed
    with pytest.raises(NoOffer):
        await watching.rollback()


async def test_answer_without_offer(watching: SubscribeTransport) -> None:
    """An answer needs an open offer, once."""
    with pytest.raises(NoOffer):
        await watching.set_answer(ANSWER)
    await watching.create_offer()
    first, second = await asyncio.gather(
        watching.set_answer(ANSWER), watching.set_answer(ANSWER), return_exceptions=True
    )
    assert first is None
    assert isinstance(second, NoOffer)


async def test_bad_answer_takes_the_offer_back(watching: SubscribeTransport) -> None:
    """An answer that is no SDP ends the offer; the next one carries what it carried."""
    subscriber, _ = await watching.subscribe("cam")
    with pytest.raises(InvalidSdp):
        await watching.set_answer("hello")
    assert m_lines(await watching.create_offer()) == ["application", "video"]
    await watching.set_answer(ANSWER)
    assert watching.subscribers == (subscriber,)


async def test_cancelled_waiter_passes_the_turn_on(watching: SubscribeTransport) -> None:
    """A caller that is cancelled while it waits does not block those behind it."""
    await watching.create_offer()
    first = asyncio.ensure_future(watching.subscribe("mic"))
    second = asyncio.ensure_future(watching.subscribe("cam"))
    await watching.get_stats()
    first.cancel()
    await watching.set_answer(ANSWER)
    await asyncio.wait_for(second, 20)
    assert [item.publisher.track_id for item in watching.subscribers] == ["cam"]


async def test_turn_given_and_cancelled_at_once(watching: SubscribeTransport) -> None:
    """A turn given to a caller in the moment of its cancellation goes to the next."""
    await watching.create_offer()
    first = asyncio.ensure_future(watching.subscribe("mic"))
    second = asyncio.ensure_future(watching.subscribe("cam"))
    await watching.get_stats()
    watching._negotiation.take()
    watching._negotiation.settled()  # gives the turn to `first`, which has not run yet
    first.cancel()
    watching._seam.notify(watching._seam.native.rollback_offer(watching._handle))
    subscriber, _ = await asyncio.wait_for(second, 20)
    assert subscriber.publisher.track_id == "cam"


async def test_close_wakes_waiters(watching: SubscribeTransport) -> None:
    """Whoever waits for a turn when the transport closes is told."""
    await watching.create_offer()
    waiting = asyncio.ensure_future(watching.subscribe("mic"))
    await watching.get_stats()
    await watching.close()
    with pytest.raises(Closed):
        await waiting


async def test_publisher_closes_while_waiting(
    watching: SubscribeTransport, publishers: list[Publisher]
) -> None:
    """A publisher that closes while a subscribe waits for its turn is not found any more."""
    await watching.create_offer()
    waiting = asyncio.ensure_future(watching.subscribe(publishers[0].id))
    await watching.get_stats()
    await publishers[0].close()
    await watching.set_answer(ANSWER)
    with pytest.raises(PublisherNotFound):
        await waiting
    assert await asyncio.wait_for(watching.create_offer(), 20)


async def test_closing_a_subscriber_needs_an_offer(watching: SubscribeTransport) -> None:
    """A closed subscriber is told as NegotiationNeeded, and its m-line is used again."""
    subscriber, offer = await watching.subscribe("cam")
    await watching.set_answer(ANSWER)
    events = watching.events()
    await subscriber.close()
    await watching.get_stats()
    assert watching.negotiation_needed
    seen = [await anext(events), await anext(events)]
    assert NegotiationNeeded(watching.id) in seen
    again, second = await watching.subscribe("screen")
    assert (again.mid, len(m_lines(second))) == (subscriber.mid, len(m_lines(offer)))
    assert not watching.negotiation_needed


async def test_subscriber_pause(watching: SubscribeTransport) -> None:
    """Pausing is state of the subscriber, and told."""
    subscriber, _ = await watching.subscribe("cam")
    events = subscriber.events()
    await subscriber.pause()
    paused = subscriber.paused
    await subscriber.resume()
    assert (paused, subscriber.paused) == (True, False)
    assert [await anext(events), await anext(events)] == [
        PauseChanged(subscriber.id, True),
        PauseChanged(subscriber.id, False),
    ]


async def test_data_subscriber(watching: SubscribeTransport, publishers: list[Publisher]) -> None:
    """The first data subscriber may need an offer, the next ones do not."""
    transport = publishers[0].transport
    assert isinstance(transport, PublishTransport)
    source = await transport.publish_data("chat")
    first, offer = await watching.subscribe_data(source.id)
    assert offer is not None
    assert (first.label, first.publisher_id) == ("chat", source.id)
    await watching.set_answer(ANSWER)
    second, none = await watching.subscribe_data(source.id)
    assert none is None
    assert source.subscribers == watching.data_subscribers == (first, second)
    assert watching.signaling_state == "stable"


async def test_whep(watching: SubscribeTransport, publishers: list[Publisher]) -> None:
    """A client that offers gets what fits its slots; another publisher of that kind finds none."""
    offer = client_offer(audio="a", video="v", receive=True)
    answer = await watching.get_answer(offer, [item.id for item in publishers])
    assert (watching.local_description, watching.remote_description) == (answer, offer)
    assert [(item.publisher.track_id, item.mid) for item in watching.subscribers] == [
        ("mic", "0"),
        ("cam", "1"),
    ]
    with pytest.raises(UnsupportedCodec):
        await watching.attach(publishers[2].id)
    await watching.subscribers[1].close()
    screen = await watching.attach("screen")
    assert screen.mid == "1"
