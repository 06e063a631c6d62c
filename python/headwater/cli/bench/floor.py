"""`headwater bench floor`: the cost of a packet when it is only sealed and sent.

The floor is what a figure of the server is divided by, so it must itself be believable: on a kind of
machine that was measured before, a floor more than a quarter above that measurement is void (another
program takes the caches, the host is overcommitted), and so is every ratio to it.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from headwater.cli.bench.generator import Report, run_generator
from headwater.cli.bench.machine import Machine, this_machine

__all__ = ["Floor", "measure_floor", "run_floor"]


@dataclass(frozen=True, slots=True)
class Floor:
    """The floor of this machine, in CPU microseconds per packet of 1200 bytes.

    Attributes:
        machine: Where it was measured.
        figures: All figures by name, as the generator gives them.
    """

    machine: Machine
    figures: Report

    @property
    def void(self) -> tuple[str, ...]:
        """Why it must not be used, empty when it may."""
        return tuple(reason for name in _NAMES if (reason := self._reason(name)))

    def void_for(self, *, spread: bool) -> tuple[str, ...]:
        """As `void`, of the two figures that floor rests on."""
        return tuple(reason for name in ("seal", _total(spread)) if (reason := self._reason(name)))

    def _reason(self, name: str) -> str:
        usual = _MEASURED.get((self.machine.architecture, self.machine.crypto), {}).get(name)
        if usual is None or self.figures[name] <= usual * _TOLERANCE:
            return ""
        return (
            f"{_NAMES[name]} costs {self.figures[name]:.2f} us here, more than a quarter above the "
            f"{usual:.2f} us of this kind of machine"
        )

    def as_json(self) -> Report:
        """Everything, as values for JSON."""
        return {**dataclasses.asdict(self), "void": list(self.void)}

    def of(self, *, spread: bool) -> float:
        """The floor for spread packets or for bursts."""
        return float(self.figures[_total(spread)])

    def averaged(self, other: Floor) -> Floor:
        """The mean of two measurements; void when the mean is."""
        figures = {
            name: (value + other.figures[name]) / 2 if isinstance(value, float) else value
            for name, value in self.figures.items()
        }
        return Floor(self.machine, figures)


def measure_floor(seconds: float) -> Floor:
    """Measure for about ``seconds``.

    Raises:
        HeadwaterError: The generator failed or is missing.
    """
    return Floor(this_machine(), run_generator(["floor", "--seconds", str(seconds)]))


def run_floor(*, seconds: float, as_json: bool) -> int:
    """Print the floor; the exit status is 1 when it is void."""
    floor = measure_floor(seconds)
    if as_json:
        print(json.dumps(floor.as_json(), indent=2))
    else:
        _print(Console(emoji=False), floor)
    return 1 if floor.void else 0


def _total(spread: bool) -> str:
    return "spread_total" if spread else "burst_total"


def _print(console: Console, floor: Floor) -> None:
    table = Table(box=SIMPLE_HEAD, title="CPU time per packet of 1200 bytes", caption=str(floor.machine))
    table.add_column("step")
    table.add_column("us/packet", justify="right")
    table.add_column("usual here", justify="right")
    usual = _MEASURED.get((floor.machine.architecture, floor.machine.crypto), {})
    for name, words in _NAMES.items():
        known = f"{usual[name]:.2f}" if name in usual else ""
        table.add_row(words, f"{floor.figures[name]:.2f}", known)
    console.print(table)
    for reason in floor.void:
        console.print(f"[bold red]VOID[/]: {reason}")
    if not usual:
        console.print("No earlier measurement of this kind of machine to judge by.")


_NAMES = {
    "seal": "seal, AES-128-GCM",
    "seal_aes256": "seal, AES-256-GCM",
    "seal_cm_sha1": "seal, AES-128-CM + HMAC-SHA1-80",
    "send_burst": "send, nine packets in a call (GSO)",
    "send_single": "send, one packet in a call",
    "burst_total": "floor for bursts: seal + GSO send",
    "spread_total": "floor for spread packets: seal + send",
    "burst_total_gro": "the same, readers with GRO (unreal)",
}

# Loopback, live readers, 100 destinations in turn, on a quiet machine of that kind.
_MEASURED = {
    ("x86_64", "vaes-avx512"): {"seal": 0.20, "burst_total": 1.15, "spread_total": 2.40},
}
_TOLERANCE = 1.25
