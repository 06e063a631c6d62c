"""The tables of `headwater bench ladder`."""

from __future__ import annotations

import pytest

from headwater.cli.bench.ladder import markdown, replaced
from headwater.errors import ConfigurationError


def _row(kind: str, **figure: object) -> dict[str, object]:
    whole = {
        "name": "sound %",
        "mean": 99.5,
        "worst": 98.0,
        "limit": 99.0,
        "least": True,
        "held": 3,
        **figure,
    }
    return {"event": "row", "kind": kind, "name": "5 % random", "seeds": 4, "figures": [whole]}


def test_a_row_tells_mean_goal_and_how_many_seeds_held() -> None:
    """The mean decides; the seeds that held stand beside it."""
    table = markdown([_row("ladder")]).splitlines()
    assert table[0] == "| link | sound % | holds |"
    assert table[2] == "| 5 % random | 99.50 (≥ 99) | yes, 3 of 4 |"


def test_a_row_below_its_goal_says_so() -> None:
    """Nothing is rounded up to good, and what never came is no success."""
    assert "**no**, 0 of 4" in markdown([_row("ladder", mean=98.996, held=0)])
    never = markdown([_row("trial", mean=None, worst=None, least=False, held=0)])
    assert "| 5 % random | sound % | never | never | ≤ 99 | **no**, 0 of 4 |" in never


def test_a_table_takes_the_place_of_the_one_before() -> None:
    """What stands around the marks stays; a page without them is refused."""
    begin, end = "<!-- ladder: written by `headwater bench ladder --write` -->", "<!-- end of ladder -->"
    page = f"before\n{begin}\nold\n{end}\nafter"
    once = replaced(page, "new")
    assert "old" not in once
    assert once.startswith("before")
    assert once.endswith("after")
    assert replaced(once, "new") == once
    with pytest.raises(ConfigurationError):
        replaced("no marks", "new")
