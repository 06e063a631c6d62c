"""PlainTransport: what is refused before the core hears of it, and the description it gives."""

from __future__ import annotations

import re
from typing import Any, Literal

import pytest

from headwater import ConfigurationError, InvalidState, Publisher, PublisherNotFound, Router, SrtpParameters
from headwater.media.rtp_parameters import RtpParameters
from headwater.testing import FakeWorker, client_offer

SUITE: Literal["AES_CM_128_HMAC_SHA1_80"] = "AES_CM_128_HMAC_SHA1_80"
OPUS: dict[str, Any] = {"mimeType": "audio/opus", "payloadType": 111, "clockRate": 48000, "channels": 2}


@pytest.fixture
async def publishers(router: Router) -> list[Publisher]:
    publishing = await router.create_publish_transport()
    await publishing.get_answer(client_offer(audio="mic", video=["cam"]))
    return [await publishing.publish(track) for track in publishing.tracks]


async def test_description(router: Router, publishers: list[Publisher], worker: FakeWorker) -> None:
    """One m-line a track, with the peer's ports and our key; several transports in one description."""
    worker.core.packets(publishers[1], "video/H264")
    await publishers[1].wait_active()
    transports = [await router.create_plain_transport(rtcp_mux=False, srtp=SUITE) for _ in publishers]
    for transport, publisher, port in zip(transports, publishers, (5004, 5006), strict=True):
        await transport.connect("127.0.0.1", port)
        await transport.consume(publisher.id)
    keys = [transport.srtp_parameters for transport in transports]
    assert keys[0] is not None
    assert keys[1] is not None
    tracks = [transport.tracks[0] for transport in transports]
    assert keys[0].key_base64 != keys[1].key_base64
    lines = transports[0].generate_sdp(transports[1]).split("\r\n")
    assert [line for line in lines if "ssrc" not in line] == [
        "v=0",
        "o=- 0 0 IN IP4 127.0.0.1",
        "s=Headwater",
        "c=IN IP4 127.0.0.1",
        "t=0 0",
        "m=audio 5004 RTP/SAVP 111",
        "a=rtpmap:111 opus/48000/2",
        "a=rtcp:5005",
        f"a=crypto:1 {SUITE} inline:{keys[0].key_base64}",
        "a=recvonly",
        "m=video 5006 RTP/SAVP 96",
        "a=rtpmap:96 H264/90000",
        "a=rtcp:5007",
        f"a=crypto:1 {SUITE} inline:{keys[1].key_base64}",
        "a=recvonly",
        "",
    ]
    named = [int(ssrc) for ssrc in re.findall(r"a=ssrc:(\d+)", "\n".join(lines))]
    assert named == [track.ssrc for track in tracks]
    assert tracks[1].rtp_parameters["encodings"] == [{"ssrc": tracks[1].ssrc}]
    assert tracks[1].rtp_parameters["codecs"][0]["mimeType"] == "video/H264"


async def test_description_in_the_clear(router: Router, publishers: list[Publisher]) -> None:
    """Without keys it is RTP/AVP, and RTCP on the port of RTP is said to be."""
    transport = await router.create_plain_transport(listen_ip="::1")
    with pytest.raises(InvalidState):
        transport.generate_sdp()
    await transport.connect("::1", 5004)
    await transport.consume("mic")
    sdp = transport.generate_sdp()
    assert "c=IN IP6 ::1\r\n" in sdp
    assert "m=audio 5004 RTP/AVP 111\r\n" in sdp
    assert "a=rtcp-mux\r\n" in sdp
    assert "crypto" not in sdp


@pytest.mark.parametrize(
    ("options", "arguments"),
    [
        ({}, {}),
        ({}, {"ip": "127.0.0.1"}),
        ({}, {"ip": "localhost", "port": 5004}),
        ({}, {"ip": "127.0.0.1", "port": 0}),
        ({}, {"ip": "127.0.0.1", "port": 5004, "rtcp_port": 5005}),
        ({"rtcp_mux": False}, {"ip": "127.0.0.1", "port": 65535}),
        ({"comedia": True}, {"ip": "127.0.0.1", "port": 5004}),
        ({}, {"ip": "127.0.0.1", "port": 5004, "srtp_parameters": SrtpParameters.generate(SUITE)}),
        ({"srtp": SUITE}, {"ip": "127.0.0.1", "port": 5004, "srtp_parameters": {"crypto_suite": SUITE}}),
        (
            {"srtp": SUITE},
            {"ip": "127.0.0.1", "port": 5004, "srtp_parameters": SrtpParameters.generate("AEAD_AES_128_GCM")},
        ),
    ],
)
async def test_a_peer_that_cannot_be(
    router: Router, options: dict[str, Any], arguments: dict[str, Any]
) -> None:
    """An address too few or too many, or another suite, is refused; the transport can still be connected."""
    transport = await router.create_plain_transport(**options)
    with pytest.raises(ConfigurationError):
        await transport.connect(**arguments)
    if not options.get("comedia"):
        await transport.connect("127.0.0.1", 5004)
        assert transport.tuple.remote_port == 5004
        with pytest.raises(InvalidState):
            await transport.connect("127.0.0.1", 5006)


async def test_a_transport_that_cannot_be(router: Router) -> None:
    """A name is no address, and a suite must be known."""
    with pytest.raises(ConfigurationError):
        await router.create_plain_transport(listen_ip="localhost")
    with pytest.raises(ConfigurationError):
        await router.create_plain_transport(srtp="NULL_HMAC_SHA1_80")  # type: ignore[arg-type]


@pytest.mark.parametrize("key", ["", "AAAA", "not base64!", "A" * 41 + "="])
def test_a_key_has_its_length(key: str) -> None:
    """Key and salt of this suite are thirty bytes, in base64."""
    with pytest.raises(ConfigurationError):
        SrtpParameters(SUITE, key)


async def test_produced_track(router: Router) -> None:
    """It is found by its id and by the name it was given, and closes with its transport."""
    transport = await router.create_plain_transport(comedia=True)
    publisher = await transport.produce("audio", {"codecs": [OPUS]}, track_id="talk")
    assert router.publisher("talk") is publisher
    assert (publisher.codec.mime, publisher.codec.payload_type) == ("audio/opus", 111)
    assert transport.publishers == (publisher,)
    await transport.close()
    assert publisher.close_reason == "parent"
    with pytest.raises(PublisherNotFound):
        router.publisher("talk")


async def test_consumed_track(router: Router, publishers: list[Publisher]) -> None:
    """It hangs on its publisher and its transport."""
    transport = await router.create_plain_transport()
    track = await transport.consume("cam", paused=True)
    states = [track.paused]
    await track.resume()
    states.append(track.paused)
    assert states == [True, False]
    assert publishers[1].plain_tracks == (track,)
    assert publishers[1].recording_tracks == ()
    await track.request_key_frame()
    await track.set_preferred_layer(0)
    with pytest.raises(ConfigurationError):
        await track.set_preferred_layer(8)
    await publishers[1].close()
    assert track.close_reason == "publisher_closed"
    assert len(publishers[1].plain_tracks) == 0


def test_parameters() -> None:
    """Codec, SSRCs, feedback and the one extension that is read; repair codecs are passed over."""
    parameters = RtpParameters.parse(
        {
            "mid": "0",
            "codecs": [
                {"mimeType": "video/rtx", "payloadType": 97, "clockRate": 90000},
                {
                    "mimeType": "video/H264",
                    "payloadType": 96,
                    "clockRate": 90000,
                    "parameters": {"packetization-mode": 1, "profile-level-id": "42e01f"},
                    "rtcpFeedback": [
                        {"type": "nack"},
                        {"type": "nack", "parameter": "pli"},
                        {"type": "ccm", "parameter": "fir"},
                    ],
                },
            ],
            "encodings": [{"ssrc": 1, "rtx": {"ssrc": 2}}, {"ssrc": 3}],
            "headerExtensions": [{"uri": "urn:ietf:params:rtp-hdrext:ssrc-audio-level", "id": 1}],
        }
    )
    assert parameters.codec.fmtp == "packetization-mode=1;profile-level-id=42e01f"
    assert (parameters.codec.mime, parameters.codec.payload_type) == ("video/H264", 96)
    assert parameters.ssrcs == (1, 3)
    assert (parameters.nack, parameters.pli, parameters.fir, parameters.audio_level) == (True, True, True, 1)
    least = RtpParameters.parse({"codecs": [OPUS]})
    assert (least.ssrcs, least.nack, least.pli, least.fir) == ((), False, False, False)


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"codecs": []},
        {"codecs": [{"mimeType": "video/rtx", "payloadType": 97, "clockRate": 90000}]},
        {"codecs": [{"mimeType": "audio/opus"}]},
        {"codecs": [OPUS | {"payloadType": 300}]},
        {"codecs": [OPUS], "encodings": [{"ssrc": -1}]},
        {"codecs": [OPUS], "encodings": [{"ssrc": "x"}]},
        {"codecs": [OPUS], "encodings": [7]},
        {"codecs": "audio/opus"},
    ],
)
def test_parameters_that_make_no_sense(parameters: dict[str, Any]) -> None:
    """What is missing or malformed is the caller's mistake, and said to be."""
    with pytest.raises(ConfigurationError):
        RtpParameters.parse(parameters)
