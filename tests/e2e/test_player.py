"""The player on pages of other sites: as an element, in a frame, and where it may not be shown."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.e2e.expect import expect_marker
from tests.support.aiortc_peer import publish_by_whip
from tests.support.browser import Browser
from tests.support.server import Server
from tests.support.site import serve_site

pytestmark = [pytest.mark.timeout(400), pytest.mark.asyncio(loop_scope="session")]

VIDEO = "() => document.querySelector('headwater-player')?.shadowRoot.querySelector('video')"


def embedding(server: Server, channel: str, *, by: str = "webrtc") -> tuple[str, bytes]:
    """A page as somebody writes it who puts a channel on their site, in both forms."""
    page = f"""<!doctype html><meta charset="utf-8"><title>News</title>
        <script type="module" src="{server.url}/player.js"></script>
        <script>
          window.told = [];
          addEventListener("DOMContentLoaded", () => {{
            const player = document.querySelector("headwater-player");
            const note = ({{ type, detail }}) => told.push([type, detail]);
            for (const name of ["state", "error"]) player.addEventListener(name, note);
          }});
        </script>
        <headwater-player src="{server.url}/watch/{channel}" by="{by}" autoplay muted controls>
        </headwater-player>
        <iframe src="{server.url}/embed/{channel}?autoplay=1&muted=1&by={by}" width="640" height="360"
                allow="autoplay; fullscreen; picture-in-picture"></iframe>"""
    return "text/html", page.encode()


@pytest.mark.parametrize("engine", ["chromium", "firefox"])
async def test_another_site_shows_a_channel(
    server: Server, alice_browser: Browser, firefox: Browser, engine: str
) -> None:
    """Element and frame play by WebRTC and by HLS, and the element's events tell how it goes."""
    browser = {"chromium": alice_browser, "firefox": firefox}[engine]
    channel = await server.new_channel()
    files: dict[str, tuple[str, bytes]] = {}
    async with serve_site(files) as site, publish_by_whip(server, channel, 0x5B, 440.0):
        for way in ("webrtc", "hls"):
            files["/"] = embedding(server, channel, by=way)
            page = await browser.open(f"{site}/", name=way)
            await expect_marker(page, VIDEO, 0x5B, timeout=80)
            await expect_marker(page.frame("/embed/"), VIDEO, 0x5B, timeout=80)
            state = await page.run("() => document.querySelector('headwater-player').state")
            assert (state["phase"], state["way"]) == ("playing", way)
            told = await page.run("() => told")
            assert told, "no event came"
            assert {name for name, _ in told} == {"state"}
            assert told[-1][1]["phase"] == "playing"
            await page.close()


async def test_only_named_sites_may_show_it(tmp_path: Path, alice_browser: Browser) -> None:
    """In production a site needs to be named: others get an error that says so, and an empty frame."""
    files: dict[str, tuple[str, bytes]] = {}
    async with (
        serve_site(files) as friend,
        serve_site(files) as stranger,
        Server.start(tmp_path, production=True, settings={"HEADWATER_EMBED_ORIGINS": friend}) as server,
    ):
        files["/"] = embedding(server, await server.new_channel())
        page = await alice_browser.open(f"{friend}/", name="friend")
        waits = "() => document.querySelector('headwater-player')?.state?.phase === 'soon'"
        await page.until(waits, what="the element waits for the show")
        await page.frame("/embed/").until(waits, what="the frame waits for the show")
        assert await page.run("() => told.some(([name]) => name === 'error')") is False

        page = await alice_browser.open(f"{stranger}/", name="stranger")
        code = await page.until("() => told.find(([name]) => name === 'error')?.[1].code", what="an error")
        assert code == "embedding_refused"
        said = await page.run(
            "() => document.querySelector('headwater-player').shadowRoot"
            ".querySelector('[data-testid=player-failed]').textContent"
        )
        assert "may not show" in said
        assert any("frame-ancestors" in line for line in await page.console())
        assert await page.run("() => document.querySelector('iframe').contentWindow.length") == 0


async def test_it_waits_for_a_click_and_obeys_its_page(server: Server, alice_browser: Browser) -> None:
    """Without `autoplay` nothing plays until somebody presses play; attributes and methods work later."""
    channel = await server.new_channel()
    page_of = embedding(server, channel)[1].replace(b" autoplay muted controls", b" muted")
    async with (
        serve_site({"/": ("text/html", page_of)}) as site,
        publish_by_whip(server, channel, 0x5B, 440.0),
    ):
        page = await alice_browser.open(f"{site}/", name="quiet")
        find = "document.querySelector('headwater-player')"
        await page.until(f"() => {find}.state?.phase === 'ready'", what="ready")
        assert await page.run("() => kit.pcs.length") == 0
        await page.click("headwater-player >>> [data-testid=player-begin]")
        await expect_marker(page, VIDEO, 0x5B)
        bar = f"() => {find}.shadowRoot.querySelector('[data-testid=player-bar]') !== null"
        assert not await page.run(bar)
        await page.run(f"() => {find}.setAttribute('controls', '')")
        await page.until(
            f"() => {find}.shadowRoot.querySelector('[data-testid=player-bar]') !== null", what="bar"
        )
        await page.run(f"() => {find}.pause()")
        await page.until(f"() => {find}.video.paused", what="paused")
        await page.run(f"() => {find}.play()")
        await page.until(f"() => !{find}.video.paused", what="playing")
        await page.run(f"() => {find}.remove()")
        await page.until("() => kit.pcs.every((pc) => pc.connectionState === 'closed')", what="gone")


async def test_a_private_channel_has_a_poster(tmp_path: Path, alice_browser: Browser) -> None:
    """Who has a token sees the newest picture before pressing play; the picture itself knows no token."""
    hls = {"HEADWATER_HLS__SEGMENT_SECONDS": "0.5", "HEADWATER_HLS__HEIGHT": "144"}
    async with (
        Server.start(tmp_path, production=True, settings=hls) as server,
        server.client() as owner,
        server.acting(None).client() as stranger,
    ):
        channel = (await owner.post("/channels", json={"visibility": "private"})).json()["channelId"]
        tokens = [
            (
                await owner.post(f"/channels/{channel}/tokens", json={"identity": grant, "grants": [grant]})
            ).json()["token"]
            for grant in ("publish", "view")
        ]
        async with publish_by_whip(server.acting(tokens[0]), channel, 0x5B, 440.0):
            signed = (await owner.get(f"/channels/{channel}")).json()["links"]["thumbnail"]
            async with asyncio.timeout(60):
                while (await stranger.get(signed)).status_code != 200:
                    pass  # the first one is made of the first pictures
            page = await alice_browser.open(f"{server.url}/embed/{channel}#token={tokens[1]}", name="private")
            await page.until(
                "() => document.querySelector('headwater-player')?.shadowRoot"
                ".querySelector('.curtain img')?.naturalWidth > 0",
                what="the poster",
            )
            await page.close()
        page = await alice_browser.open(f"{server.url}/watch/{channel}#token=wrong", name="wrong")
        told = "() => document.querySelector('[data-testid=error-page]')?.dataset.code"
        assert await page.until(told, what="an explanation") == "token_refused"
        await page.close()
