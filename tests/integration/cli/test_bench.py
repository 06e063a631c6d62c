"""`headwater bench` against a real node: the figures are there and hold together."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.programs import built

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def generator() -> Path:
    """The load generator in the profile that the other Rust tests compile anyway."""
    # The whole workspace is selected so that dependencies have the features they were built with.
    command = ["cargo", "build", "--quiet", "--workspace", "--bin", "headwater-load"]
    subprocess.run(command, cwd=ROOT, check=True)
    return built("headwater-load")


def run(generator: Path, *arguments: str) -> Any:
    environment = {**os.environ, "HEADWATER_LOAD": str(generator)}
    command = [sys.executable, "-m", "headwater", "bench", *arguments, "--json"]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    # A busy machine may void its floor; every other failure leaves no JSON.
    assert result.stdout, result.stderr
    return json.loads(result.stdout)


@pytest.mark.timeout(300)
def test_fanout_forwards_everything_to_two_subscribers(generator: Path) -> None:
    """A frame as a burst, then packets spread: all arrive, over AEAD, with a delay and a cost."""
    for flags in ([], ["--spread"]):
        report = run(generator, "fanout", "--subscribers", "2", "--seconds", "1", *flags)
        (figures,) = report["runs"]
        assert figures["received"] == figures["expected"] > 400
        assert [(name.split("_")[-1], count) for name, count in figures["srtp_profiles"]] == [("GCM", 3)]
        assert 0 < figures["delay_p50_ms"] <= figures["delay_p99_ms"]
        assert figures["cpu_us_per_packet"] > report["floor"]["figures"]["burst_total"] / 2
        assert report["build"]["profile"]


@pytest.mark.timeout(300)
def test_one_room_on_two_threads(generator: Path) -> None:
    """Members alternate between the threads: each packet crosses once and nothing is lost there."""
    report = run(generator, "threads", "--threads", "1,2", "--subscribers", "4", "--seconds", "1")
    one, two = report["runs"]
    assert one["relay"]["relayed_in"] == 0
    for figures in (one, two):
        assert figures["received"] == figures["expected"] > 800
    assert two["relay"]["relayed_in"] >= two["sent"]
    assert two["relay"]["relay_letters"] <= two["relay"]["relayed_in"]
    assert two["relay"]["relay_dropped"] == 0


def test_floor_adds_up(generator: Path) -> None:
    """Sealing and sending together cost more than either alone."""
    figures = run(generator, "floor", "--seconds", "1")["figures"]
    assert figures["burst_total"] > figures["seal"] > 0
    assert figures["spread_total"] > figures["burst_total"] > figures["send_burst"] * 0.8


def test_a_named_generator_that_is_missing_is_one_line(tmp_path: Path) -> None:
    """What cannot be measured says so without a traceback."""
    environment = {**os.environ, "HEADWATER_LOAD": str(tmp_path / "none")}
    command = [sys.executable, "-m", "headwater", "bench", "floor"]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert "HEADWATER_LOAD" in result.stderr
    assert "Traceback" not in result.stderr
