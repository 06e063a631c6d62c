"""A node that may send little: pictures get smaller before anything is lost, and newcomers are told.

Real calls of one sender and two watchers, whose pictures together are more than the node's bound.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.e2e.app_page import enter, open_check, press
from tests.e2e.client_page import join
from tests.support.browser import Browser
from tests.support.server import Server

pytestmark = [pytest.mark.timeout(180), pytest.mark.asyncio(loop_scope="session")]

_SETTINGS = {"HEADWATER_MAX_EGRESS": "1.0", "HEADWATER_OVERLOAD__RECOVERY": "0.3"}
"""Mbit/s that two of the sender's large pictures take; then sheds until a third of it is left."""


@pytest_asyncio.fixture(loop_scope="session")
async def small(network: str, tmp_path: Path) -> AsyncIterator[Server]:
    """A node with a bound on what it sends."""
    async with Server.start(tmp_path, settings=_SETTINGS) as server:
        yield server


async def test_layers_are_shed_and_come_back(
    small: Server, alice_browser: Browser, bob_browser: Browser
) -> None:
    """Above the bound layers go down and say why, nothing is lost, a newcomer is told; then they return."""
    meeting = await small.new_meeting()
    ada = await join(alice_browser, small, meeting, name="ada")
    newcomer = await open_check(bob_browser, small, meeting, name="Eve")
    await newcomer.fill("[data-testid=name]", "Eve")
    bob, *others = [await join(bob_browser, small, meeting, name=name) for name in ("bob", "carol", "dora")]
    await ada.run(_PUBLISH)
    await _becomes(small, overloaded=1.0)
    await press(newcomer, "join")
    await newcomer.until(
        "() => document.querySelector('[data-testid=notice]')?.dataset.code === 'server_busy'",
        what="words for a busy server",
    )
    watchers = [bob, *others]
    for watcher in watchers:
        await watcher.until(_SHED, what="a layer given up for the server's sake")
        await watcher.until(_ALL_CAME, what="every packet")
    for other in others:
        await other.run("() => call.leave()")
    await _becomes(small, overloaded=0.0)
    await bob.until(_BEST, what="the best layer again", timeout=60)
    await enter(newcomer, "Eve")
    metrics = await small.metrics()
    assert not metrics.get("headwater_media_send_buffer_full_total"), metrics
    assert not metrics.get("headwater_media_drop_queue_total"), metrics


async def _becomes(server: Server, *, overloaded: float) -> None:
    """The node says that it has too much to do, or no more."""
    async with asyncio.timeout(60):
        while (await server.metrics())["headwater_load_overloaded"] != overloaded:  # noqa: ASYNC110 - measured
            await asyncio.sleep(0.1)


_PUBLISH = """async () => {
    // What an encoder cannot make small.
    const canvas = Object.assign(document.createElement("canvas"), { width: 640, height: 360 });
    const context = canvas.getContext("2d");
    window.drawing = setInterval(() => {
        for (let n = 0; n < 60; n += 1) {
            context.fillStyle = `hsl(${Math.random() * 360} 60% ${25 + Math.random() * 45}%)`;
            context.fillRect(Math.random() * 640, Math.random() * 360, 40, 40);
        }
    }, 66);
    await room.publish(canvas.captureStream(15).getVideoTracks()[0], { source: "camera" });
}"""
_SHED = """async () => {
    const { decisions } = await call.subscriber("ada", "video").why();
    return decisions.some(({ kind, facts }) => kind === "current" && facts.reason === "overload");
}"""
_BEST = """async () => {
    const { current, preferred } = await call.subscriber("ada", "video").why();
    const best = current?.spatial === preferred.spatial && current?.temporal === preferred.temporal;
    if (!best) throw new Error(JSON.stringify(current));
    return true;
}"""
_ALL_CAME = """async () => {
    const { packetsReceived, packetsLost } = await call.inbound("ada", "video");
    if (packetsLost > 0) throw new Error(`${packetsLost} of ${packetsReceived} missing`);
    return packetsReceived > 0;
}"""
