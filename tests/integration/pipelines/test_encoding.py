"""Pictures that are encoded again keep to their bitrate, however many come in a second.

The films have the clock of RTP, 90,000 ticks a second, and no number of pictures a second: FFmpeg then
takes the ticks for it, if they come as unevenly as from a browser at work.
"""

from __future__ import annotations

import asyncio
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.stream import VideoStream

from headwater.pipelines.ffmpeg import find_ffmpeg
from headwater.pipelines.hls_command import Packaging, Picture, arguments
from headwater.pipelines.part_cutter import Sample
from headwater.pipelines.part_encoder import PictureEncoder
from headwater.pipelines.part_job import PartRendition
from tests.support.probe import pictures

_SIZE = (320, 180)
_SECONDS = 8
_RATES = (10, 30, 60)
"""Pictures a second."""


async def ffmpeg(*arguments: str) -> None:
    """Run it to its end."""
    process = await asyncio.create_subprocess_exec(str(find_ffmpeg()), "-y", "-loglevel", "error", *arguments)
    assert await asyncio.wait_for(process.wait(), 60) == 0


async def film(folder: Path, rate: int, *, noise: int = 70) -> Path:
    """Pictures as VP8 with the clock of RTP; so much noise is more than a rendition may hold."""
    path = folder / "film.ivf"
    width, height = _SIZE
    source = f"testsrc=size={width}x{height}:rate={rate}:duration={_SECONDS},noise=alls={noise}:allf=t"
    source += f",settb=1/90000,setpts=PTS+floor(random(1)/2/{rate}*90000)"  # FFmpeg does not guess a rate
    await ffmpeg(
        *("-f", "lavfi", "-i", source, "-c:v", "libvpx", "-b:v", "6M", "-deadline", "realtime"),
        *("-cpu-used", "8", "-fps_mode", "vfr", "-enc_time_base", "1:90000", str(path)),
    )
    return path


async def packaged(film: Path) -> tuple[Path, int]:
    """What FFmpeg is told to make of the film, and the bitrate that it is told."""
    picture = Picture("video", "VP8", 0, *_SIZE)
    packaging = Packaging(film.with_suffix(".sdp"), "r1", [picture], None)
    command = arguments(packaging)
    options = command[command.index("-c:v") : command.index("-force_key_frames") + 2]
    made = film.with_suffix(".mp4")
    await ffmpeg("-i", str(film), *options, str(made))
    return made, packaging.bitrate(picture)


@pytest.mark.parametrize("rate", _RATES)
async def test_segments_keep_to_their_bitrate(rate: int, tmp_path: Path) -> None:
    """However many pictures there are."""
    made, bitrate = await packaged(await film(tmp_path, rate))
    assert made.stat().st_size * 8 / _SECONDS == pytest.approx(bitrate, rel=0.35)


async def test_key_frames_of_segments_are_not_grey(tmp_path: Path) -> None:
    """A rate control that thinks of 90,000 pictures a second has nothing left for a key frame."""
    made, _ = await packaged(await film(tmp_path, 15, noise=0))
    with av.open(made) as result:
        keys = [frame for frame in result.decode(video=0) if frame.key_frame]
    assert len(keys) == _SECONDS / 2
    with av.open(tmp_path / "film.ivf") as source:
        theirs = {round(float(frame.time or 0), 2): frame for frame in source.decode(video=0)}
    for key in keys:
        picture, wanted = (
            one.to_ndarray(format="gray").astype(int) for one in (key, theirs[round(key.time, 2)])
        )
        assert np.abs(picture - wanted).mean() < 8


@pytest.mark.parametrize("rate", _RATES)
async def test_parts_keep_to_their_bitrate(rate: int, tmp_path: Path) -> None:
    """Low-latency HLS encodes with the same rate control."""
    bitrate, length = 380_000, 0
    rendition = PartRendition("video", 0, *_SIZE, bitrate=bitrate)
    with av.open(await film(tmp_path, rate)) as source:
        stream = source.streams.video[0]
        assert isinstance(stream, VideoStream)
        encoder = PictureEncoder(stream, rendition, 2.0)
        for packet in source.demux(stream):
            if packet.pts is None:
                continue
            at = float(packet.pts * (packet.time_base or Fraction(1, 90_000)))
            sample = Sample(at, 1 / rate, True, packet.is_keyframe, packet)
            length += sum(len(bytes(made.data)) for made in encoder.encode(sample))
    assert length * 8 / _SECONDS == pytest.approx(bitrate, rel=0.35)


async def test_a_sender_with_few_key_frames_is_followed(tmp_path: Path) -> None:
    """What is encoded beside a picture that goes through has its key frames and none in between."""
    source, made = tmp_path / "source.mp4", tmp_path / "made.mp4"
    await ffmpeg(
        *("-f", "lavfi", "-i", "testsrc=size=64x64:rate=60:duration=10", "-c:v", "libx264", "-g", "9999"),
        *("-sc_threshold", "0", "-tune", "zerolatency", "-force_key_frames", "5", str(source)),
    )
    small, whole = Picture("video0", "H264", 0, 32, 32), Picture("video1", "H264")
    command = arguments(Packaging(tmp_path / "x.sdp", "r1", [small, whole], None))
    options = command[command.index("-c:v") : command.index("-force_key_frames") + 2]
    await ffmpeg("-i", str(source), *options, str(made))
    for path in (source, made):
        keys = [at for at, is_key in await pictures(path) if is_key]
        assert keys == pytest.approx([0, 5], abs=0.05), path.name
