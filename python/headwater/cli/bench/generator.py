"""Finds, builds and runs ``headwater-load``, the load generator.

It is looked for in this order: the path in ``HEADWATER_LOAD``; the ``target`` folder of the
checkout that this package runs from, rebuilt by cargo when its sources are newer; ``PATH``. A wheel
brings none: it is a tool for those who measure, not for those who serve.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from headwater.errors import ConfigurationError, HeadwaterError

__all__ = ["Report", "find_generator", "run_generator", "started_reference"]

Report = dict[str, Any]
"""One JSON line of the generator."""


def find_generator() -> Path:
    """The generator's program, built first when that is needed and possible.

    Raises:
        ConfigurationError: There is none, with what to do about it.
    """
    named = os.environ.get("HEADWATER_LOAD")
    if named:
        if not os.access(named, os.X_OK):
            raise ConfigurationError(f"HEADWATER_LOAD names no program: {named}")
        return Path(named)
    checkout = _checkout()
    if checkout is not None:
        return _built(checkout)
    found = shutil.which(_PROGRAM)
    if found is None:
        raise ConfigurationError(
            "no load generator: in a checkout run `cargo build --release -p headwater-load` "
            "and name the program in HEADWATER_LOAD"
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
    command = [str(find_generator()), *arguments]
    last: Report | None = None
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        for line in process.stdout:
            last = json.loads(line)
            if on_stage is not None and last is not None and last.get("event") == "stage":
                on_stage(last)
        problem = process.stderr.read().strip()
    if process.returncode != 0 or last is None:
        raise HeadwaterError(problem or f"{_PROGRAM} ended with {process.returncode}")
    return last


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


def _built(checkout: Path) -> Path:
    target = Path(os.environ.get("CARGO_TARGET_DIR", checkout / "target"))
    candidates = [target / profile / _PROGRAM for profile in ("release", "measure")]
    newest = max(path.stat().st_mtime for path in (checkout / "bench" / "load").rglob("*.*"))
    for candidate in candidates:
        if candidate.is_file() and candidate.stat().st_mtime >= newest:
            return candidate
    cargo = shutil.which("cargo")
    if cargo is None:
        raise ConfigurationError(
            "the load generator must be built and there is no cargo: install Rust, or set HEADWATER_LOAD"
        )
    print("building the load generator (a minute or two the first time) ...", file=sys.stderr)
    command = [cargo, "build", "--quiet", "--profile", "measure", "--package", _PROGRAM]
    if subprocess.run(command, cwd=checkout, check=False).returncode != 0:
        raise ConfigurationError("the load generator does not build; see the compiler's words above")
    return candidates[-1]


_PROGRAM = "headwater-load"
