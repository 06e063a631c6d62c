"""Captions: a playlist with subtitle renditions makes the player offer them, and show what is said."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from headwater.pipelines.ffmpeg import find_ffmpeg
from tests.support.browser import Browser, Page
from tests.support.server import Server
from tests.support.site import serve_site

pytestmark = [pytest.mark.timeout(400), pytest.mark.asyncio(loop_scope="session")]

PART = "document.querySelector('headwater-player').shadowRoot.querySelector('[data-testid={}]')"
M3U8 = "application/vnd.apple.mpegurl"
WORDS = {"en": "Good <b>morning</b>\nfrom the river", "de": "Guten Morgen\nvom Fluss"}


async def film(folder: Path) -> dict[str, tuple[str, bytes]]:
    """Twenty seconds of pictures as HLS, with subtitles in two languages all along."""
    command = (
        *("-f", "lavfi", "-i", "testsrc=size=320x180:rate=10:duration=20"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "20"),
        *("-f", "hls", "-hls_time", "4", "-hls_playlist_type", "vod", str(folder / "video.m3u8")),
    )
    process = await asyncio.create_subprocess_exec(find_ffmpeg(), "-loglevel", "error", *command)
    assert await process.wait() == 0
    listed = (folder / "video.m3u8").read_text()
    segments = [line for line in listed.splitlines() if not line.startswith("#")]
    files = {f"/{name}": ("video/mp2t", (folder / name).read_bytes()) for name in segments}
    files["/video.m3u8"] = (M3U8, listed.encode())
    master = "#EXTM3U\n#EXT-X-VERSION:6\n"
    for language, words in WORDS.items():
        master += f'#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="subs",NAME="{language}",LANGUAGE="{language}",'
        master += f'AUTOSELECT=YES,DEFAULT=NO,URI="{language}.m3u8"\n'
        head = "WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:126000,LOCAL:00:00:00.000\n\n"
        files[f"/{language}.vtt"] = ("text/vtt", f"{head}00:00.000 --> 00:20.000\n{words}\n".encode())
        lines = f"#EXTM3U\n#EXT-X-TARGETDURATION:20\n#EXTINF:20,\n{language}.vtt\n#EXT-X-ENDLIST\n"
        files[f"/{language}.m3u8"] = (M3U8, lines.encode())
    master += '#EXT-X-STREAM-INF:BANDWIDTH=500000,CODECS="avc1.42c00c",SUBTITLES="subs"\nvideo.m3u8\n'
    files["/master.m3u8"] = (M3U8, master.encode())
    return files


def channel_of(site: str) -> tuple[str, bytes]:
    """What a node would say of the film, were it live."""
    links = {"hls": f"{site}/master.m3u8", "whep": f"{site}/none", "thumbnail": f"{site}/none"}
    facts = {"channelId": "film", "title": "Film", "state": "live", "over": False, "viewers": 1}
    body = {**facts, "rewind_seconds": 0, "now": "2026-01-01T00:00:00Z", "links": links}
    return "application/json", json.dumps(body).encode()


async def expect_words(page: Page, words: str) -> None:
    """These words are shown, or nothing where there are none."""
    shown = f"() => {PART.format('captions')}?.innerText.replaceAll('\\n', ' ') ?? ''"
    await page.until(f"(words) => ({shown})() === words", words, what=f"the words {words!r}")


async def test_subtitles_are_offered_and_shown(
    server: Server, alice_browser: Browser, firefox: Browser, tmp_path: Path
) -> None:
    """Off at first; by the button or C they are shown above the controls, in the language that is chosen."""
    files = await film(tmp_path)
    async with serve_site(files) as site:
        files["/channels/film"] = channel_of(site)
        player = f'<headwater-player server="{site}" channel="film" by="hls" autoplay muted controls>'
        module = f'<script type="module" src="{server.url}/player.js"></script>'
        files["/"] = ("text/html", f"<!doctype html>{module}{player}</headwater-player>".encode())
        for browser in (alice_browser, firefox):
            page = await browser.open(f"{site}/", name="captions")
            await page.until(
                f"() => {PART.format('player-captions')} !== null", what="the switch", timeout=80
            )
            await expect_words(page, "")
            await page.click("headwater-player >>> [data-testid=player-captions]")
            await expect_words(page, "Good morning from the river")
            overlap = (
                f"() => {PART.format('captions')}.getBoundingClientRect().bottom"
                f" - {PART.format('player-timeline')}?.getBoundingClientRect().top"
            )
            assert not (await page.run(overlap) or 0) > 0
            await page.run(
                f"() => {{ const list = {PART.format('player-language')}; list.value = '1';"
                " list.dispatchEvent(new Event('change', { bubbles: true })); }"
            )
            await expect_words(page, "Guten Morgen vom Fluss")
            if browser is alice_browser:
                await page.run(f"() => {PART.format('player')}.focus()")
                await page.press("c")
            else:
                await page.click("headwater-player >>> [data-testid=player-captions]")
            await expect_words(page, "")
            pressed = await page.run(f"() => {PART.format('player-captions')}.ariaPressed")
            assert pressed == "false"
            await page.close()
