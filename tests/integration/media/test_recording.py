"""FFmpeg records what a RecordingTransport sends, and ffprobe finds what was sent."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from headwater import Router
from tests.support.peer import RATE, Camera, Microphone, Peer
from tests.support.ports import free_ports

SECONDS = 4
"""Of sound, by the clock that is in its packets."""


@pytest.mark.timeout(180)
@pytest.mark.parametrize("codec", ["VP8", "H264"])
async def test_ffmpeg_records_audio_and_video(
    router: Router, peer: Callable[[], Peer], tmp_path: Path, codec: str
) -> None:
    """The file has both codecs, the right length, and frames from the first key frame on."""
    alice = peer()
    publishing = await router.create_publish_transport()
    tracks = (Microphone(), Camera())
    await alice.publish(publishing, *tracks, codec=codec)
    publishers = [await publishing.publish(track.id) for track in tracks]
    for publisher in publishers:
        await publisher.wait_active()

    recording = await router.create_recording_transport("127.0.0.1", free_ports(4))
    description = tmp_path / "room.sdp"
    description.write_text(recording.generate_sdp(*(publisher.id for publisher in publishers)))
    film = tmp_path / "room.mkv"
    recorder = await asyncio.create_subprocess_exec(
        "ffmpeg", "-hide_banner", "-loglevel", "warning", "-protocol_whitelist", "file,rtp,udp",
        "-localaddr", "127.0.0.1", "-i", str(description), "-c", "copy", str(film),
        stdin=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    for port in (recording.port, recording.port + 2):
        await listening(port)
    running = [await recording.start_recording(publisher.id) for publisher in publishers]
    async with asyncio.timeout(60):
        async for stats in running[0].stats_stream(0.1):
            if int(stats["packets_sent"]) >= SECONDS * 50:
                break
        while not film.exists():  # noqa: ASYNC110  # FFmpeg looks at both streams first
            await asyncio.sleep(0.1)
    _, log = await asyncio.wait_for(recorder.communicate(b"q"), 60)
    assert film.exists(), log.decode()

    streams = {stream["codec_type"]: stream for stream in await probe(film)}
    assert (streams["audio"]["codec_name"], streams["video"]["codec_name"]) == ("opus", codec.lower()), (
        log.decode()
    )
    assert (streams["video"]["width"], streams["video"]["height"]) == (160, 120)
    assert int(streams["video"]["nb_read_frames"]) >= (SECONDS - 2) * RATE, (streams, log.decode())
    assert int(streams["audio"]["nb_read_frames"]) >= (SECONDS - 2) * 50, (streams, log.decode())
    length = float((await probe_format(film))["duration"])
    assert SECONDS - 2 < length < SECONDS + 2
    for publisher in publishers:
        await publisher.close()
    assert [track.close_reason for track in running] == ["publisher_closed"] * 2


async def listening(port: int) -> None:
    """Wait until somebody has bound a UDP port."""
    wanted = f":{port:04X} "
    sockets = Path("/proc/net/udp")
    async with asyncio.timeout(30):
        while wanted not in sockets.read_text():  # noqa: ASYNC110, ASYNC240  # the kernel tells nobody
            await asyncio.sleep(0.02)


async def probe(film: Path) -> list[dict[str, Any]]:
    """Return the streams, with their frames decoded and counted."""
    return list((await _ffprobe("-count_frames", "-show_streams", str(film)))["streams"])


async def probe_format(film: Path) -> dict[str, Any]:
    """Return what ffprobe says of the container."""
    return dict((await _ffprobe("-show_format", str(film)))["format"])


async def _ffprobe(*args: str) -> dict[str, Any]:
    process = await asyncio.create_subprocess_exec(
        "ffprobe", "-loglevel", "error", "-of", "json", *args, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await asyncio.wait_for(process.communicate(), 90)
    return dict(json.loads(out))
