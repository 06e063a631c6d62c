"""A network that lets no UDP out: real browsers come by TCP, on the one port, and the call is a call."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.e2e.client_page import join, video_of
from tests.e2e.expect import expect_marker, expect_tone
from tests.support.browser import Browser
from tests.support.network import without_udp
from tests.support.server import Server

pytestmark = [pytest.mark.timeout(120), pytest.mark.asyncio(loop_scope="session")]

_NUMBER, _TONE = 0x2E, 640
_JOIN_SECONDS = 5.0
"""From opening the room to the picture (guarantee G7)."""


@pytest.fixture
def closed(server: Server) -> Iterator[None]:
    """UDP to the node is refused."""
    with without_udp(server.port):
        yield


@pytest_asyncio.fixture(loop_scope="session")
async def public(network: str, tmp_path: Path) -> AsyncIterator[Server]:
    """A node as it is in production, UDP to it refused.

    Firefox pairs with no loopback address, and a development node takes TCP on no other.
    """
    async with Server.start(tmp_path, production=True) as server:
        with without_udp(server.port):
            yield server


@pytest.mark.usefixtures("closed")
async def test_a_call_without_udp(server: Server, alice_browser: Browser, bob_browser: Browser) -> None:
    """One publishes and one watches, both over TCP, within five seconds of joining."""
    took = await _call(server, alice_browser, bob_browser)
    assert took < _JOIN_SECONDS, f"{took:.1f} s"


async def test_firefox_sends_without_udp(public: Server, alice_browser: Browser, firefox: Browser) -> None:
    """What Firefox publishes over TCP, Chromium sees and hears."""
    await _call(public, firefox, alice_browser)


async def test_firefox_watches_without_udp(public: Server, alice_browser: Browser, firefox: Browser) -> None:
    """What Chromium publishes over TCP, Firefox sees and hears, within five seconds of joining."""
    took = await _call(public, alice_browser, firefox)
    assert took < _JOIN_SECONDS, f"{took:.1f} s"


async def _call(server: Server, sender: Browser, watcher: Browser) -> float:
    """A call of two over TCP; the seconds from joining to the picture."""
    before = await server.metrics()
    meeting = await server.new_meeting()
    ada = await join(sender, server, meeting, name="ada", number=_NUMBER, tone=_TONE, width=320, height=180)
    started = time.monotonic()
    viewer = await join(watcher, server, meeting, name="viewer")
    await expect_marker(viewer, video_of("ada"), _NUMBER)
    took = time.monotonic() - started
    await expect_tone(viewer, "() => call.audio('ada')", _TONE)
    for page in (ada, viewer):
        protocols = await page.run(_PROTOCOLS)
        assert protocols
        assert set(protocols) == {"tcp"}, protocols
    opened = "headwater_media_tcp_opened_total"
    async with asyncio.timeout(10):  # counters are published once a second
        while (await server.metrics()).get(opened, 0) < before.get(opened, 0) + 2:  # noqa: ASYNC110
            await asyncio.sleep(0.2)
    return took


_PROTOCOLS = """async () => {
    const found = [];
    for (const pc of kit.pcs) {
        const report = await pc.getStats();
        for (const row of report.values()) {
            const used = row.type === "candidate-pair" && (row.selected ?? row.nominated);
            if (used && row.state === "succeeded" && row.bytesReceived > 0)
                found.push(report.get(row.localCandidateId).protocol);
        }
    }
    return found;
}"""
