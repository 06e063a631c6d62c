"""The floor judges itself, because every ratio hangs on it."""

from __future__ import annotations

from headwater.cli.bench.floor import Floor
from headwater.cli.bench.machine import Machine

KNOWN = Machine(cores=2, architecture="x86_64", crypto="vaes-avx512", kernel="Linux 6.18", busy=0.1)
FIGURES = {"seal": 0.2, "burst_total": 1.1, "spread_total": 2.4}


def test_a_usual_floor_is_not_void() -> None:
    """On a machine of a known kind the usual figures pass."""
    assert Floor(KNOWN, FIGURES).void == ()


def test_a_floor_a_quarter_too_high_is_void() -> None:
    """A figure more than 25 % above what that kind of machine needs voids the floor, and says which."""
    (reason,) = Floor(KNOWN, FIGURES | {"burst_total": 1.6}).void
    assert "1.60 us" in reason


def test_a_floor_of_an_unknown_machine_is_not_judged() -> None:
    """Without an earlier measurement nothing can be void."""
    other = Machine(cores=4, architecture="aarch64", crypto="aes", kernel="Linux 6.1", busy=0.1)
    assert Floor(other, FIGURES | {"burst_total": 9.0}).void == ()


def test_the_mean_of_two_floors_is_judged_anew() -> None:
    """One disturbed half does not void a run whose mean is sound."""
    mean = Floor(KNOWN, FIGURES).averaged(Floor(KNOWN, FIGURES | {"burst_total": 1.5}))
    assert mean.of(spread=False) == 1.3
    assert mean.of(spread=True) == 2.4
    assert mean.void == ()


def test_a_void_floor_for_spread_packets_leaves_bursts_alone() -> None:
    """Each kind of load is judged by its own floor."""
    floor = Floor(KNOWN, FIGURES | {"spread_total": 9.0})
    assert floor.void_for(spread=True)
    assert not floor.void_for(spread=False)
