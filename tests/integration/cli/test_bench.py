"""`headwater bench` against a real node: the figures are there and hold together."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
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


def nothing_lost(report: Any) -> bool:
    """Whether all that was to come came."""
    return all(figures["received"] == figures["expected"] for figures in report["runs"])


def run_well(generator: Path, *arguments: str, well: Callable[[Any], bool] = nothing_lost) -> Any:
    """The report of a run that went well, or of the third: a machine with other work loses datagrams."""
    report = run(generator, *arguments)
    for _ in range(2):
        if well(report):
            break
        report = run(generator, *arguments)
    return report


@pytest.mark.timeout(900)
def test_fanout_forwards_everything_to_two_subscribers(generator: Path) -> None:
    """A frame as a burst, then packets spread: all arrive, over AEAD, with a delay and a cost."""
    for flags in ([], ["--spread"]):
        report = run_well(generator, "fanout", "--subscribers", "2", "--seconds", "1", *flags)
        (figures,) = report["runs"]
        assert figures["received"] == figures["expected"] > 400
        assert [(name.split("_")[-1], count) for name, count in figures["srtp_profiles"]] == [("GCM", 3)]
        assert 0 < figures["delay_p50_ms"] <= figures["delay_p99_ms"]
        assert figures["cpu_us_per_packet"] > report["floor"]["figures"]["burst_total"] / 2
        assert report["build"]["profile"]


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("srtp", "name"),
    [("cm-sha1", "AES128_CM_SHA1_80"), ("gcm128", "AEAD_AES_128_GCM")],  # 256 is what the others end on
)
def test_the_clients_choose_the_srtp_profile(generator: Path, srtp: str, name: str) -> None:
    """Offered one profile alone, the node agrees on it, and media flows; the floor is that cipher's."""
    report = run_well(generator, "fanout", "--subscribers", "2", "--seconds", "1", "--srtp", srtp)
    (figures,) = report["runs"]
    assert figures["srtp_profiles"] == [[name, 3]]
    assert figures["received"] == figures["expected"] > 400
    seals = {"cm-sha1": "seal_cm_sha1", "gcm128": "seal", "gcm256": "seal_aes256"}
    floor = report["floor"]["figures"]
    assert report["lowest"] == pytest.approx(floor[seals[srtp]] + floor["send_burst"])


@pytest.mark.timeout(900)
def test_rooms_in_which_everybody_takes_everybody(generator: Path, tmp_path: Path) -> None:
    """Two rooms of three: each of the six gets picture and sound of two, and nothing is lost."""
    picture = tmp_path / "rooms.svg"
    report = run_well(
        generator, "rooms", "--rooms", "2", "--members", "3", "--seconds", "1", "--plot", str(picture)
    )
    (figures,) = report["runs"]
    assert (figures["publishers"], figures["subscribers"]) == (6, 6)
    assert figures["received"] == figures["expected"]
    # 62 packets of a picture and 50 of sound a second, each to two.
    assert figures["expected"] == pytest.approx(2 * figures["sent"], rel=0.01)
    assert figures["sent"] > 6 * 90
    assert picture.read_text().startswith("<svg")


@pytest.mark.timeout(900)
def test_a_mesh_that_grows(generator: Path) -> None:
    """One room of two, then of three: what is forwarded grows with the square."""
    two, three = run_well(generator, "mesh", "--members", "2,3", "--seconds", "1")["runs"]
    for figures, members in ((two, 2), (three, 3)):
        assert figures["rooms"] == 1
        assert figures["received"] == figures["expected"]
        assert figures["expected"] == pytest.approx((members - 1) * figures["sent"], rel=0.01)


@pytest.mark.timeout(900)
def test_a_channel_by_webrtc_and_hls(generator: Path) -> None:
    """Real pictures in four windows: whoever watches gets all of it, and what a viewer costs is told."""

    def well(report: Any) -> bool:
        return all(
            window["webrtc"]["received"] == window["webrtc"]["expected"]
            and not window["players"].get("missed")
            for window in report["windows"]
        )

    report = run_well(generator, "channel", "--small", well=well)
    windows = {window["name"]: window for window in report["windows"]}
    assert list(windows) == ["nobody", "WebRTC", "HLS", "both"]
    for name in ("WebRTC", "both"):
        figures = windows[name]["webrtc"]
        assert figures["received"] == figures["expected"] > 3 * 3 * 75, "three viewers, three seconds"
        assert 0 < figures["delay_p50_ms"] <= figures["delay_p99_ms"]
    for name in ("HLS", "both"):
        players = windows[name]["players"]
        assert (players["missed"], players["wrong"]) == (0, 0)
        assert players["segments"] >= 4, "four players, at least a segment each"
        assert players["octets"] > players["segments"] * 10_000
    assert windows["nobody"]["webrtc"]["expected"] == 0
    assert all(window["packager_us"] > 0 for window in windows.values())
    assert [cost["who"] for cost in report["costs"] if cost["us_per_packet"]] == [
        "WebRTC",
        "WebRTC, beside HLS",
    ]


@pytest.mark.timeout(900)
def test_idle_sessions(generator: Path) -> None:
    """Eight sessions in silence: checks are answered, those who ask are beaten to, timers are few."""

    def well(report: Any) -> bool:
        """A node that gets no turn beats less."""
        return all(window["beats"] >= 16 for window in report["windows"] if window["name"] == "beating")

    arguments = ("idle", "--sessions", "8", "--each", "4", "--seconds", "2")
    report = run_well(generator, *arguments, well=well)
    windows = {window["name"]: window for window in report["windows"]}
    assert (report["sessions"], report["subscribers"], report["rooms"]) == (8, 4, 2)
    assert windows["checked"]["received"] > 0
    assert windows["silent"]["sent"] == windows["silent"]["received"] == 0
    assert windows["checked"]["beats"] == windows["silent"]["beats"] == 0
    # Four subscribers, four beats a second, two seconds.
    assert 16 <= windows["beating"]["beats"] <= 48
    assert windows["silent"]["timers_per_session"] < 3


@pytest.mark.timeout(900)
def test_a_storm_beside_a_call(generator: Path) -> None:
    """Eight sessions connect while two watch: all get in, and the call loses nothing."""
    arguments = ("storm", "--sessions", "8", "--subscribers", "2", "--seconds", "2")
    report = run_well(generator, *arguments)
    assert [figures["name"] for figures in report["runs"]] == ["alone", "in a storm"]
    for figures in report["runs"]:
        assert figures["received"] == figures["expected"] > 800
        assert 0 < figures["delay_p50_ms"] <= figures["delay_p99_ms"]
    assert report["join_seconds"] > 0


@pytest.mark.timeout(900)
def test_all_writes_tables_and_pictures_into_a_page(generator: Path, tmp_path: Path) -> None:
    """What stands between the marks of a table is replaced, the rest of the page stays."""
    page = tmp_path / "page.md"
    marks = {
        name: (
            f"<!-- bench {name}: written by `headwater bench all --write` -->",
            f"<!-- end of bench {name} -->",
        )
        for name in ("floor", "mesh")
    }
    page.write_text("\n".join(["before", *marks["floor"], "between", *marks["mesh"], "after"]))
    command = [sys.executable, "-m", "headwater", "bench", "all", "--small"]
    environment = {**os.environ, "HEADWATER_LOAD": str(generator)}

    def write(names: str) -> subprocess.CompletedProcess[str]:
        arguments = [*command, "--only", names, "--write", str(page)]
        return subprocess.run(arguments, env=environment, capture_output=True, text=True, check=False)

    result = write("floor,mesh")
    # The floor of a busy machine may be void, which is a failure at the end.
    assert "All of it took" in result.stdout, result.stderr
    text = page.read_text()
    assert [line for line in text.splitlines() if line in ("before", "between", "after")] == [
        "before",
        "between",
        "after",
    ]
    assert "| seal, AES-128-GCM |" in text.partition(marks["floor"][1])[0]
    assert "![" in text.partition(marks["mesh"][0])[2]
    assert (tmp_path / "images" / "bench-mesh.svg").read_text().startswith("<svg")
    refused = write("idle")
    assert refused.returncode == 2
    assert "bench idle" in refused.stderr


@pytest.mark.timeout(900)
def test_one_room_on_two_threads(generator: Path) -> None:
    """Members alternate between the threads: each packet crosses once and nothing is lost there."""
    report = run_well(generator, "threads", "--threads", "1,2", "--subscribers", "4", "--seconds", "1")
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
