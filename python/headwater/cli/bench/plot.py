"""Bars over a few cases, one panel above the other, as an SVG file without any library."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import floor, log10

__all__ = ["Bars", "Chart", "draw"]


@dataclass(frozen=True, slots=True)
class Bars:
    """One colour of a panel.

    Attributes:
        name: What the legend says.
        values: One for each case.
        colour: As SVG knows it.
    """

    name: str
    values: Sequence[float]
    colour: str = "#2b6cb0"


@dataclass(frozen=True, slots=True)
class Chart:
    """A panel.

    Attributes:
        title: Its quantity and unit.
        cases: What stands below the bars.
        bars: One or more for each case, side by side.
        line: A value to compare with, and its name.
    """

    title: str
    cases: Sequence[str]
    bars: Sequence[Bars]
    line: tuple[str, float] | None = None

    @property
    def top(self) -> float:
        """The largest value of the scale: the next 1, 2 or 5 times a power of ten."""
        values = [value for bars in self.bars for value in bars.values]
        highest = max([*values, self.line[1] if self.line else 0, 1e-9])
        unit = 10.0 ** floor(log10(highest))
        return next(unit * step for step in (1, 2, 5, 10) if unit * step >= highest * 0.999)


def draw(charts: Sequence[Chart]) -> str:
    """The text of an SVG file."""
    height = _TOP + len(charts) * (_HEIGHT + _GAP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{_WIDTH}" height="{height}" fill="#fff"/>',
    ]
    for index, chart in enumerate(charts):
        parts += _panel(chart, _TOP + index * (_HEIGHT + _GAP))
    return "\n".join([*parts, "</svg>\n"])


def _panel(chart: Chart, y: float) -> list[str]:
    right, bottom, top = _WIDTH - _RIGHT, y + _HEIGHT, chart.top
    parts = [f'<text x="{_LEFT}" y="{y - 10}" font-weight="bold">{escape(chart.title)}</text>']
    for quarter in range(5):
        at = bottom - quarter / 4 * _HEIGHT
        parts.append(f'<line x1="{_LEFT}" x2="{right}" y1="{at}" y2="{at}" stroke="#ddd"/>')
        value = f"{top * quarter / 4:g}"
        parts.append(f'<text x="{_LEFT - 6}" y="{at + 4}" text-anchor="end">{value}</text>')
    room = (right - _LEFT) / max(len(chart.cases), 1)
    for place, case in enumerate(chart.cases):
        middle = _LEFT + (place + 0.5) * room
        parts.append(f'<text x="{middle:.1f}" y="{bottom + 16}" text-anchor="middle">{escape(case)}</text>')
        parts += _group(chart, place, middle, room, bottom)
    if chart.line is not None:
        at = bottom - _HEIGHT * chart.line[1] / top
        parts.append(
            f'<line x1="{_LEFT}" x2="{right}" y1="{at:.1f}" y2="{at:.1f}" stroke="{_LINE}" '
            'stroke-width="1.5" stroke-dasharray="6 4"/>'
        )
    return parts + _legend(chart, right, y)


def _group(chart: Chart, place: int, middle: float, room: float, bottom: float) -> list[str]:
    """The bars of one case, each with its value."""
    width = min(room * 0.7 / len(chart.bars), _WIDEST)
    left = middle - width * len(chart.bars) / 2
    parts = []
    for index, bars in enumerate(chart.bars):
        value = bars.values[place]
        height = _HEIGHT * value / chart.top
        x, y = left + index * width, bottom - height
        parts.append(
            f'<rect x="{x + 1:.1f}" y="{y:.1f}" width="{width - 2:.1f}" height="{height:.1f}" '
            f'fill="{bars.colour}"/>'
        )
        parts.append(
            f'<text x="{x + width / 2:.1f}" y="{y - 4:.1f}" text-anchor="middle" font-size="11">'
            f"{_short(value)}</text>"
        )
    return parts


def _legend(chart: Chart, right: float, y: float) -> list[str]:
    entries = [(bars.name, bars.colour) for bars in chart.bars if bars.name]
    if chart.line is not None:
        entries.append((f"- - {chart.line[0]} {_short(chart.line[1])}", _LINE))
    parts = []
    for index, (name, colour) in enumerate(reversed(entries)):
        x = right - 150 * index
        parts.append(f'<text x="{x}" y="{y - 10}" text-anchor="end" fill="{colour}">{escape(name)}</text>')
    return parts


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


_WIDTH, _HEIGHT = 860, 150
_LEFT, _RIGHT, _TOP, _GAP = 60, 20, 36, 60
_WIDEST = 70.0
_LINE = "#c05621"
