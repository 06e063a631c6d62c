"""Nodes on an ephemeral port: over the simulated core, and over the real one."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from headwater.app import Node
from headwater.config import Settings, load_settings
from headwater.testing import FakeWorker

LIMITS = {"resume_seconds": 60.0, "empty_room_seconds": 0.2, "send_queue": 64}


class PortedFakeWorker(FakeWorker):
    """A simulated core that says it listens on the port it was given."""


def settings(tmp_path: Path, **overrides: Any) -> Settings:
    """Settings for a test, independent of the machine's environment."""
    return load_settings(
        **{"port": 0, "data": tmp_path / "data", "limits": LIMITS, "threads": 1, **overrides}
    )


@pytest.fixture
def forgetful(dev: Node, monkeypatch: pytest.MonkeyPatch) -> Node:
    """The development node; whoever is lost there is given up at once."""
    limits = dev.rooms._limits.model_copy(update={"resume_seconds": 0.05})
    monkeypatch.setattr(dev.rooms, "_limits", limits)
    return dev


@pytest.fixture
def _no_settling(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody connects over the simulated core."""
    monkeypatch.setattr("headwater.meetings.rooms.subscriptions.SETTLE_SECONDS", 0.0)


@pytest.fixture
async def dev(tmp_path: Path, _no_settling: None) -> AsyncIterator[Node]:
    """A development node without media."""
    async with Node(settings(tmp_path, dev=True), worker_type=PortedFakeWorker, allow_several=True) as node:
        yield node


@pytest.fixture
async def production(tmp_path: Path, _no_settling: None) -> AsyncIterator[Node]:
    """A production node without media, on loopback."""
    async with Node(
        settings(tmp_path, host="127.0.0.1"), worker_type=PortedFakeWorker, allow_several=True
    ) as node:
        yield node


@pytest.fixture
async def live(tmp_path: Path) -> AsyncIterator[Node]:
    """A development node with real media."""
    async with Node(settings(tmp_path, dev=True), allow_several=True) as node:
        yield node


@pytest.fixture
async def http(dev: Node) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the development node."""
    async with httpx.AsyncClient(base_url=dev.url, trust_env=False, timeout=60) as client:
        yield client


@pytest.fixture
async def https(production: Node) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the production node, which trusts its certificate."""
    context = ssl.create_default_context(cafile=str(production.settings.data / "tls-cert.pem"))
    async with httpx.AsyncClient(
        base_url=production.url, trust_env=False, timeout=60, verify=context
    ) as client:
        yield client
