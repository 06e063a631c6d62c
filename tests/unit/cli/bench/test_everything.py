"""The goals of docs/performance.md, judged from the tables."""

from __future__ import annotations

from typing import Any

from headwater.cli.bench.everything import goals
from headwater.cli.bench.sheet import Sheet


def sheet(cost: float, *, lowest: float = 1.0, void: tuple[str, ...] = (), **figures: Any) -> Sheet:
    run = {
        "subscribers": 100,
        "cpu_us_per_packet": cost,
        "memory_per_subscriber": 100_000.0,
        "delay_p50_ms": 0.4,
        "delay_p99_ms": 0.9,
        "loss_percent": 0.0,
        **figures,
    }
    return Sheet("", (), (), {"runs": [run], "lowest": lowest}, void=void)


def states(**changed: Sheet) -> list[str]:
    sheets = {"fanout": sheet(1.5), "fanout_spread": sheet(1.4), "fanout_cm_sha1": sheet(1.4)}
    sheets |= {"fanout_500": sheet(2.0), **changed}
    lines = goals({name.replace("_", "-"): one for name, one in sheets.items()}).splitlines()[2:]
    return [line.split(" | ")[-1].removesuffix(" |") for line in lines]


def test_all_met() -> None:
    """Every figure within its goal."""
    assert states() == ["met"] * 6


def test_cost_is_judged_as_a_multiple_of_the_floor() -> None:
    """A machine twice as slow meets the same goal; a void floor judges nothing."""
    assert states(fanout=sheet(3.0, lowest=2.0))[0] == "met"
    assert states(fanout=sheet(2.0))[0] == "missed, below the limit"
    assert states(fanout=sheet(3.0))[0] == "**missed**"
    assert states(fanout_spread=sheet(9.0, void=("busy",)))[1] == "void"


def test_memory_delay_and_a_crowd() -> None:
    """What is no cost is judged as it is."""
    assert states(fanout=sheet(1.0, memory_per_subscriber=200_000.0))[3] == "**missed**"
    assert states(fanout=sheet(1.0, delay_p99_ms=4.0))[4] == "**missed**"
    assert states(fanout_500=sheet(2.0, subscribers=500, loss_percent=20.0))[5] == "**missed**"
