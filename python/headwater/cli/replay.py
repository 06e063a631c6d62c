"""``headwater replay``: take the decisions of a recorded run again and show them.

The exit code is 0 when replay and record agree, 1 when they part.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table

from headwater.media.decision import Replay, Step
from headwater.media.decision import replay as play
from headwater.telemetry.timeline import Curve, Panel, draw

__all__ = ["replay"]


def replay(file: Path, /, *, plot: Path | None = None, full: bool = False) -> None:
    """Play a record made with `headwater serve --record-decisions FILE`.

    Args:
        file: The record.
        plot: Draw estimates, layers, losses and key frames into this SVG file.
        full: Print every decision; without it, those on layers, and the first and last of the rest.
    """
    outcome = play(file)
    console = Console(highlight=False, soft_wrap=True, emoji=False)
    _print(outcome, console, full)
    if plot is not None:
        plot.write_text(picture(outcome.steps), encoding="utf-8")
        console.print(f"Drawn to {plot}.", markup=False)
    for thread in outcome.cut:
        console.print(f"[yellow]The record of media thread {thread} ends before the run did.[/yellow]")
    if outcome.difference is not None:
        console.print("The replay differs from the record:", style="bold red")
        console.print(outcome.difference, markup=False)
        sys.exit(1)
    console.print(
        f"The same: {len(outcome.steps)} decisions from {outcome.inputs} inputs.", style="bold green"
    )


def _print(outcome: Replay, console: Console, everything: bool) -> None:
    names = _names(outcome.steps)
    table = Table("s", "thread", "who", "decision", "grounds", box=None, pad_edge=False)
    left_out = 0
    for number, step in enumerate(outcome.steps):
        is_edge = number < _EDGE or number >= len(outcome.steps) - _EDGE
        if everything or is_edge or step.kind in _TELLING:
            grounds = ", ".join(f"{name} {_value(value)}" for name, value in step.facts.items())
            table.add_row(f"{step.at:.3f}", str(step.thread), names[step.handle], step.kind, grounds)
        else:
            left_out += 1
    console.print(table)
    if left_out:
        console.print(f"{left_out} more; --full shows them.")


def _value(value: float | str) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _names(steps: Iterable[Step]) -> dict[int, str]:
    """Short names for handles: ``subscriber 2``, in the order of their first decision."""
    names: dict[int, str] = {}
    counts: dict[str, int] = {}
    for step in steps:
        if step.handle not in names:
            counts[step.owner] = counts.get(step.owner, 0) + 1
            names[step.handle] = f"{step.owner} {counts[step.owner]}"
    return names


def picture(steps: tuple[Step, ...]) -> str:
    """Draw an SVG: estimate and loss of each transport, layers of each subscriber, key frames."""
    names = _names(steps)
    panels: list[Panel] = []
    for handle, name in names.items():
        own = [step for step in steps if step.handle == handle]
        panels += _panels(name, own)
    return draw(panels, seconds=max((step.at for step in steps), default=0.0) or 1.0)


def _panels(name: str, steps: list[Step]) -> Iterator[Panel]:
    if rates := [(step.at, float(step.facts["estimate"]) / 1e6) for step in steps if step.kind == "estimate"]:
        losses = [(step.at, 100 * float(step.facts["loss"])) for step in steps if step.kind == "estimate"]
        top = max(rate for _, rate in rates) or 1.0
        yield Panel(f"{name}: estimate, Mbit/s", [Curve("estimate", rates, "#1f6feb", steps=True)], top)
        yield Panel(f"{name}: loss, %", [Curve("loss", losses, "#d1242f", steps=True)], 100)
    layers = [
        Curve(kind, [(step.at, _height(step)) for step in steps if step.kind == kind], colour, steps=True)
        for kind, colour in (("target", "#bf8700"), ("current", "#1a7f37"))
        if any(step.kind == kind for step in steps)
    ]
    if layers:
        yield Panel(f"{name}: spatial layer + 1, temporal as decimals", layers, 4)
    frames = [
        Curve(kind.removeprefix("key_frame_"), _pulses(steps, kind), colour)
        for kind, colour in (("key_frame_requested", "#bf8700"), ("key_frame_arrived", "#8250df"))
        if any(step.kind == kind for step in steps)
    ]
    if frames:
        yield Panel(f"{name}: key frames", frames, 1)


def _pulses(steps: list[Step], kind: str) -> list[tuple[float, float | None]]:
    """A short line for each moment."""
    moments = [step.at for step in steps if step.kind == kind]
    return [point for at in moments for point in ((at, 0.0), (at, 1.0), (at, None))]


def _height(step: Step) -> float:
    """Of a layer: 1 for each spatial one, tenths for the temporal ones; nothing is 0."""
    if "to_spatial" not in step.facts:
        return 0.0
    return 1 + int(step.facts["to_spatial"]) + int(step.facts["to_temporal"]) / 10


_TELLING = {"target", "current", "wanted", "queue_dropped", "speaker"}
_EDGE = 5
