"""What the writer of parts is told, and what it reports: the two ends of one pipe, in one place."""

from __future__ import annotations

import msgspec

__all__ = ["PartDone", "PartJob", "PartRendition", "PartReport", "SegmentDone", "read_report"]


class PartRendition(msgspec.Struct, frozen=True):
    """One rendition that it writes.

    Attributes:
        name: Of the rendition, part of file names.
        picture: Which of the SDP's video m-lines it is made of; none for sound alone.
        height: Lines of pictures that are encoded again; 0: they go through as they are.
        width: Their columns; 0: as their shape wants.
        bitrate: Bit/s that those are held to.
        level: H264's level of those, times ten; 0: as it comes.
        follow: Those have key frames where the sender makes them, not on the grid.
    """

    name: str
    picture: int | None
    height: int = 0
    width: int = 0
    bitrate: int = 3_000_000
    level: int = 0
    follow: bool = False


class PartJob(msgspec.Struct, frozen=True):
    """One run of the writer.

    Attributes:
        sdp: Description of its input.
        prefix: Of all file names, different in every run.
        renditions: What it makes.
        sound: The SDP has an audio m-line.
        part_seconds: No part is longer, unless a picture lasts longer.
        segment_seconds: The grid on which key frames are asked for.
        thumbnail: Where a small picture is renewed.
    """

    sdp: str
    prefix: str
    renditions: list[PartRendition]
    sound: bool
    part_seconds: float
    segment_seconds: float
    thumbnail: str | None = None


class PartDone(msgspec.Struct, frozen=True, tag="part"):
    """A part is whole, in a file.

    Attributes:
        rendition: Its name.
        uri: File name.
        duration: Seconds.
        independent: It begins with a key frame, or is sound.
        following: The file name that the next part will have.
        init: File name of its initialisation section.
        begins: Wall-clock time in seconds when it is the first of a segment, else none.
    """

    rendition: str
    uri: str
    duration: float
    independent: bool
    following: str
    init: str
    begins: float | None = None


class SegmentDone(msgspec.Struct, frozen=True, tag="segment"):
    """All parts since the last of these are one segment, in a file."""

    rendition: str
    uri: str
    duration: float


PartReport = PartDone | SegmentDone


def read_report(line: str) -> PartReport | None:
    """Understand a line; none when it is no report."""
    try:
        return _decoder.decode(line)
    except msgspec.DecodeError:
        return None


_decoder: msgspec.json.Decoder[PartReport] = msgspec.json.Decoder(PartReport)
