"""What a verb says while it works: each stage's name, its time, and one line when it cannot go on.

A *stage* is a named piece of work. A *remedy* is the sentence that tells the reader what to type.
"""

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from house import paths


class CommandFailed(Exception):
    """A child ended with a status other than 0."""

    def __init__(self, command: Sequence[str], status: int) -> None:
        """Keep what ran.

        Args:
            command: The argument vector.
            status: Its exit status.
        """
        super().__init__(f"{' '.join(command)} ended with status {status}")
        self.status = status


def say(line: str) -> None:
    """Print one line at once, also into a pipe."""
    print(line, flush=True)


def give_up(problem: str, remedy: str) -> NoReturn:
    """End the verb with one line that says what is missing and what to type.

    Args:
        problem: What is missing, without a full stop.
        remedy: The command or step that mends it.
    """
    print(f"headwater: {problem}. Remedy: {remedy}", file=sys.stderr, flush=True)
    raise SystemExit(2)


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Print a stage's name when it begins and its time when it ends, well or badly."""
    say(f"==> {name}")
    began = time.monotonic()
    try:
        yield
    finally:
        say(f"    {name}: {time.monotonic() - began:.1f} s")


def run(
    command: Sequence[str | Path], *, cwd: Path | None = None, environment: Mapping[str, str] | None = None
) -> None:
    """Run a child in the checkout with its output on ours.

    Args:
        command: The argument vector.
        cwd: Where it runs; the checkout by default.
        environment: Its whole environment; `paths.tool_environment()` by default.

    Raises:
        CommandFailed: It ended with a status other than 0.
    """
    words = [str(word) for word in command]
    status = subprocess.run(
        words,
        cwd=cwd or paths.ROOT,
        env=dict(environment) if environment is not None else paths.tool_environment(),
        stdin=subprocess.DEVNULL,
        check=False,
    ).returncode
    if status != 0:
        raise CommandFailed(words, status)


def output(command: Sequence[str | Path]) -> str | None:
    """A child's standard output, or None when it is missing or fails."""
    try:
        done = subprocess.run(
            [str(word) for word in command],
            cwd=paths.ROOT,
            env=paths.tool_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            check=False,
        )
    except OSError:
        return None
    return done.stdout if done.returncode == 0 else None
