"""FFmpeg receives what a PlainTransport sends, encrypted, and nobody can add to it."""

from __future__ import annotations

import asyncio
import json
import shutil
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import pytest

from headwater import PlainTrack, PlainTransport, PortPair, Publisher, Router
from tests.support.peer import RATE, Camera, Microphone, Peer

SECONDS = 4
SUITE = "AES_CM_128_HMAC_SHA1_80"
"""The one suite of SDES that FFmpeg has."""


@dataclass
class Recording:
    """FFmpeg at work on what some transports send."""

    process: Process
    transports: list[PlainTransport]
    tracks: list[PlainTrack]
    ports: list[PortPair]
    film: Path

    async def finish(self) -> str:
        """Let FFmpeg finish the file; return its log."""
        _, log = await asyncio.wait_for(self.process.communicate(b"q"), 20)
        for ports in self.ports:
            ports.close()
        assert self.film.exists(), log.decode()
        return log.decode()


async def published(router: Router, alice: Peer, codec: str) -> list[Publisher]:
    """Publish a microphone and a camera."""
    publishing = await router.create_publish_transport()
    tracks = (Microphone(), Camera())
    await alice.publish(publishing, *tracks, codec=codec)
    publishers = [await publishing.publish(track.id) for track in tracks]
    for publisher in publishers:
        await publisher.wait_active()
    return publishers


async def record(
    router: Router, publishers: list[Publisher], folder: Path, ffmpeg: str, *, srtp: Any = SUITE
) -> Recording:
    """Send each publisher to a pair of ports of FFmpeg, as the documentation says."""
    ports = [PortPair.reserve() for _ in publishers]
    transports, tracks = [], []
    for publisher, pair in zip(publishers, ports, strict=True):
        transport = await router.create_plain_transport(rtcp_mux=False, srtp=srtp)
        await transport.connect("127.0.0.1", pair.port, pair.rtcp_port)
        tracks.append(await transport.consume(publisher.id, paused=True))
        transports.append(transport)
    description, film = folder / "room.sdp", folder / "room.mkv"
    description.write_text(transports[0].generate_sdp(*transports[1:]))
    for pair in ports:
        pair.release()
    process = await asyncio.create_subprocess_exec(
        ffmpeg, "-hide_banner", "-loglevel", "warning", "-protocol_whitelist", "file,rtp,udp,srtp",
        "-localaddr", "127.0.0.1", "-i", str(description), "-c", "copy", str(film),
        stdin=PIPE, stderr=PIPE,
    )  # fmt: skip
    for pair in ports:
        assert await pair.wait_bound(20), "FFmpeg listens"
    for track in tracks:
        await track.resume()
    return Recording(process, transports, tracks, ports, film)


def ffmpegs() -> list[str]:
    """The system's FFmpeg, and a current one."""
    return ["system", "modern"]


def ffmpeg_named(name: str) -> str:
    """Find it."""
    found = shutil.which("ffmpeg") if name == "system" else str(imageio_ffmpeg.get_ffmpeg_exe())
    assert found is not None, "the tests need FFmpeg"
    return found


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", ffmpegs())
@pytest.mark.parametrize("codec", ["VP8", "H264"])
async def test_ffmpeg_records_what_is_sent_to_it_encrypted(
    router: Router, peer: Callable[[], Peer], tmp_path: Path, codec: str, name: str
) -> None:
    """The file has both codecs, the right length, and frames from the first key frame on."""
    alice = peer()
    publishers = await published(router, alice, codec)
    recording = await record(router, publishers, tmp_path, ffmpeg_named(name))
    await asyncio.sleep(SECONDS)
    log = await recording.finish()

    streams = {stream["codec_type"]: stream for stream in await probe(recording.film)}
    assert (streams["audio"]["codec_name"], streams["video"]["codec_name"]) == ("opus", codec.lower()), log
    assert (streams["video"]["width"], streams["video"]["height"]) == (160, 120)
    assert int(streams["video"]["nb_read_frames"]) >= (SECONDS - 2) * RATE, (streams, log)
    assert int(streams["audio"]["nb_read_frames"]) >= (SECONDS - 2) * 50, (streams, log)
    for publisher in publishers:
        await publisher.close()
    assert [track.close_reason for track in recording.tracks] == ["publisher_closed"] * 2


async def probe(film: Path) -> list[dict[str, Any]]:
    """Return the streams, with their frames decoded and counted."""
    process = await asyncio.create_subprocess_exec(
        "ffprobe", "-loglevel", "error", "-of", "json", "-count_frames", "-show_streams", str(film),
        stdout=PIPE,
    )  # fmt: skip
    out, _ = await asyncio.wait_for(process.communicate(), 30)
    return list(json.loads(out)["streams"])
