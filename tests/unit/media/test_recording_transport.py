"""Recording: a description that a recorder understands, a pair of ports per track."""

from __future__ import annotations

import pytest

from headwater import (
    ConfigurationError,
    InvalidState,
    LimitReached,
    Publisher,
    PublisherNotFound,
    PublishTransport,
    Router,
)
from headwater.protocols.sdp import parse_sdp
from headwater.testing import FakeWorker, client_offer


@pytest.fixture
async def publishers(router: Router) -> list[Publisher]:
    publishing = await router.create_publish_transport()
    await publishing.get_answer(client_offer(audio="mic", video=["cam", "screen"]))
    return [await publishing.publish(track) for track in publishing.tracks]


async def test_description(router: Router, publishers: list[Publisher], worker: FakeWorker) -> None:
    """Audio is m=audio and video is m=video, each with its codec and its pair of ports."""
    worker.core.packets(publishers[1], "video/AV1")
    await publishers[1].wait_active()
    recording = await router.create_recording_transport("127.0.0.1", 5004)
    assert recording.generate_sdp("mic", publishers[1].id) == "\r\n".join(
        [
            "v=0",
            "o=- 0 0 IN IP4 127.0.0.1",
            "s=Headwater",
            "c=IN IP4 127.0.0.1",
            "t=0 0",
            "m=audio 5004 RTP/AVP 111",
            "a=rtpmap:111 opus/48000/2",
            "a=rtcp:5005",
            "a=recvonly",
            "m=video 5006 RTP/AVP 96",
            "a=rtpmap:96 AV1/90000",
            "a=rtcp:5007",
            "a=recvonly",
            "",
        ]
    )


async def test_ipv6_description(router: Router, publishers: list[Publisher]) -> None:
    """An IPv6 recorder is described as one."""
    recording = await router.create_recording_transport("::1", 5004)
    assert "c=IN IP6 ::1\r\n" in recording.generate_sdp("mic")


async def test_tracks_go_where_the_description_says(router: Router, publishers: list[Publisher]) -> None:
    """A publisher keeps its ports between description and start, whatever the order."""
    microphone, camera, screen = publishers
    recording = await router.create_recording_transport("127.0.0.1", 5004)
    recording.generate_sdp(camera.id, microphone.id)
    tracks = [await recording.start_recording(item.id) for item in (microphone, screen, camera)]
    assert [track.port for track in tracks] == [5006, 5008, 5004]
    assert recording.tracks == tuple(tracks)
    assert camera.recording_tracks == (tracks[2],)
    await tracks[2].close()
    assert (await recording.start_recording(camera.id)).port == 5004


async def test_ports_of_closed_publishers_are_used_again(router: Router, publishers: list[Publisher]) -> None:
    """A room where tracks come and go does not climb through the ports."""
    recording = await router.create_recording_transport("127.0.0.1", 5004)
    recording.generate_sdp(*(item.id for item in publishers))
    await publishers[1].close()
    transport = publishers[1].transport
    assert isinstance(transport, PublishTransport)
    await transport.get_answer(client_offer(audio="mic", video=["new", "screen"]))
    again = await transport.publish("new")
    assert (await recording.start_recording(again.id)).port == 5006
    media = parse_sdp(
        recording.generate_sdp(*(item.id for item in (publishers[0], again, publishers[2])))
    ).media
    assert [section.port for section in media] == [5004, 5006, 5008]


async def test_misuse(router: Router, publishers: list[Publisher]) -> None:
    """Wrong addresses, ports, ids and double starts are refused."""
    for address, port in (("recorder.example", 5004), ("127.0.0.1", 0), ("127.0.0.1", 65535)):
        with pytest.raises(ConfigurationError):
            await router.create_recording_transport(address, port)
    recording = await router.create_recording_transport("127.0.0.1", 65533)
    with pytest.raises(PublisherNotFound):
        recording.generate_sdp("pub_x")
    await recording.start_recording("mic")
    with pytest.raises(InvalidState, match="already"):
        await recording.start_recording("mic")
    with pytest.raises(LimitReached):
        await recording.start_recording("cam")
