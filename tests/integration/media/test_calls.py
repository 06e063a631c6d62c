"""Real media from one aiortc client through a real Worker to others."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from headwater import (
    ConnectionStateChanged,
    NegotiationTimeout,
    PublisherActive,
    Router,
    SubscribeTransport,
    Worker,
)
from headwater.protocols.sdp import parse_sdp
from tests.support.peer import SIZE, Camera, Microphone, Peer

Make = Callable[[], Peer]


async def publish(router: Router, client: Peer, *tracks: Camera | Microphone) -> list[str]:
    """Publish tracks and return the publishers' ids in their order."""
    transport = await router.create_publish_transport()
    await client.publish(transport, *tracks)
    return [(await transport.publish(track.id)).id for track in tracks]


async def watch(router: Router, client: Peer, *ids: str) -> tuple[SubscribeTransport, list[str]]:
    """Subscribe to publishers and return the transport and the m-lines."""
    transport = await router.create_subscribe_transport()
    subscribers, offer = await transport.subscribe_many(ids)
    await client.answer(transport, offer)
    mids = [subscriber.mid for subscriber in subscribers]
    return transport, [mid for mid in mids if mid is not None]


@pytest.mark.parametrize("threads", [1, 4])
async def test_audio_and_video_arrive(threads: int, peer: Make) -> None:
    """What one client sends, the other decodes: its sound and its picture."""
    async with Worker(threads=threads, addresses=["127.0.0.1"]) as worker:
        assert worker.threads == threads
        rooms = [await worker.create_router() for _ in range(threads)]  # one on each media thread
        for number, router in enumerate(rooms):
            shade = 40 + 50 * number
            alice, bob = peer(), peer()
            ids = await publish(router, alice, Microphone(), Camera(shade))
            _, (audio, video) = await watch(router, bob, *ids)
            await bob.received(audio, 10)
            await bob.received(video, 5)
            picture = bob.last[video].to_ndarray(format="rgb24")
            assert picture.shape == (SIZE[1], SIZE[0], 3)
            assert abs(int(picture[-40:].mean()) - shade) < 10
            sound = bob.last[audio].to_ndarray()
            assert abs(sound.astype(int)).max() > 1000
            await alice.close()
            await bob.close()


async def test_state_and_codec_are_told(router: Router, peer: Make) -> None:
    """The transport tells when it is connected, the publisher when packets come and of what."""
    alice = peer()
    transport = await router.create_publish_transport()
    events = transport.events()
    camera = Camera()
    await alice.publish(transport, camera)
    publisher = await transport.publish(camera.id)
    seen = []
    async with asyncio.timeout(30):
        async for event in events:
            seen.append(event)
            if isinstance(event, PublisherActive):
                break
    states = [event.state for event in seen if isinstance(event, ConnectionStateChanged)]
    assert states == ["connecting", "connected"]
    assert transport.connection_state == "connected"
    assert publisher.active
    assert publisher.codec.mime == "video/VP8"
    assert publisher.codec.clock_rate == 90000


async def test_late_joiner_sees_at_once(router: Router, peer: Make) -> None:
    """A late joiner gets a key frame because it is asked for: the sender makes none of its own."""
    alice, bob = peer(), peer()
    (camera,) = await publish(router, alice, Camera())
    _, (first,) = await watch(router, bob, camera)
    await bob.received(first, 10)
    carol = peer()
    _, (video,) = await watch(router, carol, camera)
    await carol.until(lambda: carol.connection.connectionState == "connected")
    await carol.received(video, 1)


async def test_pause_and_resume_of_a_subscriber(router: Router, peer: Make) -> None:
    """A paused subscriber gets nothing, the one beside it everything; resumed, the picture is back."""
    alice, bob, carol = peer(), peer(), peer()
    (camera,) = await publish(router, alice, Camera())
    watching, (video,) = await watch(router, bob, camera)
    _, (other,) = await watch(router, carol, camera)
    await bob.received(video, 3)
    subscriber = watching.subscribers[0]
    await subscriber.pause()
    await bob.received_nothing(video)
    await carol.received(other, 3)
    await subscriber.resume()
    await bob.received(video, 3)


async def test_pause_and_resume_of_a_publisher(router: Router, peer: Make) -> None:
    """A paused publisher reaches nobody; resumed, it reaches everybody."""
    alice, bob = peer(), peer()
    ids = await publish(router, alice, Microphone(), Camera())
    _, (audio, video) = await watch(router, bob, *ids)
    await bob.received(video, 3)
    publisher = router.publisher(ids[1])
    await publisher.pause()
    await bob.received_nothing(video)
    await bob.received(audio, 3)
    await publisher.resume()
    await bob.received(video, 3)


async def test_tracks_come_and_go(router: Router, peer: Make) -> None:
    """A screen is added to a running call and taken away again; the camera goes on all the time."""
    alice, bob = peer(), peer()
    publishing = await router.create_publish_transport()
    camera, screen = Camera(60), Camera(200)
    await alice.publish(publishing, camera)
    first = await publishing.publish(camera.id)
    watching, (video,) = await watch(router, bob, first.id)
    await bob.received(video, 3)

    await alice.publish(publishing, screen)
    second = await publishing.publish(screen.id)
    subscriber, offer = await watching.subscribe(second.id)
    await bob.answer(watching, offer)
    assert subscriber.mid is not None
    await bob.received(subscriber.mid, 3)
    await bob.received(video, 3)
    assert bob.last[subscriber.mid].to_ndarray(format="rgb24").mean() > 150

    alice.stop(screen)
    await alice.offer(publishing)
    assert await second.wait_closed() == "remote_ended"
    assert await subscriber.wait_closed() == "publisher_closed"
    await bob.answer(watching, await watching.create_offer())
    await bob.received(video, 3)
    assert router.publisher_ids == (first.id,)


async def test_one_offer_for_many(router: Router, peer: Make) -> None:
    """subscribe_many makes one offer, and everything in it flows."""
    alice, bob = peer(), peer()
    ids = await publish(router, alice, Microphone(), Camera(), Camera())
    _, mids = await watch(router, bob, *ids)
    for mid in mids:
        await bob.received(mid, 2)
    assert len(set(mids)) == 3


async def test_two_way_call(router: Router, peer: Make) -> None:
    """Each of three people sends a voice and a picture and, at the same time, gets the two others'.

    A person has two connections, one for each direction, as in the browser.
    """
    shades = (40, 110, 190)
    people = [(peer(), peer()) for _ in shades]
    published = {
        shade: await publish(router, sending, Microphone(), Camera(shade))
        for shade, (sending, _) in zip(shades, people, strict=True)
    }
    watched = []
    for own, (_, receiving) in zip(shades, people, strict=True):
        others = [shade for shade in shades if shade != own]
        _, mids = await watch(router, receiving, *(id_ for shade in others for id_ in published[shade]))
        watched.append((receiving, dict(zip(others, zip(mids[::2], mids[1::2], strict=True), strict=True))))
    for receiving, mids_of in watched:
        assert len(mids_of) == 2
        for shade, (audio, video) in mids_of.items():
            await receiving.received(audio, 10)
            await receiving.received(video, 3)
            assert abs(int(receiving.last[video].to_ndarray(format="rgb24")[-40:].mean()) - shade) < 10
            assert abs(receiving.last[audio].to_ndarray().astype(int)).max() > 1000


async def test_client_that_offers_to_receive(router: Router, peer: Make) -> None:
    """A client that offers (WHEP) is fed from the publishers that fit its m-lines."""
    alice, bob = peer(), peer()
    ids = await publish(router, alice, Microphone(), Camera())
    watching = await router.create_subscribe_transport()
    await bob.watch(watching, "audio", "video", publisher_ids=ids)
    assert [item.publisher_id for item in watching.subscribers] == ids
    for subscriber in watching.subscribers:
        assert subscriber.mid is not None
        await bob.received(subscriber.mid, 3)


async def test_unanswered_offer(router: Router, peer: Make) -> None:
    """While an offer waits for its answer the next one waits too, then gives up; rollback frees."""
    alice, bob = peer(), peer()
    ids = await publish(router, alice, Microphone(), Camera())
    watching = await router.create_subscribe_transport(negotiation_timeout=0.05)
    await watching.subscribe(ids[0])
    with pytest.raises(NegotiationTimeout):
        await watching.subscribe(ids[1])
    await watching.rollback()
    subscriber, offer = await watching.subscribe(ids[1])
    await bob.answer(watching, offer)
    assert len(watching.subscribers) == 2
    for item in watching.subscribers:
        assert item.mid is not None
        await bob.received(item.mid, 2)
    assert subscriber.kind == "video"


async def test_ice_restart_by_the_server(router: Router, peer: Make) -> None:
    """restart_ice makes an offer with other credentials; taken back, the call goes on with the old ones.

    aiortc cannot restart ICE, so no client follows the restart here.
    """
    alice, bob = peer(), peer()
    (camera,) = await publish(router, alice, Camera())
    watching, (video,) = await watch(router, bob, camera)
    await bob.received(video, 2)
    before = parse_sdp(watching.local_description or "").ice_credentials()
    offer = await watching.restart_ice()
    assert parse_sdp(offer).ice_credentials() != before
    await watching.rollback()
    await bob.received(video, 2)


@pytest.mark.timeout(240)
async def test_m_lines_are_used_again(router: Router, peer: Make) -> None:
    """200 cycles of subscribe and close leave as many m-lines as there were subscribers at once."""
    alice, bob = peer(), peer()
    ids = await publish(router, alice, Microphone(), Camera())
    watching = await router.create_subscribe_transport()
    offer = ""
    for _ in range(200):
        subscribers, offer = await watching.subscribe_many(ids)
        await bob.answer(watching, offer)
        for subscriber in subscribers:
            await subscriber.close()
    media = parse_sdp(offer).media
    assert sorted(section.kind for section in media) == ["application", "audio", "video"]
    subscribers, offer = await watching.subscribe_many(ids)
    await bob.answer(watching, offer)
    for subscriber in subscribers:
        assert subscriber.mid is not None
        await bob.received(subscriber.mid, 2)
