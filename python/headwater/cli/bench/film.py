"""A film for the load generator: real pictures and sound, already cut into RTP payloads.

What only forwards can be loaded with filler. HLS packaging reads what it packages, so a channel is
measured with pictures that FFmpeg made once, before the run. Key frames come every two segments: between
them the generator goes on with the next one whenever it is asked, as an encoder would.

The file is described in `bench/load/src/film.rs`. H264 is cut as RFC 6184 says (single NAL units, STAP-A for
the parameter sets, FU-A), VP8 into even pieces whose payload descriptor the generator writes.
"""

from __future__ import annotations

import itertools
import struct
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from headwater.errors import HeadwaterError
from headwater.pipelines.ffmpeg import find_ffmpeg

__all__ = ["Codec", "FilmPlan", "make_film", "ogg_packets", "pictures_of_h264", "pictures_of_ivf"]

Codec = Literal["h264", "vp8"]


@dataclass(frozen=True, slots=True)
class FilmPlan:
    """What is on it.

    Attributes:
        codec: Of the pictures.
        mbits: What the pictures take, Mbit/s.
        seconds: How long it is; it is shown again and again.
        key_seconds: Between key frames.
        size: Width and height of the pictures.
    """

    codec: Codec = "h264"
    mbits: float = 1.5
    seconds: float = 8.0
    key_seconds: float = 4.0
    size: tuple[int, int] = (320, 180)


@dataclass(frozen=True, slots=True)
class _Picture:
    """The RTP payloads of one picture."""

    key: bool
    payloads: Sequence[bytes]


def make_film(plan: FilmPlan, target: Path) -> None:
    """Encode and write it.

    Raises:
        ConfigurationError: There is no FFmpeg.
        HeadwaterError: FFmpeg failed; the message is its own.
    """
    with tempfile.TemporaryDirectory(prefix="headwater-film-") as folder:
        picture, sound = Path(folder, "picture"), Path(folder, "sound")
        _encode(plan, picture, sound)
        h264 = plan.codec == "h264"
        pictures = (pictures_of_h264 if h264 else pictures_of_ivf)(picture.read_bytes())
        with target.open("wb") as file:
            file.write(b"hwfm" + bytes([h264]))
            for one in pictures:
                last = len(one.payloads) - 1
                for index, payload in enumerate(one.payloads):
                    flags = _KEY * one.key | _LAST * (index == last)
                    file.write(struct.pack(">BH", flags, len(payload)) + payload)
            for payload in ogg_packets(sound.read_bytes()):
                file.write(struct.pack(">BH", _SOUND, len(payload)) + payload)


def pictures_of_h264(stream: bytes) -> Iterator[_Picture]:
    """The pictures of an Annex B stream with access unit delimiters."""
    units: list[bytes] = []
    for unit in _nal_units(stream):
        if unit[0] & 0x1F == _DELIMITER:
            if units:
                yield _h264_picture(units)
            units = []
        else:
            units.append(unit)
    if units:
        yield _h264_picture(units)


def pictures_of_ivf(stream: bytes) -> Iterator[_Picture]:
    """The pictures of an IVF file of VP8."""
    at = struct.unpack_from("<H", stream, 6)[0]
    while at < len(stream):
        (length,) = struct.unpack_from("<I", stream, at)
        frame = stream[at + 12 : at + 12 + length]
        yield _Picture(key=not frame[0] & 1, payloads=_pieces(frame, _LARGEST - _DESCRIPTOR))
        at += 12 + length


def ogg_packets(stream: bytes) -> list[bytes]:
    """The packets of an Ogg file with one stream, Opus headers left out."""
    packets, packet, at = [], b"", 0
    while at < len(stream):
        lengths = stream[at + 27 : at + 27 + stream[at + 26]]
        at += 27 + len(lengths)
        for length in lengths:
            packet += stream[at : at + length]
            at += length
            if length < 255:
                packets.append(packet)
                packet = b""
    return [one for one in packets if not one.startswith((b"OpusHead", b"OpusTags"))]


def _nal_units(stream: bytes) -> Iterator[bytes]:
    for piece in stream.split(b"\0\0\1"):
        if unit := piece.rstrip(b"\0"):
            yield unit


def _h264_picture(units: Sequence[bytes]) -> _Picture:
    sets = [unit for unit in units if unit[0] & 0x1F in _PARAMETER_SETS]
    slices = [unit for unit in units if unit[0] & 0x1F in _SLICES]
    payloads = [bytes([_STAP_A | 0x60]) + b"".join(struct.pack(">H", len(one)) + one for one in sets)] * bool(
        sets
    )
    for unit in slices:
        payloads += [unit] if len(unit) <= _LARGEST else _fragments(unit)
    return _Picture(key=any(unit[0] & 0x1F == _IDR for unit in slices), payloads=payloads)


def _fragments(unit: bytes) -> list[bytes]:
    """FU-A, RFC 6184 section 5.8."""
    pieces = _pieces(unit[1:], _LARGEST - 2)
    indicator, kind, last = unit[0] & 0xE0 | _FU_A, unit[0] & 0x1F, len(pieces) - 1
    return [
        bytes([indicator, kind | 0x80 * (index == 0) | 0x40 * (index == last)]) + piece
        for index, piece in enumerate(pieces)
    ]


def _pieces(whole: bytes, most: int) -> list[bytes]:
    """Pieces of nearly the same size: none is so small that it could be taken for another."""
    count = -(-len(whole) // most)
    cuts = [len(whole) * index // count for index in range(count + 1)]
    return [whole[begin:end] for begin, end in itertools.pairwise(cuts)]


def _encode(plan: FilmPlan, picture: Path, sound: Path) -> None:
    width, height = plan.size
    rate, time = f"{plan.mbits * 1e3:.0f}k", f"{plan.seconds:g}"
    source = f"testsrc2=size={width}x{height}:rate=30,noise=alls=30:allf=t,format=yuv420p"
    command = [str(find_ffmpeg()), "-hide_banner", "-loglevel", "error", "-y", "-nostdin"]
    command += [
        "-f",
        "lavfi",
        "-i",
        source,
        "-f",
        "lavfi",
        "-i",
        "anoisesrc=color=pink:amplitude=0.1:r=48000",
    ]
    command += [
        "-map",
        "0:v",
        "-t",
        time,
        "-b:v",
        rate,
        "-maxrate",
        rate,
        "-bufsize",
        f"{plan.mbits * 300:.0f}k",
    ]
    command += ["-g", f"{plan.key_seconds * 30:.0f}", *_ENCODERS[plan.codec], str(picture)]
    command += ["-map", "1:a", "-t", time, "-ac", "2", "-c:a", "libopus", "-b:a", "32k"]
    command += ["-frame_duration", "20", "-f", "ogg", str(sound)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise HeadwaterError(f"FFmpeg made no film: {result.stderr[-500:]}")


_ENCODERS = {
    "h264": [
        *("-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-profile:v", "baseline"),
        *("-level", "3.1", "-sc_threshold", "0", "-x264-params", "sliced-threads=0"),
        *("-bsf:v", "h264_metadata=aud=insert", "-f", "h264"),
    ],
    "vp8": [
        *("-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "15", "-auto-alt-ref", "0"),
        *("-lag-in-frames", "0", "-f", "ivf"),
    ],
}
_SOUND, _LAST, _KEY = 1, 2, 4
_LARGEST = 1150
"""Bytes of a payload: with header, extensions and tag a datagram has about 1200."""
_DESCRIPTOR = 6
_IDR, _DELIMITER, _STAP_A, _FU_A = 5, 9, 24, 28
_PARAMETER_SETS, _SLICES = (7, 8), (1, 5)
