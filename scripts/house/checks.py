"""The walls: every linter and policy, each one pass or one failure.

The list below is what `make check` runs and what the first stages of `make test` are.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from house import console, paths
from house.ledger import Counts


@dataclass(frozen=True, slots=True)
class Check:
    """One linter: a name, a command, and where it runs."""

    name: str
    command: tuple[str, ...]
    folder: Path = paths.ROOT

    def __call__(self) -> Counts:
        """Run it.

        Raises:
            CommandFailed: It found something.
        """
        console.run(self.command, cwd=self.folder)
        return Counts(passed=1)


Row = tuple[str, Callable[[], Counts]]
"""A check and what it is called."""

PYTHON = str(paths.PYTHON)
CARGO_LINT = (
    "cargo",
    "clippy",
    "--workspace",
    "--all-targets",
    "--locked",
    "--quiet",
    "--",
    "-D",
    "warnings",
)

FAST: tuple[Row, ...] = tuple(
    (check.name, check)
    for check in (
        Check("ruff", (str(paths.BIN / "ruff"), "check", ".")),
        Check("ruff format", (str(paths.BIN / "ruff"), "format", "--check", ".")),
        Check("mypy --strict", (str(paths.BIN / "mypy"),)),
        # Its cache can hide a package that lost its __init__: start clean.
        Check("import-linter", (str(paths.BIN / "lint-imports"), "--no-cache")),
        Check("rustfmt", ("cargo", "fmt", "--all", "--check")),
        Check("schema without a diff", (PYTHON, "-m", "headwater.cli.schema", "--check")),
        Check("licences and bans", (PYTHON, "scripts/policy.py", "licences")),
        Check("advisories", (PYTHON, "scripts/policy.py", "advisories")),
    )
)
"""Seconds each; they need the virtual environment only."""

RUST: Row = ("clippy", Check("clippy", CARGO_LINT))
WEB: Row = (
    "TypeScript: types, eslint, svelte-check",
    Check("web", (str(paths.BIN / "npm"), "run", "--silent", "check"), paths.WEB),
)

ALL: tuple[Row, ...] = (*FAST, RUST, WEB)
