"""Reads `docs/acceptance.md`: which rows there are, what proves them, and whether that is really there.

A row's last cell is its state: `open (n)`, `fact`, `declined: reason`, or one or more proofs in
backquotes. A proof is a test (`path::name`, in Python, Rust or TypeScript) or a documented command.
"""

import ast
import re
from pathlib import Path
from typing import NamedTuple

from house import junit, paths

FILE = paths.ROOT / "docs" / "acceptance.md"
COMMANDS = ("headwater ", "make ")


class Row(NamedTuple):
    """One line of the table."""

    id: str
    what: str
    state: str

    @property
    def proofs(self) -> list[str]:
        """The tests and commands in the state; empty unless the row is proven."""
        return re.findall(r"`([^`]+)`", self.state)

    @property
    def well_formed(self) -> bool:
        """Whether the state is one of the four kinds."""
        if re.fullmatch(r"open \(\d\)|fact|declined: .{10,}", self.state):
            return True
        return re.fullmatch(r"`[^`]+`(, `[^`]+`)*", self.state) is not None


def rows(text: str | None = None) -> list[Row]:
    """The rows of the table, in order.

    Args:
        text: The document; the checkout's by default.
    """
    found = re.findall(r"^\| (S\d-R?\d\d) \| (.+?) \| ([^|]+) \|$", text or FILE.read_text(), re.MULTILINE)
    return [Row(*cells) for cells in found]


def missing(proof: str, root: Path = paths.ROOT) -> str | None:
    """Why a proof cannot be what it says, or None when it is there and not skipped.

    Args:
        proof: `path::test` or a command.
        root: The checkout.
    """
    if proof.startswith(COMMANDS):
        return None
    name, _, test = proof.partition("::")
    file = root / name
    if not test or not file.is_file():
        return f"{proof}: no such file"
    text = file.read_text()
    judge = {".py": _python, ".rs": _rust, ".ts": _typescript}.get(file.suffix)
    if judge is None:
        return f"{proof}: not a test file"
    trouble = judge(text, test)
    return f"{proof}: {trouble}" if trouble else None


def unproved_by_run(results: Path = paths.RESULTS) -> tuple[list[str], list[str]]:
    """Python proofs that the last run's reports do not show as passed.

    Args:
        results: The folder of the JUnit reports.

    Returns:
        One line per proof that did not run, was skipped or failed; and one per proof that was void, because
        the machine could not keep the time of a link.
    """
    found: dict[str, set[str]] = {}
    for report in sorted(results.glob("pytest-*.xml")):
        for name, outcome in junit.outcomes(report).items():
            found.setdefault(name.partition("[")[0], set()).add(outcome)
    wanted = sorted({proof for row in rows() for proof in row.proofs if proof.startswith("tests/")})
    shown = {proof: found.get(proof, {"absent"}) for proof in wanted}
    return (
        [f"{proof}: did not pass in this run" for proof, seen in shown.items() if seen - {"passed", "void"}],
        [f"{proof}: void, the machine was too busy" for proof, seen in shown.items() if "void" in seen],
    )


def _python(text: str, test: str) -> str | None:
    tree = ast.parse(text)
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    found = next((node for node in functions if node.name == test.rpartition("::")[2]), None)
    if found is None:
        return "no such test"
    marks = [ast.unparse(decorator) for decorator in found.decorator_list]
    if any(word in mark for mark in marks for word in ("mark.skip", "mark.xfail")):
        return "it is skipped"
    return None


def _rust(text: str, test: str) -> str | None:
    found = re.search(
        rf"((?:^\s*#\[[^\]]*\]\s*)*)^\s*fn {re.escape(test.rpartition('::')[2])}\(", text, re.MULTILINE
    )
    if found is None or "#[test]" not in found[1]:
        return "no such test"
    return "it is ignored" if "#[ignore" in found[1] else None


def _typescript(text: str, test: str) -> str | None:
    found = re.search(rf"\b(it|test)(\.\w+)?\(\s*[\"'`]{re.escape(test)}[\"'`]", text)
    if found is None:
        return "no such test"
    return "it is skipped" if found[2] in {".skip", ".todo"} else None
