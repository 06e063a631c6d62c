"""Where one part ends and the next begins: decided sample by sample, by timestamps alone.

Pictures lead: a part is as many of them as fit into its length, and a segment ends where a key frame comes on
the grid. While no picture comes sound leads, so that a paused camera does not hold it up. What belongs to a
part is what was there when it ended; sound that comes a little late is in the next part, with its own time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

__all__ = ["Cut", "PartCutter", "Sample"]


@dataclass(frozen=True, slots=True)
class Sample:
    """One picture, or one packet of sound.

    Attributes:
        at: When it is shown or heard, in seconds.
        length: Seconds that it is thought to last.
        video: It is a picture.
        key: It needs no picture before it.
        data: Itself.
        renewed: A key frame whose parameters are not those of the pictures before it.
    """

    at: float
    length: float
    video: bool
    key: bool
    data: Any = None
    renewed: bool = False


@dataclass(frozen=True, slots=True)
class Cut:
    """One part.

    Attributes:
        samples: In the order in which they came.
        begins: Seconds, as in `Sample`.
        duration: Seconds.
        until: How long its last picture stays, as far as that is known.
        independent: It begins with a key frame, or is sound.
        first: It is the first of a segment.
        last: It is the last of a segment.
    """

    samples: list[Sample]
    begins: float
    duration: float
    until: float
    independent: bool
    first: bool
    last: bool


class PartCutter:
    """Makes the parts of one rendition.

    Args:
        part_seconds: Longest part.
        segment_seconds: The grid on which key frames are asked for.
        pictures: It has pictures; it then begins with a key frame.
    """

    def __init__(self, *, part_seconds: float, segment_seconds: float, pictures: bool) -> None:
        self._part_seconds = part_seconds
        self._segment_seconds = segment_seconds
        self._pictures = pictures
        self._held: list[Sample] = []
        self._begun: float | None = None
        self._segment_begun = 0.0
        self._picture_at = 0.0
        self._first = True

    def add(self, sample: Sample) -> list[Cut]:
        """Take the next sample, in the order of its kind.

        Returns:
            The parts that end before it: as a rule none or one.
        """
        if self._begun is None:
            if not self._may_begin(sample):
                return []
            self._begun = self._segment_begun = sample.at
        cuts = self._cuts_before(sample)
        if sample.video:
            self._picture_at = sample.at
        self._held.append(sample)
        return cuts

    def _may_begin(self, sample: Sample) -> bool:
        return sample.video and sample.key if self._pictures else True

    def _cuts_before(self, sample: Sample) -> list[Cut]:
        assert self._begun is not None, "asked only once something has begun"
        if sample.at <= self._begun or not self._leads(sample):
            return []
        if sample.video and self._ends_segment(sample):
            return [*self._full_before(sample), self._cut(sample.at, sample.at, last=True)]
        if sample.at + sample.length - self._begun <= self._part_seconds + _TOLERANCE:
            return []
        end = self._end_before(sample)
        return [self._cut(end, sample.at, last=not sample.video and self._fills_segment(sample, end))]

    def _full_before(self, key_frame: Sample) -> Iterator[Cut]:
        """What a late key frame would make too long, as long as there is sound for the rest."""
        assert self._begun is not None
        while key_frame.at > (full := self._begun + self._part_seconds) + _TOLERANCE:
            before = [one for one in self._held if one.at < full]
            rest = [one for one in self._held if full <= one.at < key_frame.at]
            if not before or not rest:
                return
            yield self._cut(full, key_frame.at, last=False)

    def _end_before(self, sample: Sample) -> float:
        """Where a part ends: when it must, even if a picture is late, but not before anything comes."""
        assert self._begun is not None
        full = self._begun + self._part_seconds
        if sample.at <= full:
            return sample.at
        following = min((one.at for one in self._held if one.at >= full), default=sample.at)
        return full if following - full < self._part_seconds - _TOLERANCE else following

    def _leads(self, sample: Sample) -> bool:
        if sample.video or not self._pictures:
            return True
        assert self._begun is not None
        return sample.at - max(self._picture_at, self._begun + self._part_seconds) > _STALL

    def _ends_segment(self, picture: Sample) -> bool:
        elapsed = picture.at - self._segment_begun
        due = picture.renewed or elapsed >= EARLY * self._segment_seconds
        return (picture.key and due) or elapsed >= _LONGEST

    def _fills_segment(self, sound: Sample, end: float) -> bool:
        """Whether a segment ends with a part that sound has ended."""
        if self._pictures and sound.at - self._picture_at < self._segment_seconds:
            return False  # pictures come, if slowly: one of them will end it
        return end - self._segment_begun + self._part_seconds > self._segment_seconds + _TOLERANCE

    def _cut(self, end: float, until: float, *, last: bool) -> Cut:
        assert self._begun is not None
        samples = [sample for sample in self._held if sample.at < end]
        pictures = [sample for sample in samples if sample.video]
        independent = pictures[0].key if pictures else not self._pictures
        cut = Cut(samples, self._begun, end - self._begun, until, independent, self._first, last)
        self._held = [sample for sample in self._held if sample.at >= end]
        self._begun, self._first = end, last
        if last:
            self._segment_begun = end
        return cut


EARLY = 0.75
"""A key frame that was asked for may come this much of the grid early."""
_TOLERANCE = 0.001
"""Timestamps are rounded."""
_STALL = 0.5
"""Seconds that sound runs ahead before it leads: pictures may be slower on their way."""
_LONGEST = 15.0
"""Seconds after which a segment ends even without a key frame."""
