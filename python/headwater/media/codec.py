"""A codec as negotiated with one peer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Codec", "CodecName"]

CodecName = Literal["opus", "vp8", "vp9", "av1", "h264"]
"""How a router's codecs are named, in order of preference."""


@dataclass(frozen=True, slots=True)
class Codec:
    """A codec, with the numbers it has on one connection.

    Attributes:
        mime: ``audio/opus``, ``video/VP8``, …
        payload_type: RTP payload type on that connection.
        clock_rate: RTP clock rate in Hz.
        channels: Channels, for audio.
        fmtp: Value of the ``a=fmtp`` line, empty when there is none.
    """

    mime: str
    payload_type: int
    clock_rate: int
    channels: int | None = None
    fmtp: str = ""

    @property
    def kind(self) -> Literal["audio", "video"]:
        """The first half of the MIME type."""
        return "audio" if self.mime.startswith("audio/") else "video"

    @property
    def encoding(self) -> str:
        """The second half of the MIME type, as in ``a=rtpmap`` (RFC 8866 section 6.6)."""
        return self.mime.partition("/")[2]
