"""`headwater bench floor`: the cost of a packet when it is only sealed and sent.

The floor is what a figure of the server is divided by, so it must itself be believable: on a kind of
machine that was measured before, a floor more than a quarter above that measurement is void (another
program takes the caches, the host is overcommitted), and so is every ratio to it.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from headwater.cli.bench.generator import Report, run_generator
from headwater.cli.bench.machine import Machine, this_machine
from headwater.cli.bench.plot import Bars, Chart
from headwater.cli.bench.sheet import Sheet, finish

__all__ = ["Floor", "floor_sheet", "measure_floor", "run_floor"]


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

    def of(self, *, spread: bool, srtp: str = "") -> float:
        """The floor for spread packets or for bursts, with the cipher of an SRTP profile."""
        seal = _SEALS.get(srtp)
        if seal is None:
            return float(self.figures[_total(spread)])
        return float(self.figures[seal] + self.figures["send_single" if spread else "send_burst"])

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


def run_floor(*, seconds: float, as_json: bool, plot: Path | None) -> int:
    """Print the floor; the exit status is 1 when it is void."""
    return finish(floor_sheet(measure_floor(seconds)), as_json=as_json, plot=plot)


def floor_sheet(floor: Floor) -> Sheet:
    """The floor as a table."""
    usual = _MEASURED.get((floor.machine.architecture, floor.machine.crypto), {})

    def row(words: str, value: float, name: str = "") -> tuple[str, ...]:
        return words, f"{value:.2f}", f"{usual[name]:.2f}" if name in usual else ""

    rows = [row(words, floor.figures[name], name) for name, words in _NAMES.items()]
    for spread, words in ((False, "bursts"), (True, "spread packets")):
        rows.append(row(f"floor for {words} with CM and SHA1", floor.of(spread=spread, srtp="cm-sha1")))
    notes = [f"{floor.machine}."]
    if not usual:
        notes.append("No earlier measurement of this kind of machine to judge by.")
    return Sheet(
        title="CPU time per packet of 1200 bytes",
        headings=("step", "us/packet", "usual here"),
        rows=rows,
        data=floor.as_json(),
        notes=notes,
        void=floor.void,
        charts=[
            Chart(
                "CPU time per packet of 1200 bytes, us",
                [_SHORT[name] for name in _SHORT],
                [Bars("", [floor.figures[name] for name in _SHORT])],
            )
        ],
    )


def _total(spread: bool) -> str:
    return "spread_total" if spread else "burst_total"


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

_SEALS = {"cm-sha1": "seal_cm_sha1", "gcm128": "seal", "gcm256": "seal_aes256"}
_SHORT = {
    "seal": "seal, GCM",
    "seal_cm_sha1": "seal, CM+SHA1",
    "send_burst": "send nine",
    "send_single": "send one",
    "burst_total": "floor, bursts",
    "spread_total": "floor, one by one",
}

# Loopback, live readers, 100 destinations in turn, on a quiet machine of that kind.
_MEASURED = {
    ("x86_64", "vaes-avx512"): {"seal": 0.20, "burst_total": 1.15, "spread_total": 2.40},
}
_TOLERANCE = 1.25
