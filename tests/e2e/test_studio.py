"""The studio: what viewers get when a broadcaster changes the picture in the middle of a show."""

from __future__ import annotations

import pytest

from tests.e2e.app_page import press
from tests.e2e.conftest import MARKERS
from tests.e2e.expect import expect_marker, expect_tone
from tests.e2e.test_live import VIDEO, open_studio, phase
from tests.support.browser import Browser, Page
from tests.support.server import Server

pytestmark = [pytest.mark.timeout(400), pytest.mark.asyncio(loop_scope="session")]

SCREEN, TONE = 0x5B, 660.0
SHARE = """(number, tone) => {
    const make = (width, height) => Object.assign(document.createElement("canvas"), { width, height });
    const [screen, marker] = [make(1280, 720), make(640, 360)];
    const [wide, small] = [screen.getContext("2d"), marker.getContext("2d")];
    let step = 0;
    setInterval(() => {
        kit.drawMarker(small, number, (step += 1) % 16);
        wide.drawImage(marker, 0, 0);
    }, 66);
    navigator.mediaDevices.getDisplayMedia = async () => {
        const stream = screen.captureStream(15);
        stream.addTrack(kit.markerStream(number, { tone, loudness: 0.8 }).getAudioTracks()[0]);
        return stream;
    };
}"""
"""Shares a screen that has a marker in its upper left quarter, and hums."""

QUARTER = (0.0, 0.0, 0.5, 0.5)
BELOW_RIGHT = (0.74, 0.724, 0.24, 0.24)
BELOW_LEFT = (0.02, 0.724, 0.24, 0.24)


async def expect_in(page: Page, region: tuple[float, ...], number: int | None, *, what: str) -> None:
    """A region of the viewer's picture shows this marker, or none."""
    await page.until(
        f"(region, number) => {{ const video = ({VIDEO})();"
        " if (!kit.readMarker(video, [0, 0, .5, .5])) return false;"
        " return (kit.readMarker(video, region)?.number ?? null) === number; }",
        list(region),
        number,
        what=what,
        timeout=80,
    )


async def test_camera_and_screen_in_one_picture(
    server: Server, alice_browser: Browser, bob_browser: Browser
) -> None:
    """Viewers see the camera in a corner of the screen and hear both; all changes pass within one session."""
    studio = await open_studio(alice_browser, server, title="How it works")
    await studio.run(SHARE, SCREEN, TONE)
    await press(studio, "go-live")
    await phase(studio, "studio-page", "live")
    viewer = await bob_browser.open(
        await studio.run("() => document.querySelector('.link a').href"), name="viewer"
    )
    await expect_marker(viewer, VIDEO, MARKERS["alice"], timeout=80)

    await press(studio, "studio-both")
    await expect_in(viewer, QUARTER, SCREEN, what="the screen")
    await expect_in(viewer, BELOW_RIGHT, MARKERS["alice"], what="the camera, below on the right")
    await expect_tone(viewer, f"() => ({VIDEO})().srcObject.getAudioTracks()[0]", TONE)

    await press(studio, "corner-bottom-left")
    await expect_in(viewer, BELOW_LEFT, MARKERS["alice"], what="the camera, below on the left")
    await press(studio, "studio-screen-sound")
    await viewer.until(
        "async (hum) => { const [track] = document.querySelector('[data-testid=watch-video]')"
        ".srcObject.getAudioTracks(); const heard = await kit.listen(track, 1000);"
        " return heard.level > 0.01 && Math.abs(heard.frequency - hum) > hum * 0.05; }",
        TONE,
        what="the microphone alone",
    )

    await press(studio, "studio-screen")
    await expect_in(viewer, BELOW_LEFT, None, what="no camera")
    await press(studio, "studio-camera")
    await expect_marker(viewer, VIDEO, MARKERS["alice"])
    for page in (studio, viewer):
        assert await page.run("() => kit.pcs.length") == 1, "one session carried all of it"
