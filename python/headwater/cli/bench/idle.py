"""`headwater bench idle`: what people cost who are connected and silent.

Half of the sessions publish and never send, half subscribe. The node's CPU time is read in four windows:
empty (nobody there), checked (clients send their consent checks), silent (they do not even do that, so
what is left are the node's own timers) and beating (every subscriber has asked for the heartbeat as
well). What the empty node costs is taken off. The generator's clients check more often than a browser,
so what a datagram of theirs costs is told by itself.
"""

from __future__ import annotations

import resource
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from headwater.cli.bench.generator import Report, run_generator
from headwater.cli.bench.machine import this_machine
from headwater.cli.bench.node import media_counters, started_node
from headwater.cli.bench.plot import Bars, Chart
from headwater.cli.bench.sheet import Sheet, Show, built, carry_out
from headwater.media.build import build_info

__all__ = ["IdlePlan", "measure_idle", "run_idle", "sessions_allowed"]


@dataclass(frozen=True, slots=True)
class IdlePlan:
    """What to measure.

    Attributes:
        sessions: Sessions in all.
        each: Sessions of one room.
        seconds: Length of a window.
        threads: Media threads of the node.
    """

    sessions: int
    each: int = 10
    seconds: float = 4.0
    threads: int = 1


def sessions_allowed(wanted: int = 5_000) -> int:
    """As many sessions as the generator may open sockets, and the wish at most."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    return wanted if most == resource.RLIM_INFINITY else min(wanted, max(most - 100, 2))


def run_idle(plan: IdlePlan, *, as_json: bool, plot: Path | None) -> int:
    """Run the plan and print it.

    Raises:
        HeadwaterError: The node or the generator failed.
    """
    return carry_out(lambda show: measure_idle(plan, show), as_json=as_json, plot=plot)


def measure_idle(plan: IdlePlan, show: Show) -> Sheet:
    """Run the plan.

    Raises:
        HeadwaterError: The node or the generator failed.
    """
    report = _run(plan, show)
    empty, *windows = report["windows"]
    base = empty["cpu"]["total_us"] / empty["seconds"]
    sessions = report["sessions"]
    for window in windows:
        spent = window["cpu"]["total_us"] / window["seconds"]
        window["us_per_session"] = (spent - base) / sessions
        window["timers_per_session"] = window["timers"] / window["seconds"] / sessions
    checked, silent, beating = windows
    figures = {
        "us_per_datagram": _difference(checked, silent, checked["sent"]),
        "us_per_beat": _difference(beating, checked, beating["beats"]),
    }
    return Sheet(
        title=f"{sessions:,} idle sessions, half publishing and half subscribing",
        headings=_HEADINGS,
        rows=[_row(_WORDS[window["name"]], window, sessions) for window in (silent, checked, beating)],
        data={"plan": asdict(plan), "build": build_info(), "base_us": base, **figures, **report},
        notes=[
            f"Memory: {report['memory_per_session'] / 2**20:.3f} MiB per session. "
            f"A client's datagram (check or report), with its answer: {figures['us_per_datagram']:.1f} us. "
            f"A heartbeat: {figures['us_per_beat']:.1f} us.",
            f"The empty node: {base / 1000:.1f} ms a second, taken off. "
            f"All were connected after {report['join_seconds']:.1f} s.",
            f"{this_machine()}.",
            built(),
        ],
        charts=[
            Chart(
                "CPU time of the server per idle session and second, us",
                [_WORDS[window["name"]] for window in (silent, checked, beating)],
                [Bars("", [max(window["us_per_session"], 0.0) for window in (silent, checked, beating)])],
            )
        ],
    )


def _run(plan: IdlePlan, show: Show) -> Report:
    settings = {
        "HEADWATER_MAX_PARTICIPANTS": str(plan.sessions + 10),
        "HEADWATER_LIMITS__ROOMS": str(plan.sessions),
    }
    timers: dict[str, int] = {}
    with started_node(threads=plan.threads, settings=settings) as node:

        def on_stage(stage: Report) -> None:
            name = stage["stage"]
            show(f"{name} {stage['subscribers'] or ''}", _STAGES.get(name, 0.3))
            if name != "joining":
                timers[name] = media_counters(node.url, ("timers",))["timers"]

        arguments = ["idle", "--url", node.url, "--sessions", str(plan.sessions)]
        arguments += ["--each", str(plan.each), "--seconds", str(plan.seconds)]
        report = run_generator([*arguments, "--server-pid", str(node.pid)], on_stage)
    ends = {"empty": "settling", "checked": "silent", "silent": "asking", "beating": "end"}
    for window in report["windows"]:
        name = window["name"]
        window["timers"] = max(timers[ends[name]] - timers[name], 0)
    return report


def _difference(more: Report, less: Report, count: int) -> float:
    """What one of ``count`` events costs that one window has and the other has not, us."""
    spent = [window["cpu"]["total_us"] / window["seconds"] for window in (more, less)]
    return float((spent[0] - spent[1]) * more["seconds"] / max(count, 1))


def _row(words: str, window: dict[str, Any], sessions: int) -> tuple[str, ...]:
    def each(count: float) -> str:
        return f"{count / window['seconds'] / sessions:.2f}"

    return (
        words,
        f"{window['us_per_session']:.1f}",
        f"{window['timers_per_session']:.2f}",
        each(window["sent"]),
        each(window["received"]),
        each(window["beats"]),
    )


_WORDS = {"silent": "the node alone", "checked": "with consent checks", "beating": "and with heartbeats"}
_STAGES = {"empty": 0.05, "settling": 0.6, "checked": 0.7, "silent": 0.8, "asking": 0.9, "beating": 0.95}
_HEADINGS = (
    "per session and second",
    "CPU us",
    "timers",
    "in",
    "out",
    "beats",
)
