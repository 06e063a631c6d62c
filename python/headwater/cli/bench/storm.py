"""`headwater bench storm`: a call beside hundreds who connect at once, as after a power cut.

A call of one publisher and some subscribers is measured twice on one node: alone, and while sessions join
as fast as the node answers. They come from several generators, each with requests of its own
under way, and are connected but silent: what is measured is what their coming costs the call. The node
would refuse newcomers once it has too much to do; here it lets everybody in.
"""

from __future__ import annotations

import dataclasses
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from headwater.cli.bench.generator import Report, find_generator, run_generator
from headwater.cli.bench.machine import this_machine
from headwater.cli.bench.node import Node, started_node
from headwater.cli.bench.plot import Bars, Chart
from headwater.cli.bench.sheet import Sheet, Show, built, carry_out
from headwater.media.build import build_info

__all__ = ["StormPlan", "measure_storm", "run_storm"]


@dataclass(frozen=True, slots=True)
class StormPlan:
    """What to measure.

    Attributes:
        sessions: Sessions that connect at once, half of them publishing.
        subscribers: Of the call beside them.
        seconds: Measured time of the call, each time; the storm begins with it.
        generators: Processes that the sessions are shared among.
        threads: Media threads of the node.
    """

    sessions: int = 500
    subscribers: int = 10
    seconds: float = 8.0
    generators: int = 5
    threads: int = 1


def run_storm(plan: StormPlan, *, as_json: bool, plot: Path | None) -> int:
    """Run the plan and print it.

    Raises:
        HeadwaterError: The node or a generator failed.
    """
    return carry_out(lambda show: measure_storm(plan, show), as_json=as_json, plot=plot)


def measure_storm(plan: StormPlan, show: Show) -> Sheet:
    """Run the plan.

    Raises:
        HeadwaterError: The node or a generator failed.
    """
    find_generator()  # once, before several processes would build it
    settings = {
        "HEADWATER_MAX_PARTICIPANTS": str(plan.sessions + plan.subscribers + 10),
        "HEADWATER_OVERLOAD__BUSY": "1",
        "HEADWATER_OVERLOAD__RECOVERY": "1",
    }
    with started_node(threads=plan.threads, settings=settings) as node:
        alone = _call(plan, node, partial(_show, show, 0.1, "alone"))
        storm = _Storm(plan, node)
        beside = _call(plan, node, partial(storm.on_stage, partial(_show, show, 0.5, "in a storm")))
        joined = storm.seconds()
    runs = [{"name": "alone", **alone}, {"name": "in a storm", **beside}]
    return Sheet(
        title=f"a call of one publisher and {plan.subscribers} subscribers, "
        f"and {plan.sessions:,} sessions that connect at once",
        headings=_HEADINGS,
        rows=[_row(run) for run in runs],
        data={"plan": dataclasses.asdict(plan), "build": build_info(), "join_seconds": joined, "runs": runs},
        notes=[
            f"All {plan.sessions:,} were connected after {joined:.1f} s; {plan.seconds:g} s were measured.",
            f"{this_machine()}.",
            built(),
        ],
        charts=[
            Chart(
                "forwarding delay of the call, ms",
                [run["name"] for run in runs],
                [
                    Bars("median", [run["delay_p50_ms"] for run in runs]),
                    Bars("99 of 100", [run["delay_p99_ms"] for run in runs], "#90cdf4"),
                ],
            )
        ],
    )


class _Storm:
    """Sessions that begin to connect in the moment in which the call begins to be measured."""

    def __init__(self, plan: StormPlan, node: Node) -> None:
        self._plan = plan
        self._node = node
        self._pool = ThreadPoolExecutor(plan.generators)
        self._parts: list[Future[Report]] = []

    def on_stage(self, told: partial[None], stage: Report) -> None:
        """Tell of a stage of the call; begin with its measurement."""
        told(stage)
        if stage["stage"] != "measuring":
            return
        plan = self._plan
        each, more = divmod(plan.sessions, plan.generators)
        for number in range(plan.generators):
            sessions = each + (number < more)
            arguments = ["idle", "--url", self._node.url, "--sessions", str(sessions), "--each", "2"]
            arguments += ["--seconds", "0.1", "--server-pid", str(self._node.pid)]
            self._parts.append(self._pool.submit(run_generator, arguments))

    def seconds(self) -> float:
        """How long it took until all were connected.

        Raises:
            HeadwaterError: One of the generators failed.
        """
        with self._pool:
            return max(float(part.result()["join_seconds"]) for part in self._parts)


def _call(plan: StormPlan, node: Node, on_stage: partial[None]) -> Report:
    arguments = ["fanout", "--whip", f"{node.url}/whip/call", "--whep", f"{node.url}/whep/call"]
    arguments += ["--subscribers", str(plan.subscribers), "--seconds", str(plan.seconds)]
    return run_generator([*arguments, "--server-pid", str(node.pid)], on_stage)


def _show(show: Show, done: float, what: str, stage: Report) -> None:
    show(f"{what}: {stage['stage']} {stage['subscribers'] or ''}", done)


def _row(run: Report) -> tuple[str, ...]:
    return (
        run["name"],
        f"{run['expected']:,}",
        f"{run['loss_percent']:.2f} %",
        f"{run['delay_p50_ms']:.2f}",
        f"{run['delay_p99_ms']:.2f}",
        f"{run['delay_max_ms']:.1f}",
        f"{run['cpu']['total_us'] / run['seconds'] / 1e4:.0f} %",
    )


_HEADINGS = ("call", "packets", "loss", "p50 ms", "p99 ms", "longest ms", "node's CPU")
