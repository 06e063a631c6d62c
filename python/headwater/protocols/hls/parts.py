"""The media playlist of low-latency HLS: segments, and the parts of which the newest consist.

A part is listed as soon as it is whole, long before its segment is (draft-pantos-hls-rfc8216bis section
4.4.4.9). The newest segment is *open*: it has parts and no name yet. Players ask for "the playlist that has
part p of segment n" and are answered when it has (section 6.2.5.2; `Delivery` is what they ask for). Parts
leave the playlist three target durations after they came, their segments stay for the whole window.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from headwater.protocols.hls.media import MediaPlaylist, Segment, opening

__all__ = ["Part", "PartPlaylist", "Report"]


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a segment.

    Attributes:
        uri: Where it is, relative to the playlist.
        duration: Seconds.
        independent: It begins with a key frame (or is sound).
    """

    uri: str
    duration: float
    independent: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """How far the playlist of another rendition is (section 4.4.5.4): spares a player a request."""

    uri: str
    msn: int
    part: int | None


@dataclass(slots=True)
class PartPlaylist(MediaPlaylist):
    """A rendition's window of segments, the last of them in parts.

    Attributes:
        part_target: Seconds that no part exceeds; it grows with one that does, where pictures are rare.
        hint: Where the next part will be; none while nobody can know.
    """

    part_target: float = 0.35
    hint: str | None = None
    _parts: dict[int, list[Part]] = field(default_factory=dict)
    """By number of their segment."""
    _open: Segment | None = None
    """What is known of the segment that is not whole yet; its name and duration are not."""

    @property
    def next(self) -> int:
        """The number that the next whole segment will have."""
        return self.sequence + len(self.segments)

    @property
    def newest(self) -> tuple[int, int | None]:
        """Number of the newest segment that has anything, and of the last part of it that is listed."""
        number = self.next if self._open else self.next - 1
        parts = self._parts.get(number)
        return number, len(parts) - 1 if parts else None

    @property
    def open_parts(self) -> list[Part]:
        """Parts of the segment that is not whole yet."""
        return self._parts.get(self.next, []) if self._open else []

    @property
    def hold_back(self) -> float:
        """Seconds that players stay behind the end, so that parts reach them in time."""
        return 3 * self.part_target

    @property
    def skip_until(self) -> float:
        """Seconds from the end beyond which a delta update may leave segments out."""
        return 6.0 * self.target

    def add_part(self, part: Part, opening_of: Segment | None = None) -> None:
        """Add the newest part.

        Args:
            part: Which.
            opening_of: What is known of its segment, when it is the first of one.
        """
        if opening_of is not None or self._open is None:
            self._open = opening_of or Segment("", 0.0)
        self._parts.setdefault(self.next, []).append(part)
        needed = min(_LONGEST_TARGET, math.ceil(part.duration * 1000) / 1000)
        self.part_target = max(self.part_target, needed)

    def close_segment(self, uri: str, duration: float) -> list[Segment]:
        """The open segment is whole; its parts stay for a while.

        Returns:
            The segments that left the window by it.
        """
        first = self._open or Segment("", 0.0)
        self._open = None
        return self.append(Segment(uri, duration, first.begins, first.discontinuity, first.init))

    def drop_open(self) -> list[Part]:
        """Give the open segment up; its parts."""
        self._open = None
        return self._parts.pop(self.next, [])

    def drop_old_parts(self) -> list[Part]:
        """Parts that are no longer listed because their segments are old enough."""
        distance = sum(part.duration for part in self.open_parts)
        gone: list[Part] = []
        for number in range(self.next - 1, min(self._parts, default=self.next) - 1, -1):
            if distance >= _PARTS_STAY * self.target or number < self.sequence:
                gone += self._parts.pop(number, [])
            if number >= self.sequence:
                distance += self.segments[number - self.sequence].duration
        return gone

    def has(self, msn: int, part: int | None) -> bool:
        """Whether a segment, or a part of it, is listed or was.

        A part beyond the last of a whole segment is the first of the next one (section 6.2.5.2).
        """
        if part is None:
            return msn < self.next
        if msn == self.next - 1 and part >= len(self._parts.get(msn, [])) > 0:
            msn, part = self.next, 0
        return msn < self.next or (msn == self.next and part < len(self.open_parts))

    def is_beyond(self, msn: int, part: int | None) -> bool:
        """Whether what is asked for lies too far ahead to be waited for."""
        if msn > self.next + 1:
            return True
        limit = 3 if self.part_target >= 1 else math.ceil(3 / self.part_target)
        listed = len(self.open_parts) if msn == self.next else 0
        return part is not None and msn >= self.next and part >= listed + limit

    def render(self, query: str = "", *, skip: bool = False, reports: Iterable[Report] = ()) -> str:
        """Write it down.

        Args:
            query: Appended to every URI, with its question mark.
            skip: Leave out what the reader has long had: a delta update, where that saves anything.
            reports: Of the other renditions.
        """
        skipped = self._skippable() if skip and not self.ended else 0
        lines = [*self._head(_VERSION), *self._control(), "#EXT-X-INDEPENDENT-SEGMENTS"]
        if skipped:
            lines.append(f"#EXT-X-SKIP:SKIPPED-SEGMENTS={skipped}")
        init: str | None = None
        for index, segment in enumerate(self.segments[skipped:], self.sequence + skipped):
            lines += opening(segment, init, query)
            init = segment.init
            lines += [_part(part, query) for part in self._parts.get(index, ())]
            lines += [f"#EXTINF:{segment.duration:.6f},", segment.uri + query]
        if self._open and self.open_parts:
            lines += opening(self._open, init, query)
            lines += [_part(part, query) for part in self.open_parts]
        if self.ended:
            lines.append("#EXT-X-ENDLIST")
            return "\n".join(lines) + "\n"
        if self.hint:
            lines.append(f'#EXT-X-PRELOAD-HINT:TYPE=PART,URI="{self.hint}{query}"')
        lines += [_report(report, query) for report in reports]
        return "\n".join(lines) + "\n"

    def _control(self) -> list[str]:
        return [
            "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,"
            f"PART-HOLD-BACK={self.hold_back:.3f},CAN-SKIP-UNTIL={self.skip_until:.1f}",
            f"#EXT-X-PART-INF:PART-TARGET={self.part_target:.3f}",
        ]

    def _skippable(self) -> int:
        """Segments that lie wholly before the skip boundary."""
        distance = sum(part.duration for part in self.open_parts)
        for count in range(len(self.segments), 0, -1):
            if distance > self.skip_until:
                return count
            distance += self.segments[count - 1].duration
        return 0


def _part(part: Part, query: str) -> str:
    independent = ",INDEPENDENT=YES" if part.independent else ""
    return f'#EXT-X-PART:DURATION={part.duration:.5f},URI="{part.uri}{query}"{independent}'


def _report(report: Report, query: str) -> str:
    last = "" if report.part is None else f",LAST-PART={report.part}"
    return f'#EXT-X-RENDITION-REPORT:URI="{report.uri}{query}",LAST-MSN={report.msn}{last}'


_VERSION = 9
"""EXT-X-SKIP asks for it."""
_LONGEST_TARGET = 1.0
"""Seconds: one long gap between pictures shall not keep all players far behind for good."""
_PARTS_STAY = 3
"""Target durations."""
