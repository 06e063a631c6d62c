"""Going back in a live show: a clock in the picture tells what is seen, and what the player says of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.app_page import press
from tests.e2e.test_live import open_studio, phase
from tests.support.browser import Browser, Page
from tests.support.server import Server

pytestmark = [pytest.mark.timeout(400), pytest.mark.asyncio(loop_scope="session")]

CLOCK = """() => {
    const canvas = Object.assign(document.createElement("canvas"), { width: 640, height: 360 });
    const context = canvas.getContext("2d");
    window.began = Date.now();
    const seconds = () => Math.floor((Date.now() - began) / 1000) & 255;
    let step = 0;
    setInterval(() => kit.drawMarker(context, seconds(), (step += 1) % 16), 66);
    navigator.mediaDevices.getDisplayMedia = async () => canvas.captureStream(15);
    return began;
}"""
"""Shares, instead of a screen, a marker whose number is the seconds since it began."""

LAG = """(began, least, most) => {
    const seen = kit.readMarker(document.querySelector("[data-testid=watch-video]"));
    if (!seen) throw new Error("no clock is seen");
    const lag = (Date.now() - began) / 1000 - seen.number;
    const said = document.querySelector("[data-testid=player-behind]")?.textContent;
    const wrong = lag < least || lag > most;
    if (wrong) throw new Error(`the clock is ${lag.toFixed(1)} s behind, and ${said} it says`);
    return lag;
}"""
"""How old the picture is, once that is between the bounds; the clock counts whole seconds."""


PAST = (8, 20)
"""Seconds that a picture of ten seconds ago may be old: it stands still until its segments are there."""


async def drag(page: Page, seconds: int) -> None:
    """Move the timeline's thumb so far back, as a hand or an arrow key does."""
    await page.run(
        "(seconds) => { const line = document.querySelector('[data-testid=player-timeline]');"
        " line.value = -seconds; for (const name of ['input', 'change'])"
        " line.dispatchEvent(new Event(name, { bubbles: true })); }",
        seconds,
    )


async def expect_way(page: Page, way: str, *, rewound: bool) -> None:
    """The player plays by this way, in the past or not."""
    await page.until(
        "(way, rewound) => { const { dataset } = document.querySelector('[data-testid=player]');"
        " return dataset.way === way && dataset.rewound === rewound; }",
        way,
        "true" if rewound else "false",
        what=f"{way}, rewound {rewound}",
    )


async def show_clock(browser: Browser, server: Server) -> tuple[str, int]:
    """Go live with the clock; returns the viewers' link, and when the clock began (ms since 1970)."""
    studio = await open_studio(browser, server, title="The clock")
    began: int = await studio.run(CLOCK)
    await press(studio, "studio-screen")
    await press(studio, "go-live")
    await phase(studio, "studio-page", "live")
    return await studio.run("() => document.querySelector('.link a').href"), began


async def test_a_viewer_goes_back_and_returns(
    tmp_path: Path, alice_browser: Browser, bob_browser: Browser, firefox: Browser
) -> None:
    """By the timeline, the button and keys; the distance that is said is the one that is seen."""
    settings = {"HEADWATER_HLS__DVR_SECONDS": "60", "HEADWATER_HLS__SEGMENT_SECONDS": "1"}
    async with Server.start(tmp_path, settings=settings) as server:
        link, began = await show_clock(alice_browser, server)
        # Firefox takes H264 by HLS alone: its decoder for WebRTC is downloaded, and not here.
        for browser, way, late in ((bob_browser, "webrtc", 3), (firefox, "hls", 6)):
            viewer = await browser.open(link, name="viewer")
            await viewer.until(LAG, began, 0, late, what="the clock, live", timeout=80)
            await viewer.until(
                "() => document.querySelector('[data-testid=player-timeline]')?.min <= -12",
                what="12 s that can be seen again",
                timeout=60,
            )
            await expect_way(viewer, way, rewound=False)

            await drag(viewer, 10)
            await expect_way(viewer, "hls", rewound=True)
            await viewer.until(LAG, began, *PAST, what="the clock of 10 s ago", timeout=80)
            await viewer.until(
                f"(began, least, most) => {{ const lag = ({LAG})(began, least, most);"
                " const said = parseInt(document.querySelector('[data-testid=player-behind]').textContent);"
                " if (Math.abs(lag - 0.5 - said) > 2) throw new Error(`${lag} is said to be ${said}`);"
                " return said; }",
                began,
                *PAST,
                what="how far behind, as it is seen",
            )

            await press(viewer, "player-live")
            await expect_way(viewer, way, rewound=False)
            await viewer.until(LAG, began, 0, late, what="the clock, live by the button", timeout=80)
            if browser is bob_browser:
                await by_keys(viewer, began)
            await viewer.close()


async def by_keys(viewer: Page, began: int) -> None:
    """Arrows go back and forth by ten seconds, and forth to what is live."""
    await viewer.run("() => document.activeElement?.blur()")
    await viewer.press("ArrowLeft")
    await expect_way(viewer, "hls", rewound=True)
    await viewer.until(LAG, began, *PAST, what="the clock of 10 s ago, by key", timeout=80)
    await viewer.press("ArrowRight")
    await viewer.press("ArrowRight")
    await expect_way(viewer, "webrtc", rewound=False)
    await viewer.until(LAG, began, 0, 3, what="the clock, live again", timeout=80)


async def test_low_latency_is_near_and_says_so(
    tmp_path: Path, alice_browser: Browser, bob_browser: Browser
) -> None:
    """With parts the HLS picture is some two seconds old, and the player's figure is right to a second."""
    settings = {"HEADWATER_HLS__LOW_LATENCY": "true"}
    async with Server.start(tmp_path, settings=settings) as server:
        link, began = await show_clock(alice_browser, server)
        viewer = await bob_browser.open(f"{link}?by=hls", name="viewer")
        await expect_way(viewer, "hls", rewound=False)
        await viewer.until(
            f"(began) => {{ const lag = ({LAG})(began, 0.5, 5);"
            " const said = document.querySelector('[data-testid=player-behind]').textContent;"
            " const behind = said.startsWith('<') ? 0.5 : parseInt(said);"
            " if (Math.abs(lag - 0.5 - behind) > 1.2) throw new Error(`${lag} is said to be ${said}`);"
            " return true; }",
            began,
            what="a picture of just now, and the right figure",
            timeout=60,
        )
