"""How FFmpeg is told to package: one SDP in, one playlist for each rendition out.

H264 and AAC go through as they are. Other pictures become H264, other sound AAC, where the container or
the players need it: MPEG-TS holds neither VP8, VP9, AV1 nor (for players) Opus; fragmented MP4 holds all
but VP8. VP9 is encoded again even so: FFmpeg does not know its key frames when it comes by RTP, and then
copies nothing. Key frames of what passes through come on the grid because they are asked for; the minimum
length of a segment is therefore a little below the grid, or a key frame that came early would cost a whole
one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

__all__ = ["RATE_BY_MOMENTS", "Container", "Packaging", "Picture", "arguments"]

Container = Literal["ts", "cmaf"]


@dataclass(frozen=True, slots=True)
class Picture:
    """One rendition of a video m-line of the SDP.

    Attributes:
        name: Of the rendition, part of file names.
        codec: As in SDP ("H264", "VP8", ...).
        line: Which video m-line, from 0.
        width: Pixels that it is encoded in; 0: as it comes, or as high as `Packaging.height`.
        height: Likewise.
    """

    name: str
    codec: str
    line: int = 0
    width: int = 0
    height: int = 0


@dataclass(frozen=True, slots=True)
class Packaging:
    """One run of FFmpeg.

    Attributes:
        sdp: Its description of the input.
        prefix: Of all file names, different in every run.
        pictures: Smallest first; empty for sound alone.
        sound: Codec of the audio m-line; none when there is no sound.
        container: What segments are.
        segment_seconds: The grid.
        height: Lines of pictures that have to be encoded again and have no size.
        thumbnail: Where a small picture is renewed.
    """

    sdp: Path
    prefix: str
    pictures: Sequence[Picture]
    sound: str | None
    container: Container = "ts"
    segment_seconds: float = 2.0
    height: int = 720
    thumbnail: Path | None = None

    def playlist(self, rendition: str) -> str:
        """File name of FFmpeg's own playlist of a rendition."""
        return f"{self.prefix}_{rendition}.m3u8"

    @property
    def renditions(self) -> list[str]:
        """Names of all renditions."""
        return [picture.name for picture in self.pictures] or [SOUND_ONLY]

    def copies(self, picture: Picture) -> bool:
        """Whether a picture goes through as it is."""
        holds = ("H264",) if self.container == "ts" else ("H264", "AV1")
        return not picture.height and picture.codec.upper() in holds

    @property
    def follows_sender(self) -> bool:
        """Whether segments begin where the sender makes key frames."""
        return any(self.copies(one) for one in self.pictures)

    def size(self, picture: Picture) -> tuple[int, int]:
        """Width and height in which a picture is encoded; without a size of its own the width is a guess."""
        return (picture.width, picture.height) if picture.height else (self.height * 16 // 9, self.height)

    def bitrate(self, picture: Picture) -> int:
        """Bit/s that an encoded picture is held to: 3 Mbit/s with 720 lines, more with more."""
        part: float = (min(self.size(picture)) / 720) ** 1.5
        return round(_RATE_OF_720 * part / 10_000) * 10_000

    def level(self, picture: Picture) -> int:
        """H264's level, times ten, of an encoded picture at 30 frames a second (H.264 table A-1)."""
        blocks = math.prod(math.ceil(side / 16) for side in self.size(picture))
        return next((level for level, most in _LEVELS if blocks <= most), _LEVELS[-1][0])

    @property
    def sound_is_copied(self) -> bool:
        """Whether sound goes through as it is."""
        return self.container == "cmaf" and (self.sound or "").lower() == "opus"


def arguments(packaging: Packaging) -> list[str]:
    """The command line, without the program and what `run_ffmpeg` adds."""
    command = [
        *("-protocol_whitelist", "file,udp,rtp,srtp", "-localaddr", "127.0.0.1"),
        *("-fflags", "+genpts+discardcorrupt", "-analyzeduration", "3M", "-probesize", "2M"),
        *("-reorder_queue_size", "64", "-max_delay", "150000", "-f", "sdp", "-i", str(packaging.sdp)),
    ]
    for picture in packaging.pictures:
        command += _output(packaging, picture)
    if not packaging.pictures:
        command += [*_sound(packaging), *_muxer(packaging, SOUND_ONLY)]
    if packaging.thumbnail and packaging.pictures:
        command += _thumbnail(packaging.thumbnail)
    return command


def _output(packaging: Packaging, picture: Picture) -> list[str]:
    command = ["-map", f"0:v:{picture.line}", *_video(packaging, picture)]
    if packaging.sound:
        command += _sound(packaging)
    return [*command, *_muxer(packaging, picture.name)]


def _video(packaging: Packaging, picture: Picture) -> list[str]:
    if packaging.copies(picture):
        return ["-c:v", "copy"]
    most, level = f"{packaging.bitrate(picture)}", f"{packaging.level(picture) / 10:g}"
    # Renditions are cut alike: on the grid, or where one that is copied has its key frames.
    # Not by counting them: after a pause a grid is caught up with by key frame after key frame.
    grid = f"expr:if(isnan(prev_forced_t),1,gte(t,prev_forced_t+{packaging.segment_seconds:g}))"
    return [
        *("-c:v", "libx264", "-preset", "veryfast", "-tune", "zerolatency", "-profile:v", "main"),
        *("-pix_fmt", "yuv420p", "-crf", "24", "-maxrate", most, "-bufsize", most, "-level:v", level),
        *("-vf", _scaling(packaging, picture), "-sc_threshold", "0"),
        # Moments stay exact: FFmpeg's own clock ticks as often as it believes there are pictures.
        *("-fps_mode", "vfr", "-enc_time_base", "1:90000", "-x264-params", RATE_BY_MOMENTS),
        # Else x264 makes one of its own every 250 pictures, where what passes through has none.
        *("-g", "10000", "-force_key_frames", "source" if packaging.follows_sender else grid),
    ]


def _scaling(packaging: Packaging, picture: Picture) -> str:
    """To one size, whatever comes: one that is turned or shrinks in between gets a frame around it."""
    if not picture.height:
        return f"scale=-2:{packaging.height}"
    size = f"{picture.width}:{picture.height}"
    scale = f"scale={size}:force_original_aspect_ratio=decrease:force_divisible_by=2"
    return f"{scale},pad={size}:(ow-iw)/2:(oh-ih)/2,setsar=1"


def _sound(packaging: Packaging) -> list[str]:
    command = ["-map", "0:a:0"]
    if packaging.sound_is_copied:
        return [*command, "-c:a", "copy"]
    # Sound that was lost becomes silence, so that the rest stays beside its pictures.
    return [*command, "-c:a", "aac", "-b:a", f"{SOUND_BITRATE}", "-ac", "2", "-af", "aresample=async=1"]


def _muxer(packaging: Packaging, rendition: str) -> list[str]:
    least = packaging.segment_seconds * EARLY
    ending = "ts" if packaging.container == "ts" else "m4s"
    kind = [] if packaging.container == "ts" else ["-hls_segment_type", "fmp4"]
    if kind:
        kind += ["-hls_fmp4_init_filename", f"{packaging.prefix}_{rendition}.mp4"]
    return [
        *("-f", "hls", "-hls_time", f"{least:g}", "-hls_list_size", "12"),
        *("-hls_flags", "temp_file+independent_segments+program_date_time", *kind),
        *("-hls_segment_filename", f"{packaging.prefix}_{rendition}_%05d.{ending}"),
        packaging.playlist(rendition),
    ]


def _thumbnail(path: Path) -> list[str]:
    return [
        *("-map", "0:v:0", "-vf", "fps=1/10:start_time=0:round=up,scale=320:-2", "-q:v", "6"),
        *("-f", "image2", "-update", "1", "-atomic_writing", "1", str(path)),
    ]


SOUND_ONLY = "sound"
SOUND_BITRATE = 128_000
"""Bit/s of encoded sound."""
RATE_BY_MOMENTS = "fps=30:force-cfr=0"
"""x264 shares bits out by when pictures come. By default it does so by their number a second, for which
FFmpeg takes 90,000 where the first second of RTP did not tell: every key frame is then a grey plane."""
EARLY = 0.75
"""A key frame that was asked for may come this much of the grid early."""
_RATE_OF_720 = 3_000_000
_LEVELS = ((30, 1620), (31, 3600), (40, 8192), (50, 22080), (51, 36864))
"""With the most macroblocks that a picture may have."""
