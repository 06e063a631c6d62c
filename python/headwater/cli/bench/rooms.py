"""`headwater bench rooms` and `mesh`: rooms in which everybody sends and takes everybody.

A member is a WHIP session that sends a picture and sound, and a WHEP session with an m-line for each
track of the others. (WHEP knows no "others": a viewer may get its own picture and miss one; the count
is the same.) ``rooms`` is many small ones, ``mesh`` a single one that grows.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from headwater.cli.bench.generator import Report, run_generator
from headwater.cli.bench.machine import this_machine
from headwater.cli.bench.node import started_node
from headwater.cli.bench.plot import Bars, Chart
from headwater.cli.bench.sheet import Sheet, Show, built, carry_out
from headwater.media.build import build_info

__all__ = ["RoomsPlan", "measure_rooms", "run_rooms"]


@dataclass(frozen=True, slots=True)
class RoomsPlan:
    """What to measure.

    Attributes:
        rooms: How many rooms and how many members in each, one run for each pair.
        mbits: What a picture takes, Mbit/s.
        seconds: Measured time of each run.
        threads: Media threads of the node.
    """

    rooms: tuple[tuple[int, int], ...]
    mbits: float
    seconds: float = 8.0
    threads: int = 1

    @property
    def rate(self) -> int:
        """Video packets a second: of 1200 bytes, and at least one for each frame."""
        return max(30, round(self.mbits * 1e6 / 8 / 1200))


def run_rooms(plan: RoomsPlan, *, as_json: bool, plot: Path | None) -> int:
    """Run the plan and print it.

    Raises:
        HeadwaterError: The node or the generator failed.
    """
    return carry_out(lambda show: measure_rooms(plan, show), as_json=as_json, plot=plot)


def measure_rooms(plan: RoomsPlan, show: Show) -> Sheet:
    """Run the plan.

    Raises:
        HeadwaterError: The node or the generator failed.
    """
    share = 1 / len(plan.rooms)
    runs = []
    for index, (rooms, members) in enumerate(plan.rooms):
        told = partial(_show, show, index * share, f"{rooms} x {members}")
        runs.append(_run(plan, rooms, members, told))
    return Sheet(
        title=f"everybody sends {plan.mbits:g} Mbit/s of VP8 and Opus, and takes everybody",
        headings=_HEADINGS,
        rows=[_row(run) for run in runs],
        data={"plan": dataclasses.asdict(plan), "build": build_info(), "runs": runs},
        notes=[f"{this_machine()}.", built()],
        charts=_charts(runs),
    )


def _show(show: Show, done: float, what: str, stage: Report) -> None:
    show(f"{what}: {stage['stage']} {stage['subscribers'] or ''}", done)


def _run(plan: RoomsPlan, rooms: int, members: int, on_stage: partial[None]) -> Report:
    with started_node(threads=plan.threads) as node:
        arguments = ["rooms", "--url", node.url, "--rooms", str(rooms), "--members", str(members)]
        arguments += ["--seconds", str(plan.seconds), "--rate", str(plan.rate)]
        arguments += ["--server-pid", str(node.pid)]
        return {**run_generator(arguments, on_stage), "members": members}


def _row(run: Report) -> tuple[str, ...]:
    cost, rate = run["cpu_us_per_packet"], run["forwarded"] / run["seconds"]
    return (
        str(run["rooms"]),
        str(run["members"]),
        f"{rate:,.0f}",
        f"{cost:.2f}",
        f"{100 * rate * cost / 1e6:.0f} %",
        f"{run['loss_percent']:.2f} %",
        f"{run['delay_p50_ms']:.2f}",
        f"{run['delay_p99_ms']:.2f}",
        f"{run['memory_per_session'] / 2**20:.2f}",
        f"{100 * run['generator_busy']:.0f} %",
    )


def _charts(runs: list[Report]) -> list[Chart]:
    cases = [f"{run['rooms']} x {run['members']}" for run in runs]
    return [
        Chart(
            "CPU time of the server per forwarded packet, us (rooms x members)",
            cases,
            [Bars("", [run["cpu_us_per_packet"] for run in runs])],
        ),
        Chart(
            "forwarding delay, ms",
            cases,
            [
                Bars("median", [run["delay_p50_ms"] for run in runs]),
                Bars("99 of 100", [run["delay_p99_ms"] for run in runs], "#90cdf4"),
            ],
        ),
    ]


_HEADINGS = (
    "rooms",
    "members",
    "packets/s",
    "us/packet",
    "core",
    "loss",
    "p50 ms",
    "p99 ms",
    "MiB per session",
    "generator",
)
