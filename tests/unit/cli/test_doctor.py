"""``headwater doctor``: each finding names its remedy, and the exit code says whether one is grave."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest

from headwater.cli import main
from headwater.cli.doctor import Finding, doctor, examine
from headwater.config import load_settings
from headwater.errors import HeadwaterError

PUBLIC = "9.9.9.9"
"""An address of the internet, only named here; those for documentation count as private."""


@pytest.fixture
def port() -> int:
    """A port that is free for both protocols, or was a moment ago."""
    with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
        tcp.bind(("127.0.0.1", 0))
        number: int = tcp.getsockname()[1]
        udp.bind(("127.0.0.1", number))
        return number


def media(monkeypatch: pytest.MonkeyPatch, *hosts: str, arrives: bool = True) -> None:
    """Let the self test find these addresses instead of the machine's."""

    async def self_test(_settings: Any) -> tuple[list[str], dict[str, bool], float]:
        return [f"{host}:5" for host in hosts], dict.fromkeys(hosts, arrives), 0.001

    monkeypatch.setattr("headwater.cli.doctor._self_test", self_test)


def findings(tmp_path: Path, port: int, **options: Any) -> list[Finding]:
    """All findings about a node with these settings."""
    return list(examine(load_settings(data=tmp_path, port=port, **options)))


def says(found: list[Finding], words: str) -> Finding:
    """The one finding with these words."""
    (finding,) = [finding for finding in found if words in finding.what]
    return finding


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ending:
        main(arguments)
    return int(ending.value.code or 0)


def test_all_is_well(
    tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    media(monkeypatch, PUBLIC, "127.0.0.1")
    assert run("doctor", "--dev", "--port", str(port), "--data", str(tmp_path)) == 0
    printed = capsys.readouterr().out
    assert f"TCP port {port} is free" in printed
    assert f"UDP to {PUBLIC} arrives" in printed
    assert "error" not in printed
    assert list(tmp_path.iterdir()) == [], "looking must leave nothing behind"


@pytest.mark.parametrize(("kind", "protocol"), [(socket.SOCK_STREAM, "TCP"), (socket.SOCK_DGRAM, "UDP")])
def test_a_taken_port_is_grave_and_says_who_to_ask(
    tmp_path: Path,
    port: int,
    kind: socket.SocketKind,
    protocol: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    media(monkeypatch, PUBLIC)
    with socket.socket(type=kind) as taken:
        taken.bind(("0.0.0.0", port))
        if kind == socket.SOCK_STREAM:
            taken.listen()
        finding = says(findings(tmp_path, port), f"{protocol} port {port} is taken")
        assert finding.state == "error"
        assert "--port" in finding.fix
        assert run("doctor", "--dev", "--port", str(port), "--data", str(tmp_path)) == 1
    assert f"-> {finding.fix}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("hosts", "options", "state", "words"),
    [
        (["127.0.0.1", "::1"], {}, "warning", "Firefox does not"),
        (["192.168.1.5", "127.0.0.1"], {}, "warning", "all addresses are private"),
        (["192.168.1.5"], {"announce": [PUBLIC]}, "ok", "media is announced on"),
        ([PUBLIC], {}, "ok", "media is announced on"),
    ],
)
def test_addresses_are_judged_as_a_client_would(
    tmp_path: Path,
    port: int,
    monkeypatch: pytest.MonkeyPatch,
    hosts: list[str],
    options: dict[str, Any],
    state: str,
    words: str,
) -> None:
    media(monkeypatch, *hosts)
    found = findings(tmp_path, port, **options)
    assert says(found, words).state == state
    warned = [finding for finding in found if "address" in finding.what and finding.state == "warning"]
    assert bool(warned) is (state == "warning")
    assert all("--announce" in finding.fix for finding in warned)


def test_a_firewall_is_grave(tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    media(monkeypatch, PUBLIC, arrives=False)
    finding = says(findings(tmp_path, port), "does not arrive")
    assert (finding.state, "firewall" in finding.fix) == ("error", True)


def test_a_check_that_cannot_run_is_a_finding_and_the_others_go_on(
    tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(_settings: Any) -> Any:
        raise HeadwaterError("no media today")

    monkeypatch.setattr("headwater.cli.doctor._self_test", broken)
    found = findings(tmp_path, port)
    assert says(found, "no media today").state == "error"
    assert says(found, "open files are allowed").what


def test_a_certificate_that_does_not_fit_is_grave(
    tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    media(monkeypatch, PUBLIC)
    assert says(findings(tmp_path, port), "will be self-signed").state == "warning"
    assert says(findings(tmp_path, port, dev=True), "no certificate is needed").state == "ok"
    for name in ("cert", "key"):
        (tmp_path / name).write_text("nonsense")
    found = findings(tmp_path, port, tls_cert=tmp_path / "cert", tls_key=tmp_path / "key")
    assert any(finding.state == "error" and "PEM" in finding.fix for finding in found), found


def test_a_weak_secret_is_grave(tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    media(monkeypatch, PUBLIC)
    (tmp_path / "secret").write_text("short")
    (tmp_path / "secret").chmod(0o600)
    assert says(findings(tmp_path, port), "secret:").state == "error"


def test_a_clock_before_this_program_is_grave(
    tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    media(monkeypatch, PUBLIC)
    built = os.stat(str(doctor.__code__.co_filename)).st_mtime
    monkeypatch.setattr("headwater.cli.doctor.time.time", lambda: built - 2 * 86400)
    assert says(findings(tmp_path, port), "before this program existed").state == "error"


def test_hls_needs_a_program(tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without FFmpeg live channels have no HLS, which nobody would find out before a show."""
    media(monkeypatch, PUBLIC)
    assert says(findings(tmp_path, port), "FFmpeg for HLS").state == "ok"
    missing = says(findings(tmp_path, port, hls={"ffmpeg": str(tmp_path / "none")}), "no HLS")
    assert (missing.state, "ffmpeg" in missing.fix) == ("warning", True)
    assert not [one for one in findings(tmp_path, port, hls={"enabled": False}) if "HLS" in one.what]
