"""`headwater bench fanout`: CPU time per forwarded packet, loss, delay and memory under load.

For every number of subscribers a fresh node is started and the generator joins it over WHIP and
WHEP. The floor is measured in the same run, before and after, so that the ratio compares like with
like: the ratio is the bar, not the figure.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from headwater.cli.bench.floor import Floor, measure_floor
from headwater.cli.bench.generator import Report, run_generator, started_reference
from headwater.cli.bench.node import started_node
from headwater.media.build import build_info

__all__ = ["Plan", "run_fanout"]


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
        reference: The generator's plain forwarder instead of a node.
    """

    subscribers: tuple[int, ...]
    spread: bool
    seconds: float
    threads: int
    gro: bool
    loss: float
    reference: bool


def run_fanout(plan: Plan, *, as_json: bool) -> int:
    """Run the plan and print it; the exit status is 1 when the floor is void.

    Raises:
        HeadwaterError: The node or the generator failed.
    """
    build = {"profile": "reference forwarder"} if plan.reference else build_info()
    with _progress() as show:
        show("floor", 0.0)
        floor = measure_floor(_FLOOR_SECONDS)
        share = 1 / len(plan.subscribers)
        runs = []
        for index, subscribers in enumerate(plan.subscribers):
            runs.append(_run(plan, subscribers, partial(_show_run, show, index * share, share)))
        floor = floor.averaged(measure_floor(_FLOOR_SECONDS))
    if as_json:
        result = {"plan": dataclasses.asdict(plan), "build": build, "floor": floor.as_json()}
        print(json.dumps({**result, "runs": runs}, indent=2))
    else:
        _print(Console(emoji=False), plan, build, floor, runs)
    return 1 if floor.void_for(spread=plan.spread) else 0


def _show_run(show: Callable[[str, float], None], base: float, share: float, text: str, done: float) -> None:
    show(text, base + done * share)


def _run(plan: Plan, subscribers: int, show: Callable[[str, float], None]) -> Report:
    def on_stage(stage: Report) -> None:
        joined = f" {stage['subscribers']}" if stage["stage"] == "joining" else ""
        show(f"{subscribers} subscribers: {stage['stage']}{joined}", _STAGES[stage["stage"]])

    with _target(plan) as (url, pid):
        arguments = ["fanout", "--whip", f"{url}/whip/{_ROOM}", "--whep", f"{url}/whep/{_ROOM}"]
        arguments += ["--subscribers", str(subscribers), "--seconds", str(plan.seconds)]
        arguments += ["--server-pid", str(pid)]
        arguments += ["--loss", str(plan.loss)]
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


@contextmanager
def _progress() -> Iterator[Callable[[str, float], None]]:
    """A progress bar on standard error; the yielded function sets its text and its share of 1."""
    columns = (SpinnerColumn(), TextColumn("{task.description:<28}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True, emoji=False), transient=True) as progress:
        task = progress.add_task("", total=1.0)
        yield lambda text, done: progress.update(task, description=text, completed=done)


def _print(console: Console, plan: Plan, build: dict[str, str], floor: Floor, runs: list[Report]) -> None:
    lowest = floor.of(spread=plan.spread)
    load = "packets spread evenly" if plan.spread else "a frame as one burst"
    load += f", {plan.loss:g} % lost at each subscriber" if plan.loss else ""
    table = Table(box=SIMPLE_HEAD, title=f"1 publisher, 2.5 Mbit/s VP8, {load}", caption=str(floor.machine))
    for heading in _HEADINGS:
        table.add_column(heading, justify="right", no_wrap=True)
    for run in runs:
        table.add_row(*_row(run, lowest))
    console.print(table)
    profiles = {name for run in runs for name, _ in run["srtp_profiles"]}
    console.print(f"SRTP: {', '.join(sorted(profiles))}. Floor: {lowest:.2f} us per packet.", highlight=False)
    facts = ", ".join(f"{name} {value}" for name, value in build.items() if name != "source_hash")
    console.print(f"Build: {facts}.", highlight=False)
    if build["profile"] == "debug":
        console.print("[bold yellow]A debug build[/]: its figures say nothing about the server.")
    for reason in floor.void_for(spread=plan.spread):
        console.print(f"[bold red]VOID[/]: {reason}")


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


_ROOM = "bench"
_FLOOR_SECONDS = 4.0
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
