"""Which renditions are made of a picture: none larger than it comes, all of its shape."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from headwater.pipelines.hls_command import Packaging, arguments
from headwater.pipelines.renditions import LARGE, best, better, is_whole, pictures

LADDER = [720, 360]


def measured(width: int, height: int, layer: int = 0) -> dict[str, int | float | str]:
    """Statistics of a publisher whose pictures are so large."""
    return {
        f"layer_{layer}_0_bitrate": 1_000_000,
        f"layer_{layer}_0_frame_width": width,
        f"layer_{layer}_0_frame_height": height,
    }


@pytest.mark.parametrize(
    ("codec", "size", "made"),
    [
        ("VP8", (1920, 1080), [(640, 360), (1280, 720)]),
        ("VP9", (1280, 720), [(640, 360), (1280, 720)]),
        ("AV1", (960, 540), [(640, 360), (960, 540)]),
        ("VP8", (640, 360), [(640, 360)]),
        ("VP8", (642, 362), [(638, 360)]),
        ("VP8", (320, 180), [(320, 180)]),
        ("VP8", (720, 1280), [(360, 640), (720, 1280)]),
        ("VP8", (1438, 1080), [(480, 360), (958, 720)]),
        ("H264", (1920, 1080), [(640, 360), (1280, 720), (0, 0)]),
        ("H264", (1280, 720), [(640, 360), (0, 0)]),
        ("H264", (320, 240), [(0, 0)]),
    ],
)
def test_a_ladder(codec: str, size: tuple[int, int], made: list[tuple[int, int]]) -> None:
    """Its heights, and the picture's own; (0, 0) goes through as it is."""
    found = pictures(codec, 1, measured(*size), LADDER)
    assert [(one.width, one.height) for one in found] == made
    assert [one.name for one in found] == [f"video{place}" for place in range(len(made))]


def test_layers_of_h264_need_no_ladder() -> None:
    """They are renditions as they come; of VP8 the largest is encoded."""
    stats = {**measured(320, 180), **measured(640, 360, 1)}
    assert [(one.line, one.height) for one in pictures("H264", 3, stats, LADDER)] == [(0, 0), (1, 0)]
    assert [(one.line, one.height) for one in pictures("VP8", 3, stats, LADDER)] == [(0, 360)]


def test_a_size_that_is_not_known() -> None:
    """Nothing is decided before it is, but in the end the whole ladder is made."""
    assert pictures("AV1", 1, {}, LADDER) == []
    assert [one.height for one in pictures("AV1", 1, LARGE, LADDER)] == [360, 720]
    assert [one.name for one in pictures("AV1", 1, {}, [])] == ["video"]


def test_a_picture_that_grows_is_worth_another_run() -> None:
    """One that shrinks keeps the renditions that players were told of."""
    small, large = (pictures("VP8", 1, measured(*size), LADDER) for size in ((960, 540), (1280, 720)))
    assert better(large, small)
    assert not better(small, large)
    assert best(large, small) is large
    assert best(small, large) is large


@pytest.mark.parametrize(
    ("codec", "layers", "stats", "ladder", "whole"),
    [
        ("VP8", 1, {}, [], True),
        ("VP8", 1, {}, LADDER, False),
        ("VP8", 1, measured(960, 540), LADDER, False),
        ("H264", 1, measured(720, 1280), LADDER, True),
        ("H264", 2, measured(320, 180), [], False),
        ("H264", 2, {**measured(320, 180), **measured(640, 360, 1)}, LADDER, True),
    ],
)
def test_what_is_worth_waiting_for(
    codec: str, layers: int, stats: dict[str, int | float | str], ladder: list[int], whole: bool
) -> None:
    """Browsers begin small: all layers, or a picture as large as the ladder."""
    assert is_whole(codec, layers, stats, ladder) is whole


@pytest.mark.parametrize(("height", "bitrate", "level"), [(360, "1060000", "3"), (1080, "5510000", "4")])
def test_an_encoder_gets_a_rate_that_fits(tmp_path: Path, height: int, bitrate: str, level: str) -> None:
    """More for larger pictures, though less in proportion; the level says so to players."""
    made = pictures("VP8", 1, measured(1920, 1080), [height])
    command = arguments(Packaging(tmp_path / "x.sdp", "r1", made, "opus"))
    told = dict(pairwise(command))
    assert (told["-maxrate"], told["-level:v"]) == (bitrate, level)
