"""FFmpeg receives what a PlainTransport sends, encrypted, and nobody can add to it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shutil
import socket
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import imageio_ffmpeg
import numpy as np
import pytest

from headwater import PlainTrack, PlainTransport, PortPair, Publisher, Router
from tests.support.peer import RATE, Camera, Microphone, Peer

SECONDS = 4
SUITE: Literal["AES_CM_128_HMAC_SHA1_80"] = "AES_CM_128_HMAC_SHA1_80"
"""The one suite of SDES that FFmpeg has."""


@dataclass
class Recording:
    """FFmpeg at work on what some transports send."""

    process: Process
    transports: list[PlainTransport]
    tracks: list[PlainTrack]
    ports: list[PortPair]
    film: Path

    async def has_heard(self, seconds: float) -> None:
        """Wait until so much sound was sent, by the clock in its packets, and FFmpeg writes."""
        async with asyncio.timeout(60):
            async for stats in self.tracks[0].stats_stream(0.1):
                if int(stats["packets_sent"]) >= seconds * 50:
                    break
            while not self.film.exists():  # noqa: ASYNC110  # FFmpeg looks at all streams first
                await asyncio.sleep(0.1)

    async def finish(self) -> str:
        """Let FFmpeg finish the file; return its log."""
        _, log = await asyncio.wait_for(self.process.communicate(b"q"), 60)
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
    router: Router,
    publishers: list[Publisher],
    folder: Path,
    ffmpeg: str,
    *,
    srtp: Any = SUITE,
    paused: bool = False,
) -> Recording:
    """Send each publisher to a pair of ports of FFmpeg, as the documentation says, at once or later."""
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
        assert await pair.wait_bound(60), "FFmpeg listens"
    for track in tracks if not paused else ():
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


@pytest.mark.timeout(240)
@pytest.mark.parametrize("name", ffmpegs())
@pytest.mark.parametrize("codec", ["VP8", "H264"])
async def test_ffmpeg_records_what_is_sent_to_it_encrypted(
    router: Router, peer: Callable[[], Peer], tmp_path: Path, codec: str, name: str
) -> None:
    """The file has both codecs, the right length, and frames from the first key frame on."""
    alice = peer()
    publishers = await published(router, alice, codec)
    recording = await record(router, publishers, tmp_path, ffmpeg_named(name))
    await recording.has_heard(SECONDS)
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
    out, _ = await asyncio.wait_for(process.communicate(), 90)
    return list(json.loads(out)["streams"])


@pytest.mark.timeout(240)
@pytest.mark.parametrize("name", ffmpegs())
async def test_a_stranger_does_not_get_into_the_recording(
    router: Router, peer: Callable[[], Peer], tmp_path: Path, name: str
) -> None:
    """Another sender at FFmpeg's ports, on this machine and from another, adds nothing."""
    alice = peer()
    microphone, _ = await published(router, alice, "VP8")
    heard = {}
    for srtp in (None, SUITE):
        folder = tmp_path / str(srtp)
        folder.mkdir()
        recording = await record(router, [microphone], folder, ffmpeg_named(name), srtp=srtp, paused=True)
        port = recording.ports[0].port
        assert bound_addresses(port) == {"127.0.0.1"}, "nobody reaches it from elsewhere"
        payload_type = microphone.codec.payload_type
        async with contextlib.AsyncExitStack() as attack:
            await attack.enter_async_context(stranger(f"rtp://127.0.0.1:{port}", payload_type))
            if (reach := await attack.enter_async_context(another_machine())) is not None:
                via, address = reach
                await attack.enter_async_context(stranger(f"rtp://{address}:{port}", payload_type, *via))
            await recording.tracks[0].resume()
            await recording.has_heard(SECONDS / 2)
            log = await recording.finish()
        heard[srtp] = await loudness(recording.film, STRANGER), await loudness(recording.film, OURS), log
    assert heard[None][0] > 0.01, f"the attack is one: {heard}"
    assert heard[SUITE][1] > 0.01, f"what was to be recorded is there: {heard}"
    assert heard[SUITE][0] < heard[None][0] / 100, f"and nothing else: {heard}"


OURS, STRANGER = 440, 1700
"""Hz."""


@contextlib.asynccontextmanager
async def stranger(url: str, payload_type: int, *via: str) -> AsyncIterator[None]:
    """Send a tone to somebody's port; one second of it before the block begins."""
    process = await asyncio.create_subprocess_exec(
        *via, "ffmpeg", "-loglevel", "error", "-stats_period", "0.2", "-progress", "pipe:1", "-re",
        "-f", "lavfi", "-i", f"sine=frequency={STRANGER}:sample_rate=48000", "-c:a", "libopus", "-ac", "2",
        "-payload_type", str(payload_type), "-f", "rtp", url,
        stdin=DEVNULL, stdout=PIPE, stderr=PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            async for line in process.stdout:
                if (told := re.match(rb"out_time_us=(\d+)", line)) and int(told[1]) >= 1_000_000:
                    break
        yield
        assert process.returncode is None, await process.communicate()
    finally:
        if process.returncode is None:
            process.terminate()
            await process.communicate()


@contextlib.asynccontextmanager
async def another_machine() -> AsyncIterator[tuple[tuple[str, ...], str] | None]:
    """Have a second network; yield how to run something there, and our address. Needs root."""
    if os.geteuid() != 0:
        yield None
        return
    there = await asyncio.create_subprocess_exec("unshare", "--net", "sleep", "120")
    via = ("nsenter", "--net", "--target", str(there.pid))
    device = f"hwp{os.getpid() % 100_000}"
    network = f"10.97.{os.getpid() % 250}"  # another run on this machine has another one
    try:
        await until_unshared(there.pid)
        for command in (
            f"ip link add {device} type veth peer name attacker netns {there.pid}",
            f"ip address add {network}.1/24 dev {device}",
            f"ip link set {device} up",
            " ".join(via) + f" ip address add {network}.2/24 dev attacker",
            " ".join(via) + " ip link set attacker up",
        ):
            process = await asyncio.create_subprocess_exec(*command.split())
            assert await process.wait() == 0, command
        yield via, f"{network}.1"
    finally:
        there.kill()
        await there.wait()


async def until_unshared(pid: int) -> None:
    """Wait until a process is in a network of its own."""
    home = os.stat("/proc/self/ns/net").st_ino
    async with asyncio.timeout(30):
        while os.stat(f"/proc/{pid}/ns/net").st_ino == home:  # noqa: ASYNC110  # the kernel tells nobody
            await asyncio.sleep(0.01)


def bound_addresses(port: int) -> set[str]:
    """Where anybody listens on a UDP port."""
    rows = [line.split() for line in Path("/proc/net/udp").read_text().splitlines()[1:]]
    local = [row[1].split(":") for row in rows]
    return {socket.inet_ntoa(bytes.fromhex(ip)[::-1]) for ip, number in local if int(number, 16) == port}


async def loudness(film: Path, frequency: int) -> float:
    """How much of a tone is in a film, from 0 to 1."""
    process = await asyncio.create_subprocess_exec(
        "ffmpeg", "-loglevel", "error", "-i", str(film), "-map", "0:a", "-ac", "1", "-ar", "48000",
        "-f", "s16le", "-", stdin=DEVNULL, stdout=PIPE,
    )  # fmt: skip
    out, _ = await asyncio.wait_for(process.communicate(), 90)
    samples = np.frombuffer(out, np.int16).astype(np.float64) / 32768
    windows = samples[: len(samples) // 4800 * 4800].reshape(-1, 4800)  # of 100 ms: 10 Hz apart
    spectrum = np.abs(np.fft.rfft(windows, axis=1)) / 2400
    return float(spectrum[:, frequency // 10].max())
