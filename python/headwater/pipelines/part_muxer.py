"""Parts as bytes: fragments of MP4 that follow each other, made by libavformat.

Every part is written by a muxer of its own, which is told where the one before it ended: that costs a
quarter of a millisecond, and a part then ends exactly where we say. What comes before the fragment (``ftyp``
and ``moov``) is the same each time and becomes the initialisation section.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import av
from av.packet import Packet
from av.stream import Stream
from av.video.codeccontext import VideoCodecContext

__all__ = ["Muxed", "PartMuxer"]


@dataclass(frozen=True, slots=True)
class Muxed:
    """What became of samples: the initialisation section they need, and themselves."""

    init: bytes
    fragment: bytes


class PartMuxer:
    """Writes the parts of one rendition.

    Args:
        templates: Streams whose codecs and parameters it takes over: that of pictures (true), that of sound.
    """

    def __init__(self, templates: Mapping[bool, Stream | None]) -> None:
        self._templates = {video: stream for video, stream in templates.items() if stream is not None}
        self._written = 0
        self._extradata: bytes | None = None
        self._size = (0, 0)

    def renew(self, extradata: bytes, width: int, height: int) -> None:
        """Pictures have other parameters from now on than their template had."""
        self._extradata, self._size = extradata, (width, height)

    def write(self, samples: Sequence[tuple[bool, Packet[Stream]]]) -> Muxed:
        """Make a part.

        Args:
            samples: Whether each is a picture, and its packet, whose times grow within its kind.
        """
        self._written += 1
        buffer = io.BytesIO()
        with av.open(buffer, "w", format="mp4", options=self._options()) as output:
            streams = {
                video: output.add_stream_from_template(one, opaque=True)
                for video, one in self._templates.items()
            }
            if self._extradata is not None:
                context = streams[True].codec_context
                assert isinstance(context, VideoCodecContext)
                context.extradata = self._extradata
                context.width, context.height = self._size
            for video, packet in samples:
                packet.stream = streams[video]
                output.mux(packet)
        return _split(buffer.getvalue())

    def _options(self) -> dict[str, str]:
        return {**_OPTIONS, "fragment_index": str(self._written)}


def _split(data: bytes) -> Muxed:
    at = 0
    while at + _BOX_HEAD <= len(data) and data[at + 4 : at + 8] != b"moof":
        at += max(_BOX_HEAD, int.from_bytes(data[at : at + 4], "big"))
    return Muxed(data[:at], data[at:])


_BOX_HEAD = 8
_OPTIONS = {
    "movflags": "empty_moov+default_base_moof+frag_custom+frag_discont+skip_trailer+skip_sidx",
    "use_editlist": "0",
    "avoid_negative_ts": "disabled",
    "video_track_timescale": "90000",
}
