"""What a measurement leaves: a table, what must be said with it, pictures, and all figures as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from headwater.cli.bench.plot import Chart, draw
from headwater.errors import ConfigurationError
from headwater.media.build import build_info

__all__ = ["Part", "Sheet", "Show", "built", "carry_out", "finish", "progress", "replaced"]

Show = Callable[[str, float], None]
"""Tells a person how far it is: a text, and what part of 1 is done."""


@dataclass(frozen=True, slots=True)
class Part:
    """A further table.

    Attributes:
        title: What it says.
        headings: Its first row.
        rows: As text.
    """

    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]

    def markdown(self) -> list[str]:
        """Its lines, title first."""
        table = [self.headings, ["---"] * len(self.headings), *self.rows]
        return [self.title + ":", "", *(f"| {' | '.join(row)} |" for row in table)]


@dataclass(frozen=True, slots=True)
class Sheet:
    """One measurement.

    Attributes:
        title: What was measured.
        headings: Of the table.
        rows: Of the table, as text.
        data: Every figure, for ``--json``.
        notes: Sentences below the table.
        void: Why it says nothing; empty when it does.
        charts: Its picture.
        more: Tables below the first.
    """

    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    data: Mapping[str, Any]
    notes: Sequence[str] = ()
    void: Sequence[str] = ()
    charts: Sequence[Chart] = field(default=())
    more: Sequence[Part] = ()

    @property
    def parts(self) -> Sequence[Part]:
        """All tables."""
        return (Part(self.title, self.headings, self.rows), *self.more)

    def markdown(self) -> str:
        """Tables with their titles, and notes."""
        blocks = ["\n".join(part.markdown()) for part in self.parts]
        said = [*self.notes, *(f"**Void**: {reason}." for reason in self.void)]
        return "\n\n".join([*blocks, "\n".join(said)] if said else blocks)


def carry_out(measure: Callable[[Show], Sheet], *, as_json: bool, plot: Path | None) -> int:
    """Measure while a person sees how far it is, then `finish`."""
    with progress() as show:
        sheet = measure(show)
    return finish(sheet, as_json=as_json, plot=plot)


def finish(sheet: Sheet, *, as_json: bool, plot: Path | None) -> int:
    """Print it and draw it; the exit status is 1 when it is void."""
    if plot is not None:
        plot.write_text(draw(sheet.charts), encoding="utf-8")
    if as_json:
        print(json.dumps(dict(sheet.data), indent=2))
    else:
        _print(Console(emoji=False), sheet)
    return 1 if sheet.void else 0


def built() -> str:
    """How this build was made, with a warning where its figures mean nothing."""
    build = build_info()
    facts = ", ".join(f"{name} {value}" for name, value in build.items() if name != "source_hash")
    warning = " A debug build: its figures say nothing about the server." * (build["profile"] == "debug")
    return f"Build: {facts}.{warning}"


@contextmanager
def progress() -> Iterator[Show]:
    """A progress bar on standard error."""
    columns = (SpinnerColumn(), TextColumn("{task.description:<28}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True, emoji=False), transient=True) as bar:
        task = bar.add_task("", total=1.0)
        yield lambda text, done: bar.update(task, description=text, completed=done)


def replaced(page: str, text: str, *, begin: str, end: str) -> str:
    """The page with another text between two marks.

    Raises:
        ConfigurationError: The marks are not there.
    """
    before, found, rest = page.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ConfigurationError(f"the page needs {begin!r} and {end!r} around the table's place")
    return f"{before}{begin}\n{text}\n{end}{after}"


def _print(console: Console, sheet: Sheet) -> None:
    for part in sheet.parts:
        table = Table(box=SIMPLE_HEAD, title=part.title, padding=(0, 1, 0, 0), pad_edge=False)
        for index, heading in enumerate(part.headings):
            # A word a line, so that ten columns fit a terminal of 80.
            words = heading.replace(" ", "\n")
            table.add_column(words, justify="right" if index else "left", no_wrap=True)
        for row in part.rows:
            table.add_row(*row)
        console.print(table)
    for note in sheet.notes:
        console.print(note, highlight=False)
    for reason in sheet.void:
        console.print(f"[bold red]VOID[/]: {reason}")
