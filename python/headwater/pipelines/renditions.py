"""Which renditions can be made of a picture that comes: as it is, or encoded by a *ladder* of heights.

- H264 simulcast: every layer as it is; the ladder has nothing to add.
- H264 in one size, with a ladder: as it is, and below it the heights of the ladder that are smaller.
- Anything else, with a ladder: its heights, encoded, and in place of those that are larger its own.
- Without a ladder: one, as it is where the container holds it.

So nothing is made larger than it comes. A height counts the shorter side, so that what is called 720 is as
sharp upright as it is lying. What a picture measures is read from its packets; where they do not tell
(AV1 without a dependency descriptor) it is presumed to be `LARGE`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from headwater.media.object import Statistics
from headwater.media.publisher import Publisher
from headwater.pipelines.hls_command import Picture

__all__ = ["LARGE", "best", "better", "is_layered", "is_whole", "pictures"]


def is_layered(video: Publisher) -> bool:
    """Whether it comes in several encodings that are packaged as they are."""
    return _passes(video.codec.encoding) and len(video.track.rids) > 1


def pictures(codec: str, layers: int, stats: Statistics, ladder: Sequence[int]) -> list[Picture]:
    """What can be made of what comes now, smallest first; nothing while the size is needed and not known.

    Args:
        codec: As in SDP ("H264", "VP8", ...).
        layers: Encodings of simulcast that were negotiated, 1 without.
        stats: The publisher's, see docs/reference/statistics.md.
        ladder: Heights, in lines; empty for no ladder.
    """
    passes = _passes(codec)
    if passes and layers > 1:
        count = max(_coming(stats), default=0) + 1
        return [Picture(f"video{layer}", codec, layer) for layer in range(count)]
    if not ladder:
        return [Picture("video", codec)]
    width, height = _largest(stats)
    if not width or not height:
        return []
    rungs = _rungs(min(width, height), ladder, passes=passes)
    made = [Picture(f"video{place}", codec, 0, *_scaled(width, height, to)) for place, to in enumerate(rungs)]
    return [*made, Picture(f"video{len(made)}", codec)] if passes else made


def is_whole(codec: str, layers: int, stats: Statistics, ladder: Sequence[int]) -> bool:
    """Whether there is nothing to wait for: every layer comes, or the largest picture that is of use."""
    if _passes(codec) and layers > 1:
        return len(pictures(codec, layers, stats, ladder)) == layers
    return not ladder or min(_largest(stats)) >= max(ladder)


def better(one: Sequence[Picture], than: Sequence[Picture]) -> bool:
    """Whether there are more renditions, or larger ones."""
    return _worth(one) > _worth(than)


def best(one: Sequence[Picture], other: Sequence[Picture]) -> Sequence[Picture]:
    """The one with more renditions, or larger ones."""
    return other if better(other, one) else one


def _rungs(shorter: int, ladder: Sequence[int], *, passes: bool) -> list[int]:
    """Heights to encode a picture in whose shorter side is so long."""
    if passes:
        return [rung for rung in sorted(ladder) if rung * _APART <= shorter]
    rungs = [rung for rung in sorted(ladder) if rung <= shorter]
    if shorter < max(ladder) and (not rungs or rungs[-1] * _APART <= shorter):
        rungs.append(shorter)
    return rungs


def _passes(codec: str) -> bool:
    return codec.upper() == "H264"


def _worth(some: Sequence[Picture]) -> tuple[int, int]:
    return len(some), max((min(picture.width, picture.height) for picture in some), default=0)


def _coming(stats: Statistics) -> list[int]:
    return [layer for layer in _LAYERS if stats.get(f"layer_{layer}_0_bitrate")]


def _largest(stats: Statistics) -> tuple[int, int]:
    """Width and height of the largest picture; zero while they are not known."""
    names = [(f"layer_{layer}_0_frame_width", f"layer_{layer}_0_frame_height") for layer in _LAYERS]
    known = [names[layer] for layer in _coming(stats)] or names
    sizes = [(int(stats.get(width, 0)), int(stats.get(height, 0))) for width, height in known]
    return max(sizes, key=math.prod)


def _scaled(width: int, height: int, shorter: int) -> tuple[int, int]:
    """A picture of that shape whose shorter side is so long; even numbers, as encoders want."""
    factor = shorter / min(width, height)
    return _even(width * factor), _even(height * factor)


def _even(pixels: float) -> int:
    return max(2, round(pixels / 2) * 2)


LARGE: Statistics = {"layer_0_0_frame_width": 3840, "layer_0_0_frame_height": 2160}
"""Statistics of a picture for which no ladder is too high."""
_LAYERS = range(4)
_APART = 1.2
"""How much larger its own size must be than a height of the ladder to be worth another rendition."""
