"""`headwater bench ladder`: how a call fares on links that lose, narrow, break and move.

Whole calls run in virtual time over simulated links, many seeds each, so the table is the same on every
machine, busy or not. ``headwater-lab`` does the work; here its lines become a table. ``--write`` puts the
table into a page, between two comments that mark its place.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from headwater.cli.bench import sheet
from headwater.cli.bench.generator import Report, run_lab

__all__ = ["markdown", "replaced", "run_ladder"]


def run_ladder(*, seeds: int, seconds: int, only: str, as_json: bool, write: Path | None) -> int:
    """Run rows and trials and print them; the exit status is 1 when a mean does not hold.

    Args:
        seeds: Runs of each row.
        seconds: Judged time of each run of a row.
        only: Run only what has this in its name.
        as_json: Print JSON instead of Markdown.
        write: A page whose table is to be replaced.

    Raises:
        HeadwaterError: The lab failed or is missing.
        ConfigurationError: The page has no place for the table.
    """
    page = write.read_text(encoding="utf-8") if write else ""
    if write:
        replaced(page, "")
    rows: list[Report] = []
    arguments = ["ladder", "--seeds", str(seeds), "--seconds", str(seconds)]
    run_lab([*arguments, "--only", only] if only else arguments, rows.append)
    text = json.dumps(rows, indent=2) if as_json else markdown(rows)
    print(text)
    if write:
        write.write_text(replaced(page, markdown(rows)), encoding="utf-8")
    return 0 if all(_holds(figure) for row in rows for figure in row["figures"]) else 1


def markdown(rows: Iterable[Report]) -> str:
    """Both tables: the steady links, and what happens to a call besides."""
    every = list(rows)
    ladder = [row for row in every if row["kind"] == "ladder"]
    trials = [row for row in every if row["kind"] == "trial"]
    lines = []
    if ladder:
        names = [figure["name"] for figure in ladder[0]["figures"]]
        lines += _table(["link", *names, "holds"], [_steady(row) for row in ladder])
    if ladder and trials:
        lines.append("")
    if trials:
        body = [cells for row in trials for cells in _trial(row)]
        lines += _table(["trial", "figure", "mean", "worst", "goal", "holds"], body)
    return "\n".join(lines)


def replaced(page: str, table: str) -> str:
    """The page with another table between its two marks.

    Raises:
        ConfigurationError: The marks are not there.
    """
    return sheet.replaced(page, table, begin=_BEGIN, end=_END)


def _steady(row: Report) -> list[str]:
    cells = [_number(figure["mean"]) + _goal(figure, " ({})") for figure in row["figures"]]
    held = min(figure["held"] for figure in row["figures"])
    good = all(_holds(figure) for figure in row["figures"])
    return [row["name"], *cells, _verdict(good, held, row["seeds"])]


def _trial(row: Report) -> Iterable[list[str]]:
    name = row["name"]
    for figure in row["figures"]:
        verdict = _verdict(_holds(figure), figure["held"], row["seeds"])
        numbers = [_number(figure["mean"]), _number(figure["worst"])]
        yield [name, figure["name"], *numbers, _goal(figure, "{}"), verdict]
        name = ""


def _holds(figure: Report) -> bool:
    """Whether the mean over the seeds is good; a figure that some seed did not have is not."""
    if figure["limit"] is None:
        return True
    if figure["mean"] is None:
        return False
    return bool(figure["mean"] >= figure["limit"] if figure["least"] else figure["mean"] <= figure["limit"])


def _verdict(good: bool, held: int, seeds: int) -> str:
    return f"{'yes' if good else '**no**'}, {held} of {seeds}"


def _goal(figure: Report, form: str) -> str:
    limit = figure["limit"]
    if limit is None or (figure["least"] and limit == 0):
        return ""
    return form.format(f"{'≥' if figure['least'] else '≤'} {limit:g}")


def _number(value: float | None) -> str:
    if value is None:
        return "never"
    return f"{value:.2f}" if abs(value) < 100 else f"{value:.0f}"


def _table(headings: Sequence[str], body: Iterable[Sequence[str]]) -> list[str]:
    rows = [headings, ["---"] * len(headings), *body]
    return [f"| {' | '.join(row)} |" for row in rows]


_BEGIN = "<!-- ladder: written by `headwater bench ladder --write` -->"
_END = "<!-- end of ladder -->"
