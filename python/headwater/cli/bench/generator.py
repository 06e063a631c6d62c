"""Finds, builds and runs ``headwater-load``, the load generator, and ``headwater-lab``, the impairment lab.

Each is looked for in this order: the path in ``HEADWATER_LOAD`` or ``HEADWATER_LAB``; the ``target``
folder of the checkout that this package runs from, rebuilt by cargo when its sources are newer; ``PATH``.
A wheel brings none: they are tools for those who measure, not for those who serve.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headwater.errors import ConfigurationError, HeadwaterError

__all__ = [
    "Conversation",
    "Report",
    "conversing_generator",
    "find_generator",
    "find_lab",
    "run_generator",
    "run_lab",
    "started_reference",
]

Report = dict[str, Any]
"""One JSON line of the generator."""


@dataclass(frozen=True, slots=True)
class _Tool:
    """A program of the bench folder.

    Attributes:
        program: Its name, which is its package's too.
        variable: The environment variable that names another one.
        sources: Folders whose newest file it must not be older than.
    """

    program: str
    variable: str
    sources: tuple[str, ...]


def find_generator() -> Path:
    """The generator's program, built first when that is needed and possible.

    Raises:
        ConfigurationError: There is none, with what to do about it.
    """
    return _find(_LOAD)


def find_lab() -> Path:
    """The impairment lab's program, as `find_generator`.

    Raises:
        ConfigurationError: There is none, with what to do about it.
    """
    return _find(_LAB)


def _find(tool: _Tool) -> Path:
    named = os.environ.get(tool.variable)
    if named:
        if not os.access(named, os.X_OK):
            raise ConfigurationError(f"{tool.variable} names no program: {named}")
        return Path(named)
    checkout = _checkout()
    if checkout is not None:
        return _built(checkout, tool)
    found = shutil.which(tool.program)
    if found is None:
        raise ConfigurationError(
            f"no {tool.program}: in a checkout run `cargo build --release -p {tool.program}` "
            f"and name the program in {tool.variable}"
        )
    return Path(found)


def run_generator(arguments: Sequence[str], on_stage: Callable[[Report], None] | None = None) -> Report:
    """Run the generator to its end.

    Args:
        arguments: Command and options, see ``headwater-load --help``.
        on_stage: Called with each line that is a stage of the run.

    Returns:
        The last line: the result.

    Raises:
        HeadwaterError: The run failed; the message is the generator's.
    """
    return _run(_LOAD, arguments, on_stage)


def run_lab(arguments: Sequence[str], on_line: Callable[[Report], None]) -> None:
    """Run the impairment lab to its end.

    Args:
        arguments: Command and options, see ``headwater-lab --help``.
        on_line: Called with each line of its output.

    Raises:
        HeadwaterError: The run failed; the message is the lab's.
    """
    _run(_LAB, arguments, on_line, "row")


def _run(
    tool: _Tool,
    arguments: Sequence[str],
    on_line: Callable[[Report], None] | None,
    event: str = "stage",
) -> Report:
    command = [str(_find(tool)), *arguments]
    last: Report | None = None
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        for line in process.stdout:
            last = json.loads(line)
            if on_line is not None and last is not None and last.get("event") == event:
                on_line(last)
        problem = process.stderr.read().strip()
    if process.returncode != 0 or last is None:
        raise HeadwaterError(problem or f"{tool.program} ended with {process.returncode}")
    return last


class Conversation:
    """A generator that does what it is told when it is told."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def tell(self, command: str, *, until: str, on_stage: Callable[[Report], None] | None = None) -> Report:
        """Send a command and wait for its line.

        Args:
            command: A line; empty: nothing is sent, the line is waited for.
            until: The stage, or else the event, of the line that answers it.
            on_stage: Called with every other line.

        Raises:
            HeadwaterError: The generator ended; the message is its own.
        """
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        if command:
            process.stdin.write(command + "\n")
            process.stdin.flush()
        for line in process.stdout:
            report: Report = json.loads(line)
            if report.get("stage", report["event"]) == until:
                return report
            if on_stage is not None:
                on_stage(report)
        assert process.stderr is not None
        raise HeadwaterError(process.stderr.read().strip() or "the generator ended without a word")


@contextmanager
def conversing_generator(arguments: Sequence[str]) -> Iterator[Conversation]:
    """Run the generator's ``channel``; it ends with the block.

    Args:
        arguments: Options, see ``headwater-load --help``.
    """
    command = [str(find_generator()), "channel", *arguments]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            yield Conversation(process)
        finally:
            process.kill()


@contextmanager
def started_reference() -> Iterator[tuple[str, int]]:
    """Run the generator's plain forwarder; yields its base URL and its process id."""
    command = [str(find_generator()), "reference"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())["url"], process.pid
        finally:
            process.kill()


def _checkout() -> Path | None:
    """The root of the source tree this package runs from, if it does."""
    root = Path(__file__).resolve().parents[4]
    return root if (root / "bench" / "load" / "Cargo.toml").is_file() else None


def _built(checkout: Path, tool: _Tool) -> Path:
    target = Path(os.environ.get("CARGO_TARGET_DIR", checkout / "target"))
    candidates = [target / profile / tool.program for profile in ("release", "measure")]
    files = (file for folder in tool.sources for file in (checkout / folder).rglob("*.*"))
    newest = max(path.stat().st_mtime for path in files)
    for candidate in candidates:
        if candidate.is_file() and candidate.stat().st_mtime >= newest:
            return candidate
    cargo = shutil.which("cargo")
    if cargo is None:
        raise ConfigurationError(
            f"{tool.program} must be built and there is no cargo: install Rust, or set {tool.variable}"
        )
    print(f"building {tool.program} (a minute or two the first time) ...", file=sys.stderr)
    command = [cargo, "build", "--quiet", "--profile", "measure", "--package", tool.program]
    if subprocess.run(command, cwd=checkout, check=False).returncode != 0:
        raise ConfigurationError(f"{tool.program} does not build; see the compiler's words above")
    return candidates[-1]


_LOAD = _Tool("headwater-load", "HEADWATER_LOAD", ("bench/load",))
# What the lab finds out is about the core: it is built anew with it.
_LAB = _Tool("headwater-lab", "HEADWATER_LAB", ("bench/lab", "crates/sim/src", "crates/core/src"))
