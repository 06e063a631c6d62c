"""What ``headwater serve`` says when it has started."""

from __future__ import annotations

from typing import Any

import pytest

from headwater.app import DEMO_ROOM, Node
from headwater.cli.serve import _announce
from headwater.config import load_settings
from headwater.testing import FakeWorker


def started(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> Any:
    """A development node on port 8443 that found these addresses."""
    node = Node(load_settings(dev=True), worker_type=FakeWorker)
    node.worker = FakeWorker()
    monkeypatch.setattr(FakeWorker, "port", property(lambda _: 8443))
    monkeypatch.setattr(FakeWorker, "threads", property(lambda _: 2))
    monkeypatch.setattr(FakeWorker, "candidates", lambda _: [f"{a}:8443" for a in addresses])
    return node


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["127.0.0.1", "[::1]"]])
def test_without_a_network_firefox_is_told_about(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], addresses: list[str]
) -> None:
    _announce(started(monkeypatch, *addresses))
    lines = capsys.readouterr().out.splitlines()
    (line,) = [line for line in lines if "Firefox" in line]
    assert "no address besides loopback" in line
    assert "Chromium will connect" in line
    assert lines[-1] == f"http://127.0.0.1:8443/m/{DEMO_ROOM}"


def test_with_a_network_its_addresses_are_told_and_no_word_of_firefox(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _announce(started(monkeypatch, "192.168.1.5", "127.0.0.1", "[2001:db8::5]"))
    printed = capsys.readouterr().out
    assert "Media is announced on 192.168.1.5, 2001:db8::5." in printed
    assert "Firefox" not in printed
    assert printed.splitlines()[-1] == f"http://127.0.0.1:8443/m/{DEMO_ROOM}"


def test_hexadecimal_pairs_are_not_taken_for_pictures(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A terminal library that knows ``:ab:`` as a picture must not rewrite addresses or fingerprints."""
    _announce(started(monkeypatch, "[fd00:ab:cd:ab::5]"))
    assert "Media is announced on fd00:ab:cd:ab::5." in capsys.readouterr().out
