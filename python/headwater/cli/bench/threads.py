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
import http.client
import json
import re
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from headwater.cli.bench.generator import Report, run_generator
from headwater.cli.bench.node import started_node
from headwater.media.build import build_info

__all__ = ["ThreadsPlan", "run_threads"]


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


def run_threads(plan: ThreadsPlan, *, as_json: bool) -> int:
    """Run the plan and print it.

    Raises:
        HeadwaterError: The node or the generator failed.
    """
    console = Console(stderr=True, emoji=False)
    runs = []
    for threads in plan.threads:
        with console.status(f"{threads} media threads, {plan.subscribers} subscribers"):
            runs.append(_run(plan, threads))
    if as_json:
        print(json.dumps({"plan": dataclasses.asdict(plan), "build": build_info(), "runs": runs}, indent=2))
    else:
        _print(Console(emoji=False), plan, runs)
    return 0


def _run(plan: ThreadsPlan, threads: int) -> Report:
    with started_node(threads=threads, settings={"HEADWATER_SPREAD": "0"}) as node:
        arguments = ["fanout", "--whip", f"{node.url}/whip/bench", "--whep", f"{node.url}/whep/bench"]
        arguments += ["--subscribers", str(plan.subscribers), "--seconds", str(plan.seconds)]
        arguments += ["--server-pid", str(node.pid)] + ["--spread"] * plan.spread
        report = run_generator(arguments)
        return {**report, "threads": threads, "relay": _relay_counters(node.url)}


def _relay_counters(url: str) -> dict[str, int]:
    """What crossed between threads, and what was lost there, since the node started."""
    address = url.removeprefix("http://")
    connection = http.client.HTTPConnection(address, timeout=5)
    try:
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
    finally:
        connection.close()
    found = {}
    for name in _COUNTERS:
        value = re.search(rf"^headwater_media_{name}(?:_total)? ([\d.e+]+)$", text, re.MULTILINE)
        found[name] = int(float(value[1])) if value else 0
    return found


def _print(console: Console, plan: ThreadsPlan, runs: list[Report]) -> None:
    load = "packets spread evenly" if plan.spread else "a frame as one burst"
    table = Table(box=SIMPLE_HEAD, title=f"1 publisher -> {plan.subscribers} subscribers in one room, {load}")
    for heading in _HEADINGS:
        table.add_column(heading, justify="right", no_wrap=True)
    for run in runs:
        relay = run["relay"]
        table.add_row(
            str(run["threads"]),
            f"{run['forwarded'] / run['seconds']:,.0f}",
            f"{run['cpu_us_per_packet']:.2f}",
            f"{relay['relayed_in']:,}",
            f"{relay['relayed_in'] / max(relay['relay_letters'], 1):.1f}",
            f"{run['loss_percent']:.2f} %",
            f"{run['delay_p50_ms']:.2f}",
            f"{run['delay_p99_ms']:.2f}",
        )
    console.print(table)
    if dropped := sum(run["relay"]["relay_dropped"] for run in runs):
        console.print(f"[bold yellow]{dropped} packets were dropped between threads[/].")
    if build_info()["profile"] == "debug":
        console.print("[bold yellow]A debug build[/]: its figures say nothing about the server.")


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
