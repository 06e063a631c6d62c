"""Curves over one time axis."""

from __future__ import annotations

import re

import pytest

from headwater.telemetry.timeline import Curve, Panel, draw


@pytest.mark.parametrize(("seconds", "labels"), [(4.0, 5), (60.0, 13), (3600.0, 13), (40_000.0, 12)])
def test_the_time_axis_can_be_read_however_long_the_run(seconds: float, labels: int) -> None:
    """Labels stand at round seconds, a dozen at most."""
    panel = Panel("rate", [Curve("estimate", [(0.0, 1.0), (seconds, 2.0)], "#000")], 2.0)
    drawn = re.findall(r'text-anchor="middle">(\d+)<', draw([panel], seconds=seconds))
    assert len(drawn) == labels
    assert drawn[0] == "0"
