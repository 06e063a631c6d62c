"""Low-latency HLS in browsers: what a page sends is played by hls.js a second or two later."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.e2e.channel_page import broadcast
from tests.e2e.expect import expect_marker
from tests.support.browser import ROOT, Browser, Page
from tests.support.server import Server

pytestmark = [pytest.mark.timeout(400), pytest.mark.asyncio(loop_scope="session")]

_NUMBER = 0x6B
_VIDEO = "() => document.querySelector('video')"
_LIBRARY = ROOT / "web/node_modules/hls.js/dist/hls.mjs"
_LATENCY = 3.0
"""Seconds behind the end of the playlist, by hls.js itself."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def low_server(network: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    """A node that packages in parts, with a window long enough for delta updates."""
    settings = {
        "HEADWATER_HLS__LOW_LATENCY": "true",
        "HEADWATER_HLS__SEGMENT_SECONDS": "1",
        "HEADWATER_HLS__DVR_SECONDS": "60",
    }
    async with Server.start(tmp_path_factory.mktemp("low"), settings=settings) as server:
        yield server


async def play(browser: Browser, server: Server, channel: str) -> Page:
    """A bare page that plays a channel by hls.js, which may hurry when the machine made it wait."""
    script = {"type": "text/javascript", "body": _LIBRARY.read_text()}
    page = await browser.open(f"{server.url}/", name="viewer", routes={"/__e2e/hls.mjs": script})
    await page.run(
        """async (url) => {
            const { default: Hls } = await import('/__e2e/hls.mjs');
            const video = document.createElement('video');
            video.muted = true;
            video.autoplay = true;
            document.body.replaceChildren(video);
            const hls = (window.hls = new Hls({ maxLiveSyncPlaybackRate: 1.5 }));
            window.seen = { errors: [], parts: 0, blocking: 0, reports: 0, deltas: 0 };
            hls.on(Hls.Events.ERROR, (_, { fatal, details, error }) =>
                window.seen.errors.push([fatal, details, String(error)]));
            hls.on(Hls.Events.FRAG_BUFFERED, (_, data) => (window.seen.parts += data.part ? 1 : 0));
            hls.on(Hls.Events.LEVEL_LOADED, (_, { details, deliveryDirectives }) => {
                window.seen.blocking += deliveryDirectives?.part !== undefined ? 1 : 0;
                window.seen.deltas += details.skippedSegments ? 1 : 0;
                window.seen.reports += details.renditionReports?.length ?? 0;
            });
            hls.loadSource(url);
            hls.attachMedia(video);
        }""",
        f"{server.url}/hls/{channel}/index.m3u8",
    )
    return page


@pytest.mark.parametrize("codec", ["h264", "av1", "vp9"])
async def test_hls_js_plays_parts_within_seconds(
    low_server: Server, alice_browser: Browser, bob_browser: Browser, codec: str
) -> None:
    """It asks for the next part before it is there, plays parts, and stays close behind."""
    media: dict[str, Any] = {"codec": f"video/{codec}", "simulcast": False, "width": 640, "height": 360}
    _, channel = await broadcast(alice_browser, low_server, _NUMBER, **media)
    page = await play(bob_browser, low_server, channel)
    await expect_marker(page, _VIDEO, _NUMBER, timeout=60)
    await page.until("() => seen.parts > 10 && seen.deltas > 3", what="parts and delta updates", timeout=80)
    await page.until("(most) => hls.latency < most", _LATENCY, what="close behind", timeout=60)
    seen = await page.run("() => seen")
    assert seen["blocking"] > 5, seen
    assert not [fatal for fatal, *_ in seen["errors"] if fatal], seen


async def test_sizes_of_simulcast_are_played_in_parts(
    low_server: Server, alice_browser: Browser, bob_browser: Browser
) -> None:
    """Three sizes as they come; a player that changes between them, or whose size shrinks, stays close."""
    media: dict[str, Any] = {"codec": "video/h264", "width": 1280, "height": 720}
    sender, channel = await broadcast(alice_browser, low_server, _NUMBER, **media)
    page = await play(bob_browser, low_server, channel)
    await expect_marker(page, _VIDEO, _NUMBER, timeout=60)
    await page.until("() => hls.levels.length === 3", what="three sizes", timeout=60)
    for height in (180, 720):
        await page.run(
            "(wanted) => { hls.nextLevel = hls.levels.findIndex((one) => one.height === wanted); }", height
        )
        await page.until(
            f"(wanted) => ({_VIDEO})().videoHeight === wanted", height, what="that size", timeout=80
        )
    assert await page.run("() => seen.reports") > 0, "how far the other sizes are"
    await sender.run("() => ms.producers.video.setMaxSpatialLayer(1)")
    await page.until(f"() => ({_VIDEO})().videoHeight === 360", what="what is sent instead", timeout=80)
    await expect_marker(page, _VIDEO, _NUMBER, timeout=80)
    await page.until("(most) => hls.latency < most", _LATENCY, what="close behind", timeout=60)
    errors = await page.run("() => seen.errors")
    assert not [fatal for fatal, *_ in errors if fatal], errors
    async with low_server.client() as http:
        text = (await http.get(f"/hls/{channel}/video2.m3u8")).text
    assert text.count("#EXT-X-MAP") == 2, "the same rendition with other parameter sets"
    assert "#EXT-X-DISCONTINUITY\n" not in text


async def test_the_watch_page_asks_for_parts(
    low_server: Server, alice_browser: Browser, firefox: Browser
) -> None:
    """Nothing is to be set there: it plays what the node offers, in Firefox too."""
    media: dict[str, Any] = {"codec": "video/h264", "simulcast": False, "width": 640, "height": 360}
    _, channel = await broadcast(alice_browser, low_server, _NUMBER, **media)
    page = await firefox.open(f"{low_server.url}/watch/{channel}?by=hls", name="viewer")
    await expect_marker(
        page, "() => document.querySelector('[data-testid=watch-video]')", _NUMBER, timeout=60
    )
    await page.until(
        "() => performance.getEntriesByType('resource')"
        ".filter(({ name }) => name.includes('_HLS_part=')).length > 5",
        what="requests for parts",
        timeout=60,
    )
    behind = "document.querySelector('[data-testid=player-behind]').textContent.replace('<', '')"
    await page.until(f"(most) => parseFloat({behind}) <= most", _LATENCY, what="close behind", timeout=60)
