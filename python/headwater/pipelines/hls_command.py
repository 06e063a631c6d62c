"""How FFmpeg is told to package: one SDP in, one playlist for each rendition out.

H264 and AAC go through as they are. Other pictures become H264, other sound AAC, where the container or
the players need it: MPEG-TS holds neither VP8, VP9, AV1 nor (for players) Opus; fragmented MP4 holds all
but VP8. VP9 is encoded again even so: FFmpeg does not know its key frames when it comes by RTP, and then
copies nothing. Key frames of what passes through come on the grid because they are asked for; the minimum
length of a segment is therefore a little below the grid, or a key frame that came early would cost a whole
one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

__all__ = ["Container", "Packaging", "Picture", "arguments"]

Container = Literal["ts", "cmaf"]


@dataclass(frozen=True, slots=True)
class Picture:
    """One video m-line of the SDP, which becomes one rendition.

    Attributes:
        name: Of the rendition, part of file names.
        codec: As in SDP ("H264", "VP8", ...).
    """

    name: str
    codec: str


@dataclass(frozen=True, slots=True)
class Packaging:
    """One run of FFmpeg.

    Attributes:
        sdp: Its description of the input.
        prefix: Of all file names, different in every run.
        pictures: In the order of the SDP's video m-lines; empty for sound alone.
        sound: Codec of the audio m-line; none when there is no sound.
        container: What segments are.
        segment_seconds: The grid.
        height: Lines of transcoded pictures.
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

    def is_copied(self, rendition: str) -> bool:
        """Whether its pictures go through as they are."""
        holds = ("H264",) if self.container == "ts" else ("H264", "AV1")
        return any(one.name == rendition and one.codec.upper() in holds for one in self.pictures)

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
    for index, picture in enumerate(packaging.pictures):
        command += _output(packaging, picture, index)
    if not packaging.pictures:
        command += [*_sound(packaging), *_muxer(packaging, SOUND_ONLY)]
    if packaging.thumbnail and packaging.pictures:
        command += _thumbnail(packaging.thumbnail)
    return command


def _output(packaging: Packaging, picture: Picture, index: int) -> list[str]:
    command = ["-map", f"0:v:{index}", *_video(packaging, picture)]
    if packaging.sound:
        command += _sound(packaging)
    return [*command, *_muxer(packaging, picture.name)]


def _video(packaging: Packaging, picture: Picture) -> list[str]:
    if packaging.is_copied(picture.name):
        return ["-c:v", "copy"]
    grid = packaging.segment_seconds
    return [
        *("-c:v", "libx264", "-preset", "veryfast", "-tune", "zerolatency", "-profile:v", "main"),
        *("-pix_fmt", "yuv420p", "-crf", "24", "-maxrate", "3M", "-bufsize", "3M"),
        *("-vf", f"scale=-2:{packaging.height}", "-fps_mode", "vfr", "-sc_threshold", "0"),
        *("-force_key_frames", f"expr:gte(t,n_forced*{grid:g})"),
    ]


def _sound(packaging: Packaging) -> list[str]:
    command = ["-map", "0:a:0"]
    if packaging.sound_is_copied:
        return [*command, "-c:a", "copy"]
    # Sound that was lost becomes silence, so that the rest stays beside its pictures.
    return [*command, "-c:a", "aac", "-b:a", "128k", "-ac", "2", "-af", "aresample=async=1"]


def _muxer(packaging: Packaging, rendition: str) -> list[str]:
    least = packaging.segment_seconds * (EARLY if packaging.is_copied(rendition) else 1.0)
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
EARLY = 0.75
"""A key frame that was asked for may come this much of the grid early."""
