"""What FFmpeg and a small sender push in by plain RTP and SRTP is a publisher like any other."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import socket
import struct
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator, Callable
from typing import Any, Literal

import pytest
from pylibsrtp import Error as SrtpError
from pylibsrtp import Policy, Session

from headwater import PeerFound, PlainTransport, Router, SrtpParameters
from tests.support.peer import Camera, Peer
from tests.support.resources import given_back, resources

VIDEO: dict[str, dict[str, Any]] = {
    "VP8": {
        "codecs": [{"mimeType": "video/VP8", "payloadType": 101, "clockRate": 90000}],
        "encodings": [{"ssrc": 22222222}],
    },
    "H264": {
        "codecs": [
            {
                "mimeType": "video/H264", "payloadType": 101, "clockRate": 90000,
                "parameters": {"packetization-mode": 1, "profile-level-id": "42e01f"},
            }
        ],
        "encodings": [{"ssrc": 22222222}],
    },
}  # fmt: skip
AUDIO = {
    "codecs": [{"mimeType": "audio/opus", "payloadType": 111, "clockRate": 48000, "channels": 2}],
    "encodings": [{"ssrc": 11111111}],
}
ENCODERS = {
    "VP8": "-c:v libvpx -deadline realtime -cpu-used 8 -b:v 200k -g 15",
    "H264": "-c:v libx264 -profile:v baseline -preset ultrafast -tune zerolatency -pix_fmt yuv420p -g 15",
}
SUITE: Literal["AES_CM_128_HMAC_SHA1_80"] = "AES_CM_128_HMAC_SHA1_80"
POLICIES = {
    "AES_CM_128_HMAC_SHA1_80": Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
    "AEAD_AES_128_GCM": Policy.SRTP_PROFILE_AEAD_AES_128_GCM,
    "AEAD_AES_256_GCM": Policy.SRTP_PROFILE_AEAD_AES_256_GCM,
}


@contextlib.asynccontextmanager
async def pushed(
    transports: list[PlainTransport], codec: str, keys: list[SrtpParameters]
) -> AsyncIterator[None]:
    """Have FFmpeg send a picture to one transport and a tone to the other, sealed if there is a key."""
    scheme = "srtp" if keys else "rtp"
    seal = ["-srtp_out_suite", keys[0].crypto_suite, "-srtp_out_params", keys[0].key_base64] if keys else []

    def target(transport: PlainTransport) -> str:
        assert transport.rtcp_tuple is not None
        ports = (transport.tuple.local_port, transport.rtcp_tuple.local_port)
        return f"{scheme}://127.0.0.1:{ports[0]}?rtcpport={ports[1]}&pkt_size=1200"

    process = await asyncio.create_subprocess_exec(
        "ffmpeg", "-hide_banner", "-loglevel", "error",
        "-re", "-f", "lavfi", "-i", "testsrc=size=160x120:rate=15",
        "-re", "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000",
        "-map", "0:v", *ENCODERS[codec].split(), *seal,
        "-payload_type", "101", "-ssrc", "22222222", "-f", "rtp", target(transports[0]),
        "-map", "1:a", "-c:a", "libopus", "-ac", "2", *seal,
        "-payload_type", "111", "-ssrc", "11111111", "-f", "rtp", target(transports[1]),
        stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE,
    )  # fmt: skip
    try:
        yield
        assert process.returncode is None, await process.communicate()
    finally:
        if process.returncode is None:
            process.terminate()
            await process.communicate()


@pytest.mark.timeout(180)
@pytest.mark.parametrize(("codec", "srtp"), [("VP8", None), ("H264", SUITE)])
async def test_a_film_from_ffmpeg_is_watched(
    router: Router, peer: Callable[[], Peer], codec: str, srtp: Any
) -> None:
    """A client decodes picture and sound; the address was learned, and the clock is the sender's."""
    transports = [
        await router.create_plain_transport(rtcp_mux=False, comedia=True, srtp=srtp) for _ in range(2)
    ]
    keys = [SrtpParameters.generate(srtp)] if srtp else []
    for transport in transports:
        if srtp:
            await transport.connect(srtp_parameters=keys[0])
    video = await transports[0].produce("video", VIDEO[codec])
    audio = await transports[1].produce("audio", AUDIO)
    events = transports[0].events()
    async with pushed(transports, codec, keys):
        for publisher in (video, audio):
            assert (await asyncio.wait_for(publisher.wait_active(), 40)).mime in (
                "audio/opus",
                f"video/{codec}",
            )
        watching, bob = await router.create_subscribe_transport(), peer()
        subscribers, offer = await watching.subscribe_many([video.id, audio.id])
        await bob.answer(watching, offer)
        for subscriber in subscribers:
            assert subscriber.mid is not None
            await bob.received(subscriber.mid, 15, 20)
        found = [event async for event in _first(events, PeerFound)]
    assert found[0].remote[0] == "127.0.0.1"
    assert transports[0].tuple.remote_port == found[0].remote[1]
    for transport in transports:
        stats = await transport.get_stats()
        assert stats["dropped_unopened"] == 0
        assert int(stats["dropped_strangers"]) <= 1, "its first report comes before its first packet"


async def _first(events: Any, kind: type) -> AsyncIterator[Any]:
    async for event in events:
        if isinstance(event, kind):
            yield event
            return


def session(parameters: SrtpParameters, *, sending: bool) -> Session:
    """Make libsrtp's half: somebody else's SRTP."""
    kind = Policy.SSRC_ANY_OUTBOUND if sending else Policy.SSRC_ANY_INBOUND
    policy = Policy(key=parameters.key, ssrc_type=kind, srtp_profile=POLICIES[parameters.crypto_suite])
    return Session(policy)


def opus(number: int) -> bytes:
    """Make an RTP packet with a frame of Opus in it."""
    head = struct.pack("!BBHII", 0x80, 111, number, number * 960, 11111111)
    return head + bytes([0xF8, 0xFF, 0xFE])


@pytest.mark.parametrize("suite", POLICIES)
async def test_another_implementation_opens_and_is_opened(
    router: Router, peer: Callable[[], Peer], suite: Any
) -> None:
    """An SRTP of others reads what we seal and we read what it seals; a wrong key is counted."""
    theirs, wrong = SrtpParameters.generate(suite), SrtpParameters.generate(suite)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
        own.bind(("127.0.0.1", 0))
        own.setblocking(False)
        transport = await router.create_plain_transport(srtp=suite)
        await transport.connect("127.0.0.1", own.getsockname()[1], None, theirs)
        publisher = await transport.produce("audio", AUDIO)
        target = ("127.0.0.1", transport.tuple.local_port)
        impostor, sender = session(wrong, sending=True), session(theirs, sending=True)
        for number in range(20):
            own.sendto(impostor.protect(opus(number)), target)
            own.sendto(opus(number), target)
        for number in range(20):
            own.sendto(sender.protect(opus(number)), target)
        await asyncio.wait_for(publisher.wait_active(), 30)
        async with asyncio.timeout(30):
            async for sample in publisher.stats_stream(0.05):
                if sample["packets_received"] == 20:
                    break
        stats = await transport.get_stats()
        assert int(stats["dropped_unopened"]) + int(stats["dropped_malformed"]) == 40

        alice = peer()
        publishing, camera = await router.create_publish_transport(), Camera()
        await alice.publish(publishing, camera)
        source = await publishing.publish(camera.id)
        await source.wait_active()
        track = await transport.consume(source.id)
        assert transport.srtp_parameters is not None
        receiver = session(transport.srtp_parameters, sending=False)
        opened, reports = 0, 0
        async with asyncio.timeout(40):
            while opened < 30 or not reports:
                sealed = await asyncio.get_running_loop().sock_recv(own, 2048)
                if 192 <= sealed[1] <= 223:
                    with contextlib.suppress(SrtpError):  # libsrtp knows RTCP of senders it has heard
                        reports += receiver.unprotect_rtcp(sealed)[1] == 200
                    continue
                packet = receiver.unprotect(sealed)
                assert struct.unpack("!I", packet[8:12]) == (track.ssrc,)
                assert packet[1] & 0x7F == track.codec.payload_type
                opened += 1


async def test_a_closed_transport_gives_its_ports_back(router: Router) -> None:
    """From then on others may bind them; a second transport meanwhile has other ones."""
    first = await router.create_plain_transport(rtcp_mux=False)
    second = await router.create_plain_transport(rtcp_mux=False)
    assert first.rtcp_tuple is not None
    assert second.rtcp_tuple is not None
    ports = {first.tuple.local_port, first.rtcp_tuple.local_port}
    assert not ports & {second.tuple.local_port, second.rtcp_tuple.local_port}
    for port in ports:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one, pytest.raises(OSError, match="in use"):
            one.bind(("127.0.0.1", port))
    await first.close()
    for port in ports:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
            one.bind(("127.0.0.1", port))


async def test_thousands_of_transports_leave_nothing_behind(router: Router) -> None:
    """Descriptors are as many at the end as at the beginning."""
    before = resources()
    for _ in range(50):
        made = [await router.create_plain_transport(rtcp_mux=False, srtp=SUITE) for _ in range(10)]
        while made:
            await made.pop().close()
    await given_back(before)


def test_keys_are_not_printed() -> None:
    """What is logged by accident tells nobody the key."""
    parameters = SrtpParameters.generate(SUITE)
    assert parameters.key_base64 not in repr(parameters)
    assert len(base64.b64decode(parameters.key_base64)) == 30
