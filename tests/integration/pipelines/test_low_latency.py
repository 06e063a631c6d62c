"""Low-latency HLS of a router: parts of real media that ffprobe reads, and a writer that misbehaves."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import m3u8
import pytest

from headwater import Router
from headwater.pipelines import hls
from headwater.pipelines.hls import HlsPackager
from headwater.pipelines.hls_parts import PartShelf
from headwater.protocols.hls import PartPlaylist
from tests.integration.pipelines.test_hls import fill
from tests.support.children import end_with_parent
from tests.support.packaging import bound, inject, packaged, published, segments, until
from tests.support.peer import Microphone, Peer
from tests.support.probe import pictures, probe

pytestmark = pytest.mark.timeout(240)

PARTS = {"container": "cmaf", "part_seconds": 0.35}


def playlist_of(packager: HlsPackager, name: str = "video") -> PartPlaylist:
    found = packager.shelf.renditions[name]
    assert isinstance(found, PartPlaylist)
    return found


def joined(packager: HlsPackager, folder: Path, names: list[str], rendition: str = "video") -> Path:
    """A file of an initialisation section and what follows it."""
    init = playlist_of(packager, rendition).segments[-1].init
    assert init
    paths = [packager.shelf.file(name) for name in (init, *names)]
    whole = folder / "whole.mp4"
    whole.write_bytes(b"".join(path.read_bytes() for path in paths if path))
    return whole


async def playable(packager: HlsPackager, folder: Path, names: list[str]) -> dict[str, dict[str, Any]]:
    """What ffprobe counts there."""
    return await probe(joined(packager, folder, names), "-count_frames")


@pytest.mark.parametrize("codec", ["H264", "VP8"])
async def test_parts_play_and_make_up_their_segments(
    router: Router, peer: Callable[[], Peer], tmp_path: Path, codec: str
) -> None:
    """Every part decodes behind the initialisation section; H264 goes through, VP8 does not."""
    await published(router, peer(), codec)
    async with packaged(router, tmp_path / "hls", window_seconds=20, **PARTS) as packager:
        await segments(packager, 3)
        theirs = m3u8.loads(playlist_of(packager).render())
        segment = next(one for one in theirs.segments[1:] if one.uri and one.parts)
        parts = [one.uri for one in segment.parts]
        pieces = [packager.shelf.file(name) for name in parts]
        whole = packager.shelf.file(segment.uri)
        assert whole
        assert b"".join(path.read_bytes() for path in pieces if path) == whole.read_bytes()
        assert sum(one.duration for one in segment.parts) == pytest.approx(segment.duration, abs=0.01)
        streams = await playable(packager, tmp_path, parts)
        assert (streams["video"]["codec_name"], streams["audio"]["codec_name"]) == ("h264", "opus")
        height = 120 if codec == "H264" else 144
        assert streams["video"]["height"] == height
        pictures = int(streams["video"]["nb_read_frames"])
        assert pictures == pytest.approx(segment.duration * 15, abs=3)
        for part in segment.parts:
            assert part.duration <= float(theirs.part_inf.part_target)
        assert segment.parts[0].independent == "YES"
        assert packager.restarts == 0
        listed = playlist_of(packager).segments
        for before, after in itertools.pairwise(listed):
            assert before.begins
            assert after.begins
            passed = (after.begins - before.begins).total_seconds()
            assert passed == pytest.approx(before.duration, abs=0.1), "the wall clock goes on beside it"
        await until(packager.thumbnail.is_file)
        assert (await probe(packager.thumbnail))["video"]["width"] == 320
    assert playlist_of(packager).render().endswith("#EXT-X-ENDLIST\n")
    assert not list((tmp_path / "hls").glob("*.sdp")), "its key is in there"


async def test_whoever_waits_gets_the_next_part(
    router: Router, peer: Callable[[], Peer], tmp_path: Path
) -> None:
    """It is there, whole, in the moment in which it is announced; those that never come end at the end."""
    await published(router, peer(), "H264")
    async with packaged(router, tmp_path / "hls", **PARTS) as packager:
        await segments(packager, 1)
        shelf = packager.shelf
        assert isinstance(shelf, PartShelf)
        for _ in range(8):
            msn, part = playlist_of(packager).newest
            wanted = (msn, part + 1) if part is not None else (msn + 1, 0)
            hint = playlist_of(packager).hint
            assert await shelf.wait_until(partial(playlist_of(packager).has, *wanted), 10)
            assert hint
            path = shelf.file(hint)
            assert path
            assert path.stat().st_size > 0
        waiting = asyncio.create_task(shelf.wait_until(lambda: playlist_of(packager).ended, 60))
        await asyncio.sleep(0)
    assert await waiting


async def test_a_stranger_does_not_get_into_the_parts(
    router: Router, peer: Callable[[], Peer], tmp_path: Path
) -> None:
    """The writer listens on loopback alone, and what comes without the key from there changes nothing."""
    await published(router, peer(), "H264")
    transports = len(router.transports)
    async with packaged(router, tmp_path / "hls", window_seconds=20, **PARTS) as packager:
        await segments(packager, 1)
        pid = packager.pid
        assert pid
        listening = bound(pid)
        assert [address for address, _ in listening] == ["0100007F"] * 4, "two m-lines, each with its reports"
        count = len(playlist_of(packager).segments)
        inject([port for _, port in listening])
        await segments(packager, count + 2)
        segment = playlist_of(packager).segments[count]
        streams = await playable(packager, tmp_path, [segment.uri])
        assert int(streams["video"]["nb_read_frames"]) == pytest.approx(segment.duration * 15, abs=3)
        assert packager.restarts == 0
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert len(router.transports) == transports


@pytest.mark.parametrize("harm", [signal.SIGKILL, signal.SIGSTOP])
async def test_a_writer_that_dies_or_hangs_is_replaced(
    router: Router,
    peer: Callable[[], Peer],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    harm: signal.Signals,
) -> None:
    """What it had begun becomes a segment, and behind a discontinuity it goes on."""
    await published(router, peer(), "H264")
    async with packaged(router, tmp_path / "hls", window_seconds=60, **PARTS) as packager:
        before = len(await segments(packager, 2))
        pid = packager.pid
        assert pid is not None
        monkeypatch.setattr(hls, "_SILENT_SECONDS", 1000)  # that it is silent must not be needed
        monkeypatch.setattr(hls, "_PATIENCE", 1000)
        os.kill(pid, harm)
        await until(lambda: packager.restarts == 1)
        await segments(packager, before + 3)
        found = playlist_of(packager).segments
        assert [one.discontinuity for one in found].count(True) == 1
        seam = next(place for place, one in enumerate(found) if one.discontinuity)
        assert found[seam].init != found[seam - 1].init
        theirs = m3u8.loads(playlist_of(packager).render())
        assert theirs.segments[seam].discontinuity
        assert theirs.segments[seam].init_section.uri == found[seam].init
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
        streams = await playable(packager, tmp_path, [found[-1].uri])
        assert int(streams["video"]["nb_read_frames"]) > 5


async def test_a_disk_that_is_really_full(router: Router, peer: Callable[[], Peer], small_disk: Path) -> None:
    """The writer ends with an error, nothing that is listed is half, and with room it goes on."""
    await published(router, peer(), "H264")
    async with packaged(router, small_disk / "hls", window_seconds=60, least_free=0, **PARTS) as packager:
        await segments(packager, 2)
        ballast = small_disk / "ballast"
        fill(ballast)
        await until(lambda: packager.restarts > 0)
        count = len(playlist_of(packager).segments)
        ballast.unlink()
        await segments(packager, count + 2)
        found = playlist_of(packager).segments
        assert any(one.discontinuity for one in found)
        assert all((small_disk / "hls" / one.uri).stat().st_size for one in found)
        assert int((await playable(packager, small_disk, [found[-1].uri]))["video"]["nb_read_frames"]) > 5


@pytest.mark.parametrize(("codec", "ladder"), [("VP8", (120, 64)), ("H264", (64,))])
async def test_a_ladder_comes_in_parts_that_begin_alike(
    router: Router, peer: Callable[[], Peer], tmp_path: Path, codec: str, ladder: tuple[int, ...]
) -> None:
    """Both sizes begin their segments with a key frame of the same moment, and tell how far the other is."""
    await published(router, peer(), codec)
    async with packaged(router, tmp_path / "hls", window_seconds=20, ladder=ladder, **PARTS) as packager:
        shelf = packager.shelf
        assert isinstance(shelf, PartShelf)
        await until(lambda: len(shelf.renditions) == 2)
        await until(lambda: min(len(one.segments) for one in shelf.renditions.values()) >= 4)
        starts = []
        for name, size in (("video0", (86, 64)), ("video1", (160, 120))):
            found = []
            for segment in playlist_of(packager, name).segments[:4]:
                whole = joined(packager, tmp_path, [segment.uri], name)
                video = (await probe(whole))["video"]
                assert (video["width"], video["height"], video["codec_name"]) == (*size, "h264")
                at, is_key = (await pictures(whole))[0]
                assert is_key
                found.append(at)
            starts.append(found)
        assert starts[0] == pytest.approx(starts[1], abs=0.001)
        (report,) = shelf.reports("video0")
        assert (report.uri, report.msn) == ("video1.m3u8", playlist_of(packager, "video1").newest[0])
        assert packager.restarts == 0


async def test_sound_alone_comes_in_parts_too(
    router: Router, peer: Callable[[], Peer], tmp_path: Path
) -> None:
    """After a while without pictures it is a radio; every part stands for itself."""
    publishing = await router.create_publish_transport()
    track = Microphone()
    await peer().publish(publishing, track)
    await (await publishing.publish(track.id)).wait_active()
    async with packaged(router, tmp_path / "hls", **PARTS) as packager:
        await until(lambda: "sound" in packager.shelf.renditions)
        theirs = m3u8.loads(playlist_of(packager, "sound").render())
        assert all(part.independent == "YES" for one in theirs.segments for part in one.parts)


async def test_av1_from_ffmpeg_goes_through(router: Router, tmp_path: Path) -> None:
    """FFmpeg 9 sends it by RTP and asks for nothing; its own key frames begin the segments."""
    coming = await router.create_plain_transport(rtcp_mux=False, comedia=True)
    video = await coming.produce("video", AV1)
    assert coming.rtcp_tuple is not None
    port, reports = coming.tuple.local_port, coming.rtcp_tuple.local_port
    process = await asyncio.create_subprocess_exec(
        *(imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-loglevel", "error"),
        *("-re", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=15", "-pix_fmt", "yuv420p"),
        *("-c:v", "libsvtav1", "-preset", "12", "-g", "15", "-svtav1-params", "pred-struct=1"),
        *("-strict", "experimental", "-payload_type", "101", "-ssrc", "22222222"),
        *("-f", "rtp", f"rtp://127.0.0.1:{port}?rtcpport={reports}&pkt_size=1200"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        preexec_fn=end_with_parent,
    )
    try:
        await asyncio.wait_for(video.wait_active(), 20)
        async with packaged(router, tmp_path / "hls", window_seconds=20, **PARTS) as packager:
            await segments(packager, 3)
            streams = await playable(packager, tmp_path, [playlist_of(packager).segments[1].uri])
            assert (streams["video"]["codec_name"], streams["video"]["width"]) == ("av1", 320)
            assert int(streams["video"]["nb_read_frames"]) == pytest.approx(15, abs=3)
            assert packager.restarts == 0
    finally:
        process.terminate()
        _, log = await process.communicate()
        assert b"rror" not in log, log


AV1: dict[str, Any] = {
    "codecs": [{"mimeType": "video/AV1", "payloadType": 101, "clockRate": 90000}],
    "encodings": [{"ssrc": 22222222}],
}
