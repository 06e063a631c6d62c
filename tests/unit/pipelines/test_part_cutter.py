"""Parts are as long as fits, segments begin with key frames, and a paused camera holds nothing up."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.pipelines.part_cutter import Cut, PartCutter, Sample

PART, SEGMENT = 0.35, 2.0


def pictures(
    rate: float, seconds: float, *, begins: float = 0.0, keys: Iterable[float] = (0.0,)
) -> list[Sample]:
    """Pictures at a rate; those at or first after a moment of `keys` are key frames."""
    waiting = sorted(keys)
    found = []
    for number in range(round(seconds * rate)):
        at = begins + number / rate
        key = bool(waiting) and at >= waiting[0] - 1e-9
        while waiting and at >= waiting[0] - 1e-9:
            waiting.pop(0)
        found.append(Sample(at, 1 / rate, True, key))
    return found


def sound(seconds: float, *, begins: float = 0.0) -> list[Sample]:
    return [Sample(begins + n * 0.02, 0.02, False, True) for n in range(round(seconds * 50))]


def cut(samples: list[Sample], *, with_pictures: bool = True) -> list[Cut]:
    cutter = PartCutter(part_seconds=PART, segment_seconds=SEGMENT, pictures=with_pictures)
    return [one for sample in sorted(samples, key=lambda s: s.at) for one in cutter.add(sample)]


@pytest.mark.parametrize("rate", [10, 15, 24, 25, 29.97, 30, 50, 60])
def test_parts_are_nearly_as_long_as_they_may_be(rate: float) -> None:
    """At least 85 % of the target, as the draft asks, but for the last part of a segment."""
    cuts = cut(pictures(rate, 9, keys=(0, 2, 4, 6, 8)) + sound(9))
    assert len(cuts) > 20
    assert all(one.duration <= PART + 0.001 for one in cuts)
    assert all(one.duration >= 0.85 * PART - 1e-6 for one in cuts if not one.last)
    assert [one.first for one in cuts[1:]] == [one.last for one in cuts[:-1]]
    assert all(one.independent for one in cuts if one.first)
    assert sum(one.first for one in cuts) == 5


def test_a_key_frame_that_comes_early_ends_no_segment() -> None:
    """Viewers who join ask for key frames as well; segments stay on the grid."""
    cuts = cut(pictures(30, 6.5, keys=(0, 0.5, 1.2, 2, 2.3, 4, 6)))
    begins = [round(one.begins, 2) for one in cuts if one.first]
    assert begins == [0, 2, 4, 6]


def test_nothing_begins_before_a_key_frame() -> None:
    """Sound and pictures that nobody could show are left out."""
    cuts = cut(pictures(30, 3, keys=(1.0,)) + sound(3))
    assert cuts[0].begins == pytest.approx(1.0)
    assert min(sample.at for sample in cuts[0].samples) == pytest.approx(1.0)


def test_a_paused_camera_holds_nothing_up() -> None:
    """Sound goes on in parts and segments of its own; pictures return with a key frame."""
    cuts = cut(pictures(30, 2) + pictures(30, 4, begins=8, keys=(8, 10)) + sound(12))
    silent = [one for one in cuts if 2.6 < one.begins < 7.5]
    assert max(one.duration for one in cuts if not one.last) <= PART + 0.001
    assert len(silent) > 12
    assert not any(one.independent for one in silent)
    assert sum(one.last for one in silent) >= 2
    assert any(one.first and one.independent for one in cuts if one.begins > 7.9)


def test_a_late_picture_makes_no_part_longer() -> None:
    """One that was dropped on the way lets the next part begin without it."""
    frames = [
        sample for sample in pictures(30, 4, keys=(0, 2)) if round(sample.at * 30) % 10 != 0 or sample.key
    ]
    cuts = cut(frames)
    assert all(one.duration <= PART + 0.001 for one in cuts)
    assert all(one.samples for one in cuts)
    assert cuts[0].until >= cuts[0].begins + cuts[0].duration


def test_a_late_key_frame_makes_no_part_longer() -> None:
    """What is too long is two parts, the second with sound alone; without sound it cannot be helped."""
    frames = [one for one in pictures(30, 4.5, keys=(0, 2.1, 4.2)) if not 1.95 < one.at < 2.09]
    cuts = cut(frames + sound(4.5))
    assert all(one.duration <= PART + 0.001 for one in cuts)
    assert all(one.samples for one in cuts)
    assert [round(one.begins, 1) for one in cuts if one.first] == [0, 2.1]
    assert max(one.duration for one in cut(frames)) > PART + 0.001


def test_a_source_without_key_frames_still_makes_segments() -> None:
    """It cannot be helped: one in fifteen seconds."""
    cuts = cut(pictures(10, 40))
    assert [round(one.begins) for one in cuts if one.first] == [0, 15, 30]


def test_sound_alone_is_cut_on_the_grid() -> None:
    """Every part stands for itself."""
    cuts = cut(sound(9), with_pictures=False)
    assert all(one.independent for one in cuts)
    assert {round(one.duration, 2) for one in cuts if not one.last} == {0.34}
    begins = [one.begins for one in cuts if one.first]
    assert {round(b - a, 1) for a, b in itertools.pairwise(begins)} == {1.7}, "six parts would be too long"


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 700), st.booleans()), max_size=300))
def test_every_sample_is_in_one_part(steps: list[tuple[bool, int, bool]]) -> None:
    """Whatever comes, parts follow each other and nothing is twice or lost but the beginning."""
    at = 0.0
    samples: list[Sample] = []
    for video, step, key in steps:
        at += step / 1000
        samples.append(Sample(at, 0.02, video, key or not video, len(samples)))
    cutter = PartCutter(part_seconds=PART, segment_seconds=SEGMENT, pictures=True)
    cuts = [one for sample in samples for one in cutter.add(sample)]
    for before, after in itertools.pairwise(cuts):
        assert after.begins == pytest.approx(before.begins + before.duration)
    numbers = [sample.data for one in cuts for sample in one.samples]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers))) if numbers else True
    assert all(one.samples and one.duration > 0 for one in cuts)
