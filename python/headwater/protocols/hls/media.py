"""The media playlist: segments of one rendition, oldest first.

A live playlist is a window: segments leave at its front, and two counters say how many segments and
discontinuities have left (RFC 8216 sections 4.3.3.2 and 4.3.3.3), so that a player keeps its place.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import datetime

__all__ = ["InvalidPlaylist", "MediaPlaylist", "Segment", "parse_media_playlist"]


class InvalidPlaylist(ValueError):
    """The text is no media playlist, or only the beginning of one."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One piece of media.

    Attributes:
        uri: Where it is, relative to the playlist.
        duration: Seconds.
        begins: Wall-clock time of its first picture.
        discontinuity: Timestamps, codecs or sizes do not go on from the segment before.
        init: Where the initialisation section is (fragmented MP4); none for MPEG-TS.
    """

    uri: str
    duration: float
    begins: datetime | None = None
    discontinuity: bool = False
    init: str | None = None


@dataclass(slots=True)
class MediaPlaylist:
    """A rendition's window of segments.

    Attributes:
        target: Seconds that no segment's rounded duration exceeds; it never shrinks or grows while a
            player may hold an older copy.
        window: Segments listed.
        segments: Those in the window.
        ended: No more will come.
    """

    target: int
    window: int
    segments: list[Segment] = field(default_factory=list)
    sequence: int = 0
    discontinuities: int = 0
    ended: bool = False

    def append(self, segment: Segment) -> list[Segment]:
        """Add the newest segment.

        Returns:
            Those that left the window by it.
        """
        self.segments.append(segment)
        gone = self.segments[: -self.window]
        del self.segments[: len(gone)]
        self.sequence += len(gone)
        self.discontinuities += sum(one.discontinuity for one in gone)
        return gone

    def render(self, query: str = "") -> str:
        """Write it down.

        Args:
            query: Appended to every URI, with its question mark: signatures that travel along.
        """
        version = 7 if any(segment.init for segment in self.segments) else 6
        lines = [*self._head(version), "#EXT-X-INDEPENDENT-SEGMENTS"]
        init: str | None = None
        for segment in self.segments:
            lines += opening(segment, init, query)
            init = segment.init
            lines += [f"#EXTINF:{segment.duration:.6f},", segment.uri + query]
        if self.ended:
            lines.append("#EXT-X-ENDLIST")
        return "\n".join(lines) + "\n"

    def _head(self, version: int) -> list[str]:
        return [
            "#EXTM3U",
            f"#EXT-X-VERSION:{version}",
            f"#EXT-X-TARGETDURATION:{self.target}",
            f"#EXT-X-MEDIA-SEQUENCE:{self.sequence}",
            f"#EXT-X-DISCONTINUITY-SEQUENCE:{self.discontinuities}",
        ]


def opening(segment: Segment, init: str | None, query: str) -> list[str]:
    """The tags that stand before a segment, or before its first part.

    Args:
        segment: Which.
        init: The initialisation section in force.
        query: Appended to URIs.
    """
    lines = []
    if segment.discontinuity:
        lines.append("#EXT-X-DISCONTINUITY")
    if segment.init != init and segment.init:
        lines.append(f'#EXT-X-MAP:URI="{segment.init}{query}"')
    if segment.begins:
        lines.append(f"#EXT-X-PROGRAM-DATE-TIME:{segment.begins.isoformat(timespec='milliseconds')}")
    return lines


def parse_media_playlist(text: str) -> MediaPlaylist:
    """Read a media playlist; unknown tags are passed over.

    Args:
        text: All of it.

    Raises:
        InvalidPlaylist: A line is wrong, or the text ends in the middle of one.
    """
    if not text.startswith("#EXTM3U") or not text.endswith("\n"):
        raise InvalidPlaylist("not a whole playlist")
    playlist = MediaPlaylist(target=0, window=_ANY)
    pending = _Pending()
    for line in text.splitlines()[1:]:
        name, _, value = line.partition(":")
        if name == "#EXT-X-TARGETDURATION":
            playlist.target = _whole(value)
        elif name == "#EXT-X-MEDIA-SEQUENCE":
            playlist.sequence = _whole(value)
        elif name == "#EXT-X-ENDLIST":
            playlist.ended = True
        elif line and not line.startswith("#"):
            playlist.segments.append(pending.take(line))
        else:
            pending.note(name, value)
    if not playlist.target:
        raise InvalidPlaylist("no target duration")
    return playlist


@dataclass(slots=True)
class _Pending:
    """The tags before a URI."""

    duration: float | None = None
    begins: datetime | None = None
    discontinuity: bool = False
    init: str | None = None

    def note(self, name: str, value: str) -> None:
        if name == "#EXTINF":
            self.duration = _seconds(value.partition(",")[0])
        elif name == "#EXT-X-DISCONTINUITY":
            self.discontinuity = True
        elif name == "#EXT-X-MAP":
            self.init = value.partition('URI="')[2].partition('"')[0] or None
        elif name == "#EXT-X-PROGRAM-DATE-TIME":
            self.begins = _moment(value)

    def take(self, uri: str) -> Segment:
        if self.duration is None:
            raise InvalidPlaylist(f"no duration before {uri!r}")
        segment = Segment(uri, self.duration, self.begins, self.discontinuity, self.init)
        self.duration, self.begins, self.discontinuity = None, None, False
        return segment


def _whole(value: str) -> int:
    if not (value.isascii() and value.isdigit()) or len(value) > _DIGITS:
        raise InvalidPlaylist(f"not a whole number: {value[:40]!r}")
    return int(value)


def _seconds(value: str) -> float:
    try:
        seconds = float(value)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < _LONGEST:
        raise InvalidPlaylist(f"not a duration: {value[:40]!r}")
    return seconds


def _moment(value: str) -> datetime:
    try:
        return datetime.fromisoformat(value)
    except ValueError as error:
        raise InvalidPlaylist(f"not a time: {value[:40]!r}") from error


_ANY = 2**31
_DIGITS = 18
_LONGEST = 3600.0
