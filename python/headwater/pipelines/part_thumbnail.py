"""A small picture of the broadcast, renewed now and then from a key frame."""

from __future__ import annotations

import contextlib
import os
from fractions import Fraction
from pathlib import Path

import av
from av.packet import Packet
from av.stream import Stream
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from headwater.pipelines.part_cutter import Sample

__all__ = ["Thumbnail"]


class Thumbnail:
    """A JPEG file.

    Args:
        path: Where.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._due = 0.0

    def take(self, sample: Sample, codec: str) -> None:
        """Renew it if the sample is a key frame and the last one is old."""
        if not (sample.video and sample.key) or sample.at < self._due:
            return
        self._due = sample.at + _SECONDS
        with contextlib.suppress(av.FFmpegError):  # a picture that cannot be read harms no broadcast
            frame = _decode(sample, codec)
            if frame is not None:
                aside = self._path.with_suffix(".aside")
                aside.write_bytes(_jpeg(frame))
                os.replace(aside, self._path)


def _decode(sample: Sample, codec: str) -> VideoFrame | None:
    decoder = av.CodecContext.create(codec, "r")
    assert isinstance(decoder, VideoCodecContext)
    packet: Packet[Stream] = Packet(bytes(sample.data))
    return next(iter([*decoder.decode(packet), *decoder.decode(None)]), None)


def _jpeg(frame: VideoFrame) -> bytes:
    encoder = av.CodecContext.create("mjpeg", "w")
    assert isinstance(encoder, VideoCodecContext)
    encoder.width, encoder.height = _WIDTH, round(_WIDTH * frame.height / frame.width / 2) * 2
    encoder.pix_fmt, encoder.time_base = "yuvj420p", Fraction(1, 1)
    encoder.options = {"qscale": "6"}
    small = frame.reformat(width=encoder.width, height=encoder.height, format="yuvj420p")
    small.pts, small.time_base = 0, Fraction(1, 1)
    return b"".join(bytes(packet) for packet in [*encoder.encode(small), *encoder.encode(None)])


_SECONDS = 10.0
_WIDTH = 320
