"""Live channels as people use them: the studio page on one side, the watch page on the other."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.app_page import press
from tests.e2e.conftest import MARKERS
from tests.e2e.expect import expect_marker
from tests.support.aiortc_peer import publish_by_whip
from tests.support.browser import Browser, Page
from tests.support.ffmpeg import whip_publisher
from tests.support.server import Server

pytestmark = [pytest.mark.timeout(400), pytest.mark.asyncio(loop_scope="session")]

VIDEO = "() => document.querySelector('[data-testid=watch-video]')"


async def open_studio(browser: Browser, server: Server, *, title: str) -> Page:
    """Make a channel by the pages and wait for the preview."""
    page = await browser.open(f"{server.url}/", name="studio")
    await press(page, "go-studio")
    await page.fill("[data-testid=channel-title]", title)
    await press(page, "make-channel")
    await page.until(
        "() => document.querySelector('[data-testid=studio-preview]')?.videoWidth > 0", what="the preview"
    )
    return page


async def phase(page: Page, testid: str, wanted: str, *, timeout: float = 30) -> None:
    """Wait for the phase that a page says it is in."""
    await page.until(
        "(id, wanted) => document.querySelector(`[data-testid=${id}]`)?.dataset.phase === wanted",
        testid,
        wanted,
        what=f"{testid} {wanted}",
        timeout=timeout,
    )


async def test_from_the_studio_to_a_viewer_by_both_ways(
    server: Server, alice_browser: Browser, bob_browser: Browser
) -> None:
    """One page goes live, the other plays it at once, then by HLS, and is told when it stops."""
    studio = await open_studio(alice_browser, server, title="Morning news")
    link = await studio.run("() => document.querySelector('.link a').href")
    viewer = await bob_browser.open(link, name="viewer")
    await phase(viewer, "watch-page", "soon")
    await press(studio, "go-live")
    await phase(studio, "studio-page", "live")

    await phase(viewer, "watch-page", "playing")
    await expect_marker(viewer, VIDEO, MARKERS["alice"])
    assert (
        await viewer.run("() => document.querySelector('[data-testid=watch-page]').dataset.way") == "webrtc"
    )
    assert await viewer.run("() => document.querySelector('h1').textContent") == "Morning news"
    await studio.until(
        "() => document.querySelector('[data-testid=studio-viewers]')?.textContent === '1'",
        what="one viewer",
    )

    await viewer.run(
        "() => { const select = document.querySelector('[data-testid=player-quality]');"
        " select.value = 'hls 0'; select.dispatchEvent(new Event('change', { bubbles: true })); }"
    )
    await viewer.until(
        f"() => ({VIDEO})().srcObject === null && ({VIDEO})().currentTime > 0", what="HLS", timeout=60
    )
    await expect_marker(viewer, VIDEO, MARKERS["alice"])
    await viewer.until(
        "() => /\\d+ s behind/.test(document.querySelector('[data-testid=player-behind]')?.textContent)",
        what="how far behind",
    )

    await press(studio, "studio-stop")
    await phase(studio, "studio-page", "ready")
    await phase(viewer, "watch-page", "ended", timeout=60)
    late = await bob_browser.open(link, name="late")
    await phase(late, "watch-page", "ended")
    await press(studio, "go-live")
    for page in (viewer, late):
        await phase(page, "watch-page", "playing", timeout=60)


async def test_firefox_watches_by_both_ways(server: Server, firefox: Browser) -> None:
    """VP8 plays in Firefox as it is, and as H264 from segments."""
    channel = await server.new_channel()
    async with publish_by_whip(server, channel, 0x5B, 440.0):
        for way in ("webrtc", "hls"):
            page = await firefox.open(f"{server.url}/watch/{channel}?by={way}", name=way)
            await expect_marker(page, VIDEO, 0x5B)
            assert (
                await page.run("() => document.querySelector('[data-testid=watch-page]').dataset.way") == way
            )
            await page.close()


async def test_hls_is_taken_where_webrtc_is_not_to_be_had(
    server: Server, bob_browser: Browser, tmp_path: Path
) -> None:
    """The page changes by itself."""
    channel = await server.new_channel()
    page = await bob_browser.open(f"{server.url}/watch/{channel}", name="viewer")
    await phase(page, "watch-page", "soon")
    await page.run("() => { window.RTCPeerConnection = undefined; }")
    async with whip_publisher(f"{server.url}/whip/{channel}", tmp_path, 0x5B, 440.0):
        await expect_marker(page, VIDEO, 0x5B)
        assert await page.run("() => document.querySelector('[data-testid=watch-page]').dataset.way") == "hls"


async def test_a_viewer_needs_no_mouse(server: Server, bob_browser: Browser, tmp_path: Path) -> None:
    """Keys pause, mute, fill the screen and take the picture out of the page, and undo it again."""
    channel = await server.new_channel()
    async with whip_publisher(f"{server.url}/whip/{channel}", tmp_path, 0x5B, 440.0):
        page = await bob_browser.open(f"{server.url}/watch/{channel}", name="viewer")
        await expect_marker(page, VIDEO, 0x5B)
        for key, state in (
            ("m", f"({VIDEO})().muted"),
            ("Space", f"({VIDEO})().paused"),
            ("k", f"({VIDEO})().paused"),
            ("f", "document.fullscreenElement !== null"),
            ("p", f"document.pictureInPictureElement === ({VIDEO})()"),
        ):
            before = await page.run(f"() => {state}")
            for wanted in (not before, before):
                await page.press(key)
                await page.until(f"(wanted) => ({state}) === wanted", wanted, what=f"{state} by {key}")
        await expect_marker(page, VIDEO, 0x5B)
