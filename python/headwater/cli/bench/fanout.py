"""`headwater bench fanout`: CPU time per forwarded packet, loss, delay and memory under load.

For every number of subscribers a fresh node is started and the generator joins it over WHIP and
WHEP. The floor is measured in the same run, before and after, so that the ratio compares like with
like: the ratio is the bar, not the figure.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from headwater.cli.bench.floor import Floor, measure_floor
from headwater.cli.bench.generator import Report, run_generator, started_reference
from headwater.cli.bench.node import started_node
from headwater.cli.bench.plot import Bars, Chart
from headwater.cli.bench.sheet import Sheet, Show, built, carry_out
from headwater.media.build import build_info

__all__ = ["Plan", "measure_fanout", "run_fanout"]


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure.

    Attributes:
        subscribers: Subscribers of each run.
        spread: Packets one by one instead of a frame at once.
        seconds: Measured time of each run.
        threads: Media threads of the node.
        gro: Receive offload at the subscribers.
        loss: Media and RTCP that each subscriber loses, percent.
        srtp: The one SRTP profile that the clients offer; empty: all, and the node chooses.
        reference: The generator's plain forwarder instead of a node.
    """

    subscribers: tuple[int, ...]
    spread: bool = False
    seconds: float = 8.0
    threads: int = 1
    gro: bool = False
    loss: float = 0.0
    srtp: str = ""
    reference: bool = False


def run_fanout(plan: Plan, *, as_json: bool, plot: Path | None) -> int:
    """Run the plan and print it; the exit status is 1 when the floor is void.

    Raises:
        HeadwaterError: The node or the generator failed.
    """
    return carry_out(lambda show: measure_fanout(plan, show), as_json=as_json, plot=plot)


def measure_fanout(plan: Plan, show: Show) -> Sheet:
    """Run the plan.

    Raises:
        HeadwaterError: The node or the generator failed.
    """
    show("floor", 0.0)
    floor = measure_floor(_FLOOR_SECONDS)
    share = 1 / len(plan.subscribers)
    runs = []
    for index, subscribers in enumerate(plan.subscribers):
        runs.append(_run(plan, subscribers, partial(_show_run, show, index * share, share)))
    floor = floor.averaged(measure_floor(_FLOOR_SECONDS))
    lowest = floor.of(spread=plan.spread, srtp=plan.srtp)
    build = {"profile": "reference forwarder"} if plan.reference else build_info()
    data = {"plan": dataclasses.asdict(plan), "build": build, "floor": floor.as_json(), "runs": runs}
    return Sheet(
        title=_title(plan),
        headings=_HEADINGS,
        rows=[_row(run, lowest) for run in runs],
        data=data | {"lowest": lowest},
        notes=_notes(plan, floor, lowest, runs),
        void=floor.void_for(spread=plan.spread),
        charts=_charts(lowest, runs),
    )


def _show_run(show: Show, base: float, share: float, text: str, done: float) -> None:
    show(text, base + done * share)


def _run(plan: Plan, subscribers: int, show: Show) -> Report:
    def on_stage(stage: Report) -> None:
        joined = f" {stage['subscribers']}" if stage["stage"] == "joining" else ""
        show(f"{subscribers} subscribers: {stage['stage']}{joined}", _STAGES[stage["stage"]])

    with _target(plan) as (url, pid):
        arguments = ["fanout", "--whip", f"{url}/whip/{_ROOM}", "--whep", f"{url}/whep/{_ROOM}"]
        arguments += ["--subscribers", str(subscribers), "--seconds", str(plan.seconds)]
        arguments += ["--server-pid", str(pid)]
        arguments += ["--loss", str(plan.loss)]
        arguments += ["--srtp", plan.srtp] if plan.srtp else []
        arguments += ["--spread"] * plan.spread + ["--gro"] * plan.gro
        return run_generator(arguments, on_stage)


@contextmanager
def _target(plan: Plan) -> Iterator[tuple[str, int]]:
    if plan.reference:
        with started_reference() as target:
            yield target
    else:
        with started_node(threads=plan.threads) as node:
            yield node.url, node.pid


def _title(plan: Plan) -> str:
    load = "packets one by one" if plan.spread else "a frame as one burst"
    load += f", {plan.loss:g} % lost at each subscriber" if plan.loss else ""
    return f"1 publisher, 2.5 Mbit/s VP8, {load}"


def _notes(plan: Plan, floor: Floor, lowest: float, runs: list[Report]) -> list[str]:
    profiles = {name for run in runs for name, _ in run["srtp_profiles"]}
    busiest = max(run["generator_busy"] for run in runs)
    notes = [
        f"SRTP: {', '.join(sorted(profiles))}. Floor: {lowest:.2f} us per packet.",
        f"{floor.machine}.",
    ]
    if busiest > _BUSY:
        notes.append(
            f"The generator's core was {100 * busiest:.0f} % busy: delays and losses are its own, too."
        )
    return [*notes, "The plain forwarder of the generator." if plan.reference else built()]


def _row(run: Report, lowest: float) -> tuple[str, ...]:
    cost = run["cpu_us_per_packet"]
    user = run["cpu"]["user_share"] * cost
    rate = run["forwarded"] / run["seconds"]
    return (
        str(run["subscribers"]),
        f"{rate:,.0f}",
        f"{cost:.2f}",
        f"{user:.1f}+{cost - user:.1f}",
        f"{cost / lowest:.2f}",
        f"{100 * rate * cost / 1e6:.0f} %",
        f"{run['loss_percent']:.2f} %",
        f"{run['delay_p50_ms']:.2f}",
        f"{run['delay_p99_ms']:.2f}",
        f"{run['memory_per_subscriber'] / 2**20:.2f}",
    )


def _charts(lowest: float, runs: list[Report]) -> list[Chart]:
    cases = [f"{run['subscribers']} subscribers" for run in runs]
    return [
        Chart(
            "CPU time of the server per forwarded packet, us",
            cases,
            [Bars("", [run["cpu_us_per_packet"] for run in runs])],
            ("floor", lowest),
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


_ROOM = "bench"
_FLOOR_SECONDS = 4.0
_BUSY = 0.9
_STAGES = {"publishing": 0.1, "joining": 0.2, "warming": 0.4, "measuring": 0.5}
_HEADINGS = (
    "N",
    "packets/s",
    "us/packet",
    "user+sys",
    "x floor",
    "core",
    "loss",
    "p50 ms",
    "p99 ms",
    "MiB each",
)
