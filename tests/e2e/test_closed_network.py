"""A network that lets no UDP out: real browsers come by TCP, on the one port, and the call is a call."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.e2e.client_page import join, video_of
from tests.e2e.expect import expect_marker, expect_rows, expect_tone
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


@pytest.mark.usefixtures("closed")
async def test_a_call_without_udp(server: Server, alice_browser: Browser, bob_browser: Browser) -> None:
    """One publishes and one watches, both over TCP, within five seconds of joining."""
    meeting = await server.new_meeting()
    await join(alice_browser, server, meeting, name="ada", number=_NUMBER, tone=_TONE, width=320, height=180)
    started = time.monotonic()
    viewer = await join(bob_browser, server, meeting, name="viewer")
    await expect_marker(viewer, video_of("ada"), _NUMBER)
    took = time.monotonic() - started
    await expect_tone(viewer, "() => call.audio('ada')", _TONE)
    assert took < _JOIN_SECONDS, f"{took:.1f} s"
    rows = await expect_rows(
        viewer, "candidate-pair", "row.nominated && row.state === 'succeeded'", what="a path in use"
    )
    assert rows
    protocols = await viewer.run(_PROTOCOLS)
    assert protocols
    assert set(protocols) == {"tcp"}, protocols
    assert (await server.metrics())["headwater_media_tcp_connections"] >= 2


_PROTOCOLS = """async () => {
    const found = [];
    for (const pc of kit.pcs) {
        const report = await pc.getStats();
        for (const row of report.values()) {
            if (row.type !== "transport" || !row.selectedCandidatePairId) continue;
            found.push(report.get(report.get(row.selectedCandidatePairId).localCandidateId).protocol);
        }
    }
    return found;
}"""
