"""Curves over one time axis, one panel above the other, as an SVG file without any library."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

__all__ = ["Curve", "Panel", "draw"]

Point = tuple[float, float | None]
"""Seconds and value; None leaves a gap."""


@dataclass(frozen=True, slots=True)
class Curve:
    """One line of a panel.

    Attributes:
        name: What the legend says.
        points: In order of time.
        colour: As SVG knows it.
        steps: The value holds until the next point.
    """

    name: str
    points: Sequence[Point]
    colour: str
    steps: bool = False


@dataclass(frozen=True, slots=True)
class Panel:
    """Curves that share a scale.

    Attributes:
        title: Its quantity and unit.
        curves: What it shows.
        top: The largest value of its scale.
    """

    title: str
    curves: Sequence[Curve]
    top: float


def draw(panels: Sequence[Panel], *, seconds: float) -> str:
    """The text of an SVG file."""
    height = _TOP + len(panels) * (_HEIGHT + _GAP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{_WIDTH}" height="{height}" fill="#fff"/>',
    ]
    for index, panel in enumerate(panels):
        parts += _panel(panel, _TOP + index * (_HEIGHT + _GAP), seconds)
    parts.append(
        f'<text x="{_WIDTH - _RIGHT}" y="{height - 8}" text-anchor="end">seconds</text></svg>\n',
    )
    return "\n".join(parts)


def _panel(panel: Panel, y: float, seconds: float) -> list[str]:
    right, bottom = _WIDTH - _RIGHT, y + _HEIGHT
    parts = [f'<text x="{_LEFT}" y="{y - 8}" font-weight="bold">{escape(panel.title)}</text>']
    for quarter in range(5):
        at = bottom - quarter / 4 * _HEIGHT
        parts.append(f'<line x1="{_LEFT}" x2="{right}" y1="{at}" y2="{at}" stroke="#ddd"/>')
        value = f"{panel.top * quarter / 4:g}"
        parts.append(f'<text x="{_LEFT - 6}" y="{at + 4}" text-anchor="end">{value}</text>')
    step = next((each for each in _STEPS if seconds / each <= _MOST_LABELS), _STEPS[-1])
    for second in range(0, int(seconds) + 1, step):
        x = _x(second, seconds)
        parts.append(f'<text x="{x}" y="{bottom + 16}" text-anchor="middle">{second}</text>')
    for index, curve in enumerate(panel.curves):
        parts += _curve(curve, panel.top, y, seconds)
        x = right - 150 * (len(panel.curves) - index - 1)
        name = escape(curve.name)
        parts.append(f'<text x="{x}" y="{y - 8}" text-anchor="end" fill="{curve.colour}">{name}</text>')
    return parts


def _curve(curve: Curve, top: float, y: float, seconds: float) -> list[str]:
    """One polyline for each stretch without a gap."""
    lines: list[list[str]] = [[]]
    last: float | None = None
    for at, value in curve.points:
        if value is None:
            lines.append([])
        else:
            x, height = _x(at, seconds), y + _HEIGHT * (1 - min(value, top) / top)
            if curve.steps and last is not None and lines[-1]:
                lines[-1].append(f"{x:.1f},{last:.1f}")
            lines[-1].append(f"{x:.1f},{height:.1f}")
            last = height
    style = f'fill="none" stroke="{curve.colour}" stroke-width="2"'
    return [f'<polyline points="{" ".join(line)}" {style}/>' for line in lines if line]


def _x(at: float, seconds: float) -> float:
    return _LEFT + at / seconds * (_WIDTH - _LEFT - _RIGHT)


_STEPS = (1, 2, 5, 10, 20, 60, 120, 300, 600, 1800, 3600)
"""Seconds between two labels of the time axis."""
_MOST_LABELS = 12
_WIDTH, _HEIGHT = 860, 150
_LEFT, _RIGHT, _TOP, _GAP = 60, 20, 30, 54
