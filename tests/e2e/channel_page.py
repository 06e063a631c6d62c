"""Pages on the stock mediasoup-client, bundled as an application would: no shim, nothing of ours in them."""

from __future__ import annotations

import functools
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.browser import ROOT, Browser, Page
from tests.support.server import Server

__all__ = ["VIDEO", "broadcast", "expect_live", "open_page", "watch"]

VIDEO = "() => ms.element"
"""JavaScript for the element that shows what a page watches."""
_DRIVER = ROOT / "tests/e2e/driver"


async def open_page(browser: Browser, server: Server, *, name: str) -> Page:
    """Open a page that has done nothing yet."""
    script = {"type": "text/javascript", "body": _bundle()}
    page = await browser.open(f"{server.url}/", name=name, routes={"/__e2e/mediasoup-page.js": script})
    await page.run("() => document.body.replaceChildren()")
    await page.run("async () => { await import('/__e2e/mediasoup-page.js'); }")
    return page


async def broadcast(
    browser: Browser, server: Server, number: int, *, channel: str | None = None, **media: Any
) -> tuple[Page, str]:
    """Go live with a marker and a tone; returns the page and the channel's id."""
    page = await open_page(browser, server, name="broadcaster")
    channel_id = await page.run("(url) => ms.broadcast(url)", address(server, channel))
    await page.run("(number, media) => ms.produce(number, media)", number, media)
    return page, channel_id


async def watch(browser: Browser, server: Server, channel_id: str, *, name: str = "viewer") -> Page:
    """Watch a channel's sound and picture."""
    page = await open_page(browser, server, name=name)
    await page.run("(url) => ms.watch(url)", address(server, channel_id))
    await page.run("() => ms.consume().then((found) => found.length)")
    return page


async def expect_live(page: Page, kind: str, condition: str, *, what: str) -> dict[str, Any]:
    """The inbound-rtp `row` of what a page consumes, once `condition` (JavaScript) holds for it."""
    row: dict[str, Any] = await page.until(
        "async (kind) => { const row = await ms.inbound(kind); if (!row) throw new Error('no such track');"
        f" if (!({condition})) throw new Error(JSON.stringify(row)); return row; }}",
        kind,
        what=what,
        timeout=80,
    )
    return row


def address(server: Server, channel_id: str | None = None) -> str:
    """The WebSocket of a channel, or of a new one."""
    query = "" if channel_id is None else f"?channelId={channel_id}"
    return f"{server.url.replace('http', 'ws', 1)}/channels{query}"


@functools.cache
def _bundle() -> str:
    node = Path(sys.prefix, "bin/node")
    arguments = (str(ROOT / "web/package.json"), str(_DRIVER / "mediasoup-page.js"), "mediasoup-client")
    run = subprocess.run([node, _DRIVER / "bundle.mjs", *arguments], capture_output=True, check=False)
    assert run.returncode == 0, run.stderr.decode()
    return run.stdout.decode()
