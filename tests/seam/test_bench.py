"""The benchmark of the seam runs, and its figures are possible."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "bench" / "seam.py"
TINY = {"ROUND_TRIPS": 200, "PIPELINED": 2000, "WINDOW": 200, "BACKLOG": 200}


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script as a module that measures little."""
    spec = importlib.util.spec_from_file_location("bench_seam", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "bench_seam", module)
    spec.loader.exec_module(module)
    for name, value in TINY.items():
        assert getattr(module, name) > value
        monkeypatch.setattr(module, name, value)
    return module


def figures(module: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: Any, *flags: str) -> str:
    """What the script prints."""
    monkeypatch.setattr(sys, "argv", ["seam.py", *flags])
    module.main()
    printed: str = capsys.readouterr().out
    return printed


def test_figures_add_up(
    bench: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every figure is there, positive, and fits the others; the table shows the same ones."""
    results = bench.measure()
    monkeypatch.setattr(bench, "measure", lambda: results)
    report = json.loads(figures(bench, monkeypatch, capsys, "--json"))
    assert report["build"]["profile"]
    found = {row["what"]: row["value"] for row in report["results"]}
    assert list(found) == [
        "command round trip, p50",
        "command round trip, p99",
        "command round trip, p99.9",
        "commands and replies in flight together",
        "asyncio thread, CPU per command and reply",
        "events per wake-up",
        "events drained and matched",
    ]
    assert all(value > 0 for value in found.values()), found
    p50, p99, p999, together, cpu, batch, drained = found.values()
    assert p50 <= p99 <= p999
    assert p50 < 10_000_000
    assert batch >= 1
    assert cpu <= 2 * 1e6 / together, "a thread cannot spend more than all of the time"
    assert drained > 1000
    table = figures(bench, monkeypatch, capsys).splitlines()
    assert table[0].startswith("build ")
    assert [line[:45].strip() for line in table[2:]] == list(found)


def test_script_starts() -> None:
    """It is a program of its own, as docs/performance.md calls it."""
    done = subprocess.run([sys.executable, SCRIPT, "--help"], capture_output=True, text=True, check=True)
    assert "--json" in done.stdout
