"""`headwater bench threads`: what it costs to serve one room by several media threads.

For each number of threads a fresh node is started that alternates the members of a room between its
threads from the first on (`spread` 0), and the generator joins one room with a publisher and N
subscribers. Each packet of the publisher crosses once to every further thread; the rest is the same
work as on one thread, so CPU time per forwarded packet should hardly grow.

Threads beyond the cores of the machine, and the generator on one of them, make delays longer; the
cost is CPU time and stays comparable.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from headwater.cli.bench.generator import Report, run_generator
from headwater.cli.bench.machine import this_machine
from headwater.cli.bench.node import media_counters, started_node
from headwater.cli.bench.plot import Bars, Chart
from headwater.cli.bench.sheet import Sheet, Show, built, carry_out
from headwater.media.build import build_info

__all__ = ["ThreadsPlan", "measure_threads", "run_threads"]


@dataclass(frozen=True, slots=True)
class ThreadsPlan:
    """What to measure.

    Attributes:
        threads: Media threads of each run.
        subscribers: Subscribers in the room.
        spread: Packets one by one instead of a frame at once.
        seconds: Measured time of each run.
    """

    threads: tuple[int, ...]
    subscribers: int
    spread: bool
    seconds: float


def run_threads(plan: ThreadsPlan, *, as_json: bool, plot: Path | None) -> int:
    """Run the plan and print it.

    Raises:
        HeadwaterError: The node or the generator failed.
    """
    return carry_out(lambda show: measure_threads(plan, show), as_json=as_json, plot=plot)


def measure_threads(plan: ThreadsPlan, show: Show) -> Sheet:
    """Run the plan.

    Raises:
        HeadwaterError: The node or the generator failed.
    """
    runs = []
    for index, threads in enumerate(plan.threads):
        show(f"{threads} media threads", index / len(plan.threads))
        runs.append(_run(plan, threads))
    load = "packets one by one" if plan.spread else "a frame as one burst"
    cases = [f"{run['threads']} threads" for run in runs]
    notes = [f"{this_machine()}.", built()]
    if dropped := sum(run["relay"]["relay_dropped"] for run in runs):
        notes.insert(0, f"{dropped} packets were dropped between threads.")
    return Sheet(
        title=f"1 publisher, {plan.subscribers} subscribers in one room, {load}",
        headings=_HEADINGS,
        rows=[_row(run) for run in runs],
        data={"plan": dataclasses.asdict(plan), "build": build_info(), "runs": runs},
        notes=notes,
        charts=[
            Chart(
                "CPU time of the server per forwarded packet, us",
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
        ],
    )


def _run(plan: ThreadsPlan, threads: int) -> Report:
    with started_node(threads=threads, settings={"HEADWATER_SPREAD": "0"}) as node:
        arguments = ["fanout", "--whip", f"{node.url}/whip/bench", "--whep", f"{node.url}/whep/bench"]
        arguments += ["--subscribers", str(plan.subscribers), "--seconds", str(plan.seconds)]
        arguments += ["--server-pid", str(node.pid)] + ["--spread"] * plan.spread
        report = run_generator(arguments)
        return {**report, "threads": threads, "relay": media_counters(node.url, _COUNTERS)}


def _row(run: Report) -> tuple[str, ...]:
    relay = run["relay"]
    return (
        str(run["threads"]),
        f"{run['forwarded'] / run['seconds']:,.0f}",
        f"{run['cpu_us_per_packet']:.2f}",
        f"{relay['relayed_in']:,}",
        f"{relay['relayed_in'] / max(relay['relay_letters'], 1):.1f}",
        f"{run['loss_percent']:.2f} %",
        f"{run['delay_p50_ms']:.2f}",
        f"{run['delay_p99_ms']:.2f}",
    )


_COUNTERS = ("relayed_in", "relay_letters", "relay_dropped")
_HEADINGS = (
    "threads",
    "packets/s",
    "us/packet",
    "crossed",
    "per wake-up",
    "loss",
    "p50 ms",
    "p99 ms",
)
