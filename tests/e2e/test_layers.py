"""Layers between real browsers: what is sent, what is asked for, and what comes.

Sizes are read where a person would see them: from the decoder of the receiver. Chromium sends the layers;
Firefox too, as long as its encoder has the time.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.client_page import join
from tests.support.browser import Browser, Page
from tests.support.server import Server

pytestmark = [pytest.mark.timeout(180), pytest.mark.asyncio(loop_scope="session")]

_NUMBER = 0x55


async def test_chromium_sends_three_sizes(server: Server, alice_browser: Browser) -> None:
    """A camera of 720 lines leaves as 180, 360 and 720 lines at once."""
    meeting = await server.new_meeting()
    page = await join(alice_browser, server, meeting, name="ada", number=_NUMBER, width=1280, height=720)
    rows = await expect_sent(page, {"low": 180, "mid": 360, "high": 720})
    assert all(row["mimeType"] == "video/VP8" for row in rows)


async def expect_sent(page: Page, heights: dict[str, int], *, timeout: float = 30.0) -> list[dict[str, Any]]:
    """These encodings, and no others, grow in frames, each with so many lines."""
    rows: list[dict[str, Any]] = await page.until(
        """async (wanted) => {
            const look = async () => (await kit.rows("outbound-rtp", { kind: "video" }))
                .filter((row) => row.active !== false);
            const before = new Map((await look()).map((row) => [row.rid ?? "", row.framesEncoded]));
            await new Promise((resolve) => setTimeout(resolve, 700));
            const live = (await look()).filter((row) => row.framesEncoded > (before.get(row.rid ?? "") ?? 0));
            const seen = Object.fromEntries(live.map((row) => [row.rid ?? "", row.frameHeight]));
            const same = Object.keys(seen).length === Object.keys(wanted).length
                && Object.entries(wanted).every(([rid, height]) => seen[rid] === height);
            if (!same) throw new Error(JSON.stringify(seen));
            return live;
        }""",
        heights,
        what=f"encodings {heights}",
        timeout=timeout,
    )
    return rows
