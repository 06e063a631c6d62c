"""The parameter sets of pictures that go through as they are.

A camera that turns, or a sender that makes its pictures smaller, sends others: players need a new
initialisation section from that key frame on.
"""

from __future__ import annotations

from dataclasses import dataclass

import av
from av.bitstream import BitStreamFilterContext
from av.packet import Packet
from av.stream import Stream
from av.video.codeccontext import VideoCodecContext

__all__ = ["ParameterSets", "Parameters"]


@dataclass(frozen=True, slots=True)
class Parameters:
    """What an initialisation section says of pictures."""

    extradata: bytes
    width: int
    height: int


class ParameterSets:
    """Those of one m-line.

    Args:
        stream: Which.
    """

    def __init__(self, stream: Stream) -> None:
        self._codec = stream.codec_context.name
        self._known = stream.codec_context.extradata
        self._filter = BitStreamFilterContext("extract_extradata", stream) if self._known else None

    def changed(self, key_frame: Packet[Stream]) -> Parameters | None:
        """Its parameters, when they are not those of the pictures before."""
        found = self._extract(key_frame)
        if found is None or found == self._known:
            return None
        size = self._size(key_frame)
        if size is None:
            return None
        self._known = found
        return Parameters(found, *size)

    def _extract(self, key_frame: Packet[Stream]) -> bytes | None:
        if self._filter is None:
            return None
        try:
            packets = self._filter.filter(Packet(bytes(key_frame)))
        except av.FFmpegError:
            return None
        found = [
            bytes(one.get_sidedata("new_extradata")) for one in packets if one.has_sidedata("new_extradata")
        ]
        return found[0] if found else None

    def _size(self, key_frame: Packet[Stream]) -> tuple[int, int] | None:
        decoder = av.CodecContext.create(self._codec, "r")
        assert isinstance(decoder, VideoCodecContext)
        try:
            frames = [*decoder.decode(Packet(bytes(key_frame))), *decoder.decode(None)]
        except av.FFmpegError:
            return None
        return (frames[0].width, frames[0].height) if frames else None
