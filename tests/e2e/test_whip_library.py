"""An independent WHIP and WHEP library from npm, in browsers: trickled candidates and goodbyes.

Its own ICE restart (1.2.0) writes commas between the candidates of an answer that has several, so no browser
takes the result; restarts are shown by other clients.
"""

from __future__ import annotations

import functools
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.expect import expect_marker, expect_tone
from tests.support.browser import ROOT, Browser, Page
from tests.support.server import Server

pytestmark = [pytest.mark.timeout(400), pytest.mark.asyncio(loop_scope="session")]

_NUMBER, _TONE = 0x6C, 740.0
_DRIVER = ROOT / "tests/e2e/driver"


async def test_a_show_by_the_stock_library(
    server: Server, alice_browser: Browser, bob_browser: Browser
) -> None:
    """One page goes live by WHIP, another watches by WHEP, and the show ends with DELETE."""
    async with server.client() as http:
        channel = (await http.post("/channels")).json()["channelId"]
        sender = await open_page(alice_browser, server, name="sender")
        media = {"tone": _TONE, "width": 320, "height": 180}
        await sender.run(
            "(url, number, media) => stock.send(url, number, media)",
            f"{server.url}/whip/{channel}",
            _NUMBER,
            media,
        )
        viewer = await open_page(bob_browser, server, name="viewer")
        await viewer.run("(url) => stock.watch(url)", f"{server.url}/whep/{channel}")
        await expect_show(viewer)
        await sender.run("() => stock.stop()")
        assert (await http.get(f"/channels/{channel}")).json()["state"] == "ended"


async def expect_show(page: Page) -> None:
    """Picture and sound are those of the sender, and alive."""
    await expect_marker(page, "() => stock.state.video && kit.probe(stock.state.video)", _NUMBER)
    await expect_tone(page, "() => stock.state.audio", _TONE)


async def open_page(browser: Browser, server: Server, *, name: str) -> Page:
    """Open a page that has done nothing yet."""
    script = {"type": "text/javascript", "body": _bundle()}
    page = await browser.open(f"{server.url}/", name=name, routes={"/__e2e/whip-page.js": script})
    await page.run("() => document.body.replaceChildren()")
    await page.run("async () => { await import('/__e2e/whip-page.js'); }")
    return page


@functools.cache
def _bundle() -> str:
    node = Path(sys.prefix, "bin/node")
    libraries = ("whip-whep/whip.js", "whip-whep/whep.js")
    arguments = (str(ROOT / "web/package.json"), str(_DRIVER / "whip-page.js"), *libraries)
    run = subprocess.run([node, _DRIVER / "bundle.mjs", *arguments], capture_output=True, check=False)
    assert run.returncode == 0, run.stderr.decode()
    return run.stdout.decode()
