"""The pictures of measurements."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from headwater.cli.bench.plot import Bars, Chart, draw

SVG = "{http://www.w3.org/2000/svg}"


def test_bars_are_as_high_as_their_values() -> None:
    """Twice the value, twice the height; and every case and series has its bar."""
    chart = Chart("cost, us", ["10", "100"], [Bars("a", [1.0, 2.0]), Bars("b", [4.0, 0.0])])
    root = ET.fromstring(draw([chart]))
    heights = [float(bar.attrib["height"]) for bar in root.iter(f"{SVG}rect")][1:]
    assert heights[0] * 2 == heights[2]
    assert heights[0] * 4 == heights[1]
    assert heights[3] == 0
    words = {text.text for text in root.iter(f"{SVG}text")}
    assert {"cost, us", "10", "100", "a", "b"} <= words


def test_the_scale_holds_bars_and_line() -> None:
    """The top is a round number, and what is compared with is inside."""
    assert Chart("", ["x"], [Bars("", [3.2])]).top == 5
    assert Chart("", ["x"], [Bars("", [3.2])], ("floor", 12.0)).top == 20
    assert Chart("", ["x"], [Bars("", [0.0])]).top > 0


def test_words_are_escaped() -> None:
    """A title may hold what markup is made of."""
    root = ET.fromstring(draw([Chart("a < b & c", ["<x>"], [Bars("&", [1.0])])]))
    assert "a < b & c" in {text.text for text in root.iter(f"{SVG}text")}
