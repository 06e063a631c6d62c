"""Pictures that players of fragmented MP4 do not take, or not in that size, encoded again as H264."""

from __future__ import annotations

import io
from collections.abc import Iterator
from fractions import Fraction

import av
from av.packet import Packet
from av.stream import Stream
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType, VideoFrame
from av.video.stream import VideoStream

from headwater.pipelines.hls_command import RATE_BY_MOMENTS
from headwater.pipelines.part_cutter import Sample
from headwater.pipelines.part_job import PartRendition

__all__ = ["PictureEncoder"]


class PictureEncoder:
    """Encodes the pictures of one rendition.

    Args:
        source: Where they come from.
        rendition: What they become.
        segment_seconds: The grid on which key frames are made.
    """

    def __init__(self, source: Stream, rendition: PartRendition, segment_seconds: float) -> None:
        decoder = av.CodecContext.create(source.codec_context.name, "r")
        assert isinstance(decoder, VideoCodecContext)
        self._decoder = decoder
        self._rendition = rendition
        self._grid = segment_seconds
        self._key_at = 0.0
        self._shape = 0.0
        self.template: VideoStream | None = None
        """A stream with the parameters of what comes out; none before the first picture."""

    def encode(self, sample: Sample) -> Iterator[Sample]:
        """What becomes of a picture, as a rule at once.

        Raises:
            SystemExit: It has another shape than those before: that is for a new encoder.
        """
        packet: Packet[Stream] = Packet(bytes(sample.data))
        packet.pts = packet.dts = round(sample.at * _RATE)
        packet.time_base = _TICK
        for frame in self._decode(packet):
            yield from self._encode(frame, sample)

    def _decode(self, packet: Packet[Stream]) -> list[VideoFrame]:
        try:
            return self._decoder.decode(packet)
        except av.FFmpegError:
            return []  # something is missing: the next key frame mends it

    def _encode(self, frame: VideoFrame, sample: Sample) -> Iterator[Sample]:
        template = self.template or self._open(frame)
        if abs(frame.width / frame.height - self._shape) > _SAME_SHAPE:
            raise SystemExit("the picture has another shape now")
        scaled = frame.reformat(width=template.width, height=template.height, format="yuv420p")
        scaled.pts, scaled.time_base = frame.pts, _TICK
        key = sample.key if self._rendition.follow else sample.at >= self._key_at
        scaled.pict_type = PictureType.I if key else PictureType.NONE
        if key:
            self._key_at = max(self._key_at + self._grid, sample.at + self._grid / 2)
        for packet in template.encode(scaled):
            assert packet.pts is not None
            yield Sample(packet.pts / _RATE, sample.length, True, packet.is_keyframe, packet)

    def _open(self, frame: VideoFrame) -> VideoStream:
        self._shape = frame.width / frame.height
        width, height = self._rendition.width, self._rendition.height
        most = str(self._rendition.bitrate)
        options = {**_OPTIONS, "maxrate": most, "bufsize": most}
        if self._rendition.level:
            options["level"] = f"{self._rendition.level / 10:g}"
        output = av.open(io.BytesIO(), "w", format="mp4")
        stream = output.add_stream("libx264", rate=30, options=options)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height = width or round(self._shape * height / 2) * 2, height
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = _TICK
        stream.codec_context.gop_size = 10_000
        output.start_encoding()
        self.template = stream
        self._output = output
        return stream


_RATE = 90_000
_TICK = Fraction(1, _RATE)
_SAME_SHAPE = 0.05
_OPTIONS = {
    "preset": "veryfast",
    "tune": "zerolatency",
    "profile": "main",
    "crf": "24",
    "sc_threshold": "0",
    "forced-idr": "1",
    "x264-params": RATE_BY_MOMENTS,
}
