"""Another camera and another microphone during the call: what others receive is still the same track.

Chromium plays three cameras and three microphones. A change takes the place of the track at the
sender (`RTCRtpSender.replaceTrack`); a new publication would show as another SSRC on both sides.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.e2e.app_page import expect_voice, join, press, tile_video
from tests.e2e.expect import expect_rows
from tests.support.browser import Browser, Driver, Page
from tests.support.server import Server

pytestmark = [pytest.mark.timeout(400), pytest.mark.asyncio(loop_scope="session")]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def rich_browser(driver: Driver) -> AsyncIterator[Browser]:
    """Chromium with several devices of each kind; the second camera sees depth, which nobody encodes."""
    browser = await driver.launch_chromium(
        "--use-fake-device-for-media-stream=device-count=3", "--use-fake-ui-for-media-stream"
    )
    yield browser
    await browser.close()


async def test_devices_change_during_the_call(
    server: Server, rich_browser: Browser, alice_browser: Browser
) -> None:
    """The chosen device is the one that is sent, and the other's tile goes on playing the same track."""
    meeting = await server.new_meeting()
    rich, bob = await asyncio.gather(
        join(rich_browser, server, meeting, name="Rich"), join(alice_browser, server, meeting, name="Bob")
    )
    await expect_voice(bob, "Rich")
    await _expect_moving(bob)
    sent, received = await _sent(rich), await _received(bob)
    await press(rich, "devices")
    for kind, field in (("video", "camera-select"), ("audio", "microphone-select")):
        await _choose_another(rich, field)
        await rich.until(
            f"(kind, before) => {{ const now = ({_DEVICES})()[kind]; return now && now !== before; }}",
            kind,
            (await rich.run("() => kit.state.before"))[kind],
            what=f"another device sends the {kind}",
        )
    await _expect_moving(bob)
    await expect_voice(bob, "Rich")
    assert await _sent(rich) == sent, "published anew"
    assert await _received(bob) == received, "subscribed anew"


async def _choose_another(page: Page, field: str) -> None:
    """Choose the last device of a list that is not the one in use."""
    await page.run(f"() => {{ kit.state.before = ({_DEVICES})(); }}")
    await page.run(
        """(field) => {
            const select = document.querySelector(`[data-testid=panel-devices] [data-testid=${field}]`);
            const others = [...select.options].filter(({ value }) => value && value !== select.value);
            select.value = others.at(-1).value;
            select.dispatchEvent(new Event("change", { bubbles: true }));
        }""",
        field,
    )


async def _expect_moving(page: Page) -> None:
    """Rich's tile shows ten frames more than it does now."""
    frames = f"({tile_video('Rich')})().getVideoPlaybackQuality().totalVideoFrames"
    await page.until(
        f"(first) => {frames} > first + 10", await page.run(f"() => {frames}"), what="Rich's picture moves"
    )


async def _sent(page: Page) -> dict[str, Any]:
    rows = await expect_rows(page, "outbound-rtp", "row.bytesSent > 0", what="what is sent")
    return {row["kind"]: row["ssrc"] for row in rows}


async def _received(page: Page) -> dict[str, Any]:
    rows = await expect_rows(page, "inbound-rtp", "row.bytesReceived > 0", what="what arrives")
    return {row["kind"]: (row["ssrc"], row["trackIdentifier"]) for row in rows}


_DEVICES = (
    "() => Object.fromEntries(kit.pcs.flatMap((pc) => pc.getSenders()).filter((each) => each.track)"
    ".map(({ track }) => [track.kind, track.getSettings().deviceId]))"
)
