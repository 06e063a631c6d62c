"""HLS of a router: real media in, segments that ffprobe reads, and an FFmpeg that misbehaves."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import m3u8
import pytest
from aiortc import MediaStreamTrack

from headwater import Router
from headwater.pipelines import hls
from headwater.pipelines.ffmpeg import find_ffmpeg
from headwater.pipelines.hls import HlsPackager
from headwater.pipelines.hls_command import Packaging, Picture, arguments
from headwater.protocols.hls import Delivery
from headwater.servers.hls_delivery import HlsDelivery
from tests.support.packaging import bound, inject, packaged, published, segments, until
from tests.support.peer import Camera, Microphone, Peer
from tests.support.probe import pictures, probe

pytestmark = pytest.mark.timeout(240)


async def test_fragmented_mp4_keeps_h264_and_opus(
    router: Router, peer: Callable[[], Peer], tmp_path: Path
) -> None:
    """Neither is encoded again; both parsers find the initialisation section."""
    await published(router, peer(), "H264")
    async with packaged(router, tmp_path / "hls", window_seconds=20, container="cmaf") as packager:
        await segments(packager, 4)
        theirs = read_by_another_parser(packager)
        assert theirs.segments[0].init_section.uri == packager.shelf.renditions["video"].segments[0].init
        playlist = tmp_path / "hls" / "index.m3u8"
        playlist.write_text(packager.shelf.renditions["video"].render() + "#EXT-X-ENDLIST\n")
        whole = await probe(playlist, "-count_frames")
        assert (whole["video"]["codec_name"], whole["audio"]["codec_name"]) == ("h264", "opus")
        assert int(whole["video"]["nb_read_frames"]) > 20
        assert packager.restarts == 0


@pytest.mark.parametrize("codec", ["H264", "VP8"])
async def test_pictures_and_sound_become_segments(
    router: Router, peer: Callable[[], Peer], tmp_path: Path, codec: str
) -> None:
    """Each segment holds both, decodes without an error, and is as long as it says."""
    await published(router, peer(), codec)
    async with packaged(router, tmp_path / "hls", window_seconds=20) as packager:
        files = await segments(packager, 4)
        playlist = tmp_path / "hls" / "index.m3u8"
        playlist.write_text(packager.shelf.renditions["video"].render() + "#EXT-X-ENDLIST\n")
        streams = await probe(files[2])
        assert (streams["video"]["codec_name"], streams["audio"]["codec_name"]) == ("h264", "aac")
        whole = await probe(playlist, "-count_frames")
        assert int(whole["video"]["nb_read_frames"]) > 20
        assert packager.restarts == 0
        assert all(0.4 < one.duration < 3 for one in packager.shelf.renditions["video"].segments)
        read_by_another_parser(packager)
    assert packager.shelf.renditions["video"].render().endswith("#EXT-X-ENDLIST\n")
    assert not list((tmp_path / "hls").glob("*.sdp")), "its key is in there"


def read_by_another_parser(packager: HlsPackager, name: str = "video") -> m3u8.M3U8:
    """A parser that is not ours finds in a playlist what we put there."""
    ours = packager.shelf.renditions[name]
    theirs = m3u8.loads(ours.render())
    assert (theirs.media_sequence, theirs.target_duration) == (ours.sequence, ours.target)
    assert [(one.uri, one.discontinuity, one.duration) for one in theirs.segments] == [
        (one.uri, one.discontinuity, pytest.approx(one.duration, abs=1e-5)) for one in ours.segments
    ]
    assert all(one.duration < ours.target + 0.5 for one in theirs.segments)
    assert theirs.is_endlist == ours.ended
    return theirs


@pytest.mark.parametrize("harm", [signal.SIGKILL, signal.SIGSTOP])
async def test_an_ffmpeg_that_dies_or_hangs_is_replaced(
    router: Router,
    peer: Callable[[], Peer],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    harm: signal.Signals,
) -> None:
    """The playlist goes on with a discontinuity, and the old process is gone."""
    await published(router, peer(), "H264")
    async with packaged(router, tmp_path / "hls", window_seconds=60) as packager:
        before = len(await segments(packager, 2))
        pid = packager.pid
        assert pid is not None
        monkeypatch.setattr(hls, "_SILENT_SECONDS", 1000)  # that it is silent must not be needed
        monkeypatch.setattr(hls, "_PATIENCE", 1000)
        os.kill(pid, harm)
        await until(lambda: packager.restarts == 1)
        await segments(packager, before + 2)
        playlist = packager.shelf.renditions["video"]
        assert [one.discontinuity for one in playlist.segments].count(True) == 1
        read_by_another_parser(packager)
        assert packager.pid not in (None, pid)
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


async def test_a_stranger_does_not_get_into_the_segments(
    router: Router, peer: Callable[[], Peer], tmp_path: Path
) -> None:
    """FFmpeg listens on loopback alone, and what comes without the key from there changes nothing."""
    await published(router, peer(), "H264")
    async with packaged(router, tmp_path / "hls", window_seconds=20) as packager:
        await segments(packager, 1)
        assert packager.pid
        listening = bound(packager.pid)
        assert [address for address, _ in listening] == ["0100007F"] * 4, "two m-lines, each with its reports"
        count = len(packager.shelf.renditions["video"].segments)
        inject([port for _, port in listening])
        files = await segments(packager, count + 2)
        segment = packager.shelf.renditions["video"].segments[count]
        streams = await probe(files[count], "-count_frames")
        assert int(streams["video"]["nb_read_frames"]) == pytest.approx(segment.duration * 15, abs=3)
        assert packager.restarts == 0


async def test_a_full_disk_stops_the_writing_and_nothing_else(
    router: Router, peer: Callable[[], Peer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was written stays whole; with room again it goes on."""
    await published(router, peer(), "H264")
    async with packaged(router, tmp_path / "hls", window_seconds=60) as packager:
        await segments(packager, 2)
        with monkeypatch.context() as patch:
            patch.setattr(HlsPackager, "_has_room", lambda self: False)
            await until(lambda: packager.state == "disk_full")
            assert packager.pid is None
            count = len(packager.shelf.renditions["video"].segments)
        await segments(packager, count + 1)
        assert packager.problem == ""


async def test_a_disk_that_is_really_full(router: Router, peer: Callable[[], Peer], small_disk: Path) -> None:
    """FFmpeg writes half a segment and an empty playlist; nobody is ever served either."""
    await published(router, peer(), "H264")
    async with packaged(router, small_disk / "hls", window_seconds=60, least_free=0) as packager:
        await segments(packager, 2)
        ballast = small_disk / "ballast"
        fill(ballast)
        runs = packager.restarts
        await until(lambda: packager.restarts > runs)
        count = len(await whole(packager))
        ballast.unlink()
        await segments(packager, count + 2)
        await whole(packager)
        assert any(one.discontinuity for one in packager.shelf.renditions["video"].segments)
        await until(lambda: packager.state == "packaging" and not packager.problem)
    assert not list((small_disk / "hls").glob("*.sdp"))


async def whole(packager: HlsPackager) -> list[Path]:
    """The files in the window, each of which plays without a complaint."""
    files = await segments(packager, 1)
    for path in files:
        assert "video" in await probe(path)
    return files


def fill(path: Path) -> None:
    """Leave no byte on a disk."""
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        for size in (65536, 4096, 512, 1):
            with contextlib.suppress(OSError):
                while file.write(bytes(size)):
                    pass


@pytest.mark.parametrize(
    ("codec", "ladder", "encoded"), [("VP8", (120, 64), [64, 120]), ("H264", (64,), [64])]
)
async def test_a_ladder_is_cut_at_the_same_moments(
    router: Router,
    peer: Callable[[], Peer],
    tmp_path: Path,
    codec: str,
    ladder: tuple[int, ...],
    encoded: list[int],
) -> None:
    """Every rendition has its size, and segments that begin with a key frame when the others' do."""
    await published(router, peer(), codec)
    async with packaged(router, tmp_path / "hls", window_seconds=20, ladder=ladder) as packager:
        shelf = packager.shelf
        await until(lambda: len(shelf.renditions) == 2)
        await until(lambda: min(len(one.segments) for one in shelf.renditions.values()) >= 4)
        starts = []
        for name, size in (("video0", (86, 64)), ("video1", (160, 120))):
            shape = packager.shapes[name]
            assert (shape.width, shape.height) == size
            assert bool(shape.bitrate) == (size[1] in encoded)
            files = [shelf.file(one.uri) for one in shelf.renditions[name].segments[:4]]
            found = (await probe(files[0]))["video"]
            assert (found["width"], found["height"], found["codec_name"]) == (*size, "h264")
            if shape.bitrate:
                assert shape.codecs.split(",")[0] == f"avc1.4d40{found['level']:02x}"
            firsts = [(await pictures(path))[0] for path in files]
            assert all(is_key for _, is_key in firsts)
            starts.append([at for at, _ in firsts])
            read_by_another_parser(packager, name)
        assert starts[0] == pytest.approx(starts[1], abs=0.001)
        assert packager.restarts == 0


async def test_a_pause_is_not_caught_up_with(tmp_path: Path) -> None:
    """After two and a half seconds without pictures there is one key frame, not one for each grid line."""
    command = arguments(Packaging(tmp_path / "x.sdp", "r1", [Picture("video", "VP8")], None, "ts", 1.0))
    at = command.index("-force_key_frames")
    film = tmp_path / "film.mp4"
    source = "testsrc=size=64x64:rate=10:duration=7,select=not(between(t\\,2.05\\,4.55))"
    process = await asyncio.create_subprocess_exec(
        *(str(find_ffmpeg()), "-loglevel", "error", "-f", "lavfi", "-i", source),
        *("-c:v", "libx264", "-tune", "zerolatency", "-fps_mode", "vfr", *command[at : at + 2], str(film)),
    )
    assert await process.wait() == 0
    keys = [at for at, is_key in await pictures(film) if is_key]
    assert keys == pytest.approx([0, 1, 2, 4.6, 5.6, 6.6], abs=0.11)


async def test_a_thumbnail_is_made_every_ten_seconds(tmp_path: Path) -> None:
    """At once, and then one for each ten seconds of the film."""
    picture = tmp_path / "thumbnail.jpg"
    packaging = Packaging(
        tmp_path / "x.sdp", "r1", [Picture("video", "H264")], None, "ts", 1.0, thumbnail=picture
    )
    command = arguments(packaging)
    at = command.index(str(picture))
    start = at - command[at::-1].index("-map")
    options = [one for one in command[start:at] if one not in ("-update", "1")]
    process = await asyncio.create_subprocess_exec(
        *(
            str(find_ffmpeg()),
            "-loglevel",
            "error",
            "-f",
            "lavfi",
            "-i",
            "testsrc=size=640x360:rate=5:duration=25",
        ),
        *options[: options.index("-atomic_writing")],
        str(tmp_path / "one%d.jpg"),
    )
    assert await process.wait() == 0
    made = [tmp_path / f"one{number}.jpg" for number in range(1, 5)]
    assert [path.exists() for path in made] == [True, True, True, False]
    assert len({path.read_bytes() for path in made[:3]}) == 3
    assert (await probe(made[0]))["video"]["width"] == 320


@pytest.mark.parametrize(
    "parts", [{}, {"container": "cmaf", "part_seconds": 0.35}], ids=["segments", "parts"]
)
async def test_sound_alone_is_packaged_too(
    router: Router, peer: Callable[[], Peer], tmp_path: Path, parts: dict[str, Any]
) -> None:
    """After a while without pictures it is a radio, until they come; nobody is told that there is nothing."""
    await _sent(router, peer(), Microphone())
    async with packaged(router, tmp_path / "hls", **parts) as packager:
        await until(lambda: packager.shelf.ready)
        delivery = HlsDelivery(packager)
        offered = [await delivery.playlist("index.m3u8", "", Delivery())]
        assert "\nsound.m3u8\n" in offered[0]
        await _sent(router, peer(), Camera())
        async with asyncio.timeout(60):
            while "#EXTINF" not in offered[-1]:  # of pictures in one size it is the playlist itself
                await asyncio.sleep(0.05)
                offered.append(await delivery.playlist("index.m3u8", "", Delivery()))
        assert "#EXT-X-ENDLIST" not in offered[-1]
        assert "#EXT-X-ENDLIST" in await delivery.playlist("sound.m3u8", "", Delivery())


async def _sent(router: Router, client: Peer, track: MediaStreamTrack) -> None:
    """One track of a client, once it comes."""
    publishing = await router.create_publish_transport()
    await client.publish(publishing, track)
    await (await publishing.publish(track.id)).wait_active()


async def test_nothing_is_left_over(router: Router, peer: Callable[[], Peer], tmp_path: Path) -> None:
    """Ports, transports, key and process go with the packager."""
    await published(router, peer(), "H264")
    transports = len(router.transports)
    async with packaged(router, tmp_path / "hls") as packager:
        await segments(packager, 1)
        pid = packager.pid
        assert len(router.transports) == transports + 2
    assert pid is not None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert len(router.transports) == transports
