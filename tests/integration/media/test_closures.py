"""Walks the table of docs/topics/closures.md over the real core, with real clients."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable

import pytest

from headwater import Worker
from headwater.protocols.sdp import parse_sdp
from tests.support.closures import Room, table, told
from tests.support.peer import Camera, Microphone, Peer

ROWS = table()
OUT_OF_REACH = {
    "the publishing client is lost": "30 s; crates/core/tests/closures.rs, vanished_publisher",
    "the watching client is lost": "30 s; crates/core/tests/closures.rs, vanished_client",
    "the watching client lacks the codec": "below; codec_change.rs there for a call under way",
}


async def build(worker: Worker, alice: Peer, bob: Peer) -> Room:
    router = await worker.create_router()
    publishing = await router.create_publish_transport()
    alice.open_channel("chat")
    camera = Camera()
    await alice.publish(publishing, camera)
    publisher = await publishing.publish(camera.id)
    data_publisher = await publishing.publish_data("chat")
    watching = await router.create_subscribe_transport()
    subscriber, offer = await watching.subscribe(publisher.id)
    await bob.answer(watching, offer)
    data_subscriber, none = await watching.subscribe_data(data_publisher.id)
    assert none is None
    recording = await router.create_recording_transport("127.0.0.1", 9)
    track = await recording.start_recording(publisher.id)
    assert subscriber.mid is not None
    await bob.received(subscriber.mid)
    await bob.until(lambda: "chat" in bob.channels)
    await alice.until(lambda: alice.channels["chat"].readyState == "open")
    return Room(
        worker, router, publishing, watching, recording, publisher, subscriber, data_publisher,
        data_subscriber, track,
    )  # fmt: skip


async def act(room: Room, when: str, alice: Peer, bob: Peer) -> None:
    """Make the event of a row happen: a public call by its text, anything else by the clients."""
    if when.endswith(".close()"):
        await getattr(room, when.removesuffix(".close()")).close()
    elif when == "the client ends the track":
        alice.stop(alice.connection.getTransceivers()[0].sender.track)
        await alice.offer(room.publish_transport)
    elif when == "the client closes the data channel":
        alice.channels["chat"].close()
    elif when == "the publishing client hangs up":
        await alice.say_goodbye()
    elif when == "the watching client hangs up":
        await bob.say_goodbye()
    else:
        victim = room.publish_transport if "publishing" in when else room.subscribe_transport
        assert "a bug in" in when
        victim._seam.native.inject_panic(victim._handle)


@pytest.mark.parametrize("when", [when for when in ROWS if when not in OUT_OF_REACH])
async def test_row(when: str, worker: Worker, peer: Callable[[], Peer]) -> None:
    """What a row says closes, closes once and says why; everything else stays open."""
    alice, bob = peer(), peer()
    room = await build(worker, alice, bob)
    streams = room.streams()
    await act(room, when, alice, bob)
    async with asyncio.timeout(30):
        for name in ROWS[when]:
            await getattr(room, name).wait_closed()
        assert room.closed() == ROWS[when]
        await told(room, streams, ROWS[when])
    if when != "worker.close()":
        for name in set(room.names()) - set(ROWS[when]):
            assert await getattr(room, name).get_stats(), f"{name} does not answer"


async def test_the_watching_client_lacks_the_codec(worker: Worker, peer: Callable[[], Peer]) -> None:
    """A subscriber whose codec the answer leaves out closes and says so; what it took from goes on."""
    alice, bob = peer(), peer()
    router = await worker.create_router()
    publishing = await router.create_publish_transport()
    microphone, camera = Microphone(), Camera()
    await alice.publish(publishing, microphone, camera, codec="H264")
    publishers = [await publishing.publish(track.id) for track in (microphone, camera)]
    assert (await publishers[1].wait_active()).mime == "video/H264"
    watching = await router.create_subscribe_transport()
    (audio, video), offer = await watching.subscribe_many([publisher.id for publisher in publishers])
    await bob.set_remote(offer, "offer")
    await bob.connection.setLocalDescription(await bob.connection.createAnswer())
    await watching.set_answer(without_h264(bob.connection.localDescription.sdp))
    async with asyncio.timeout(30):
        assert await video.wait_closed() == "unsupported_codec"
    assert audio.mid is not None
    await bob.received(audio.mid, 3)
    assert {"unsupported_codec"} == {*ROWS["the watching client lacks the codec"].values()}
    assert not publishers[1].closed


def without_h264(sdp: str) -> str:
    """Take a codec out of an answer, as a browser without it would."""
    session = parse_sdp(sdp)
    for section in session.media:
        gone = {line.split()[0] for line in section.attributes("rtpmap") if "H264" in line}
        gone |= {line.split()[0] for line in section.attributes("fmtp") if line.partition("apt=")[2] in gone}
        section.formats = [number for number in section.formats if number not in gone]
        section.lines = [line for line in section.lines if not (set(re.split("[: ]", line[1])[1:2]) & gone)]
    return str(session)
