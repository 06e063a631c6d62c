"""The meeting page as a person uses it: fields, buttons and tiles, found by what they are called.

Test ids come from web/app. `TILE` and its relatives are JavaScript functions of a tile's label and
source ("camera" or "screen").
"""

from __future__ import annotations

from tests.e2e.expect import expect_marker
from tests.support.browser import Browser, Page
from tests.support.server import Server

__all__ = [
    "enter",
    "expect_gone",
    "expect_person",
    "expect_silence",
    "expect_tile",
    "expect_voice",
    "join",
    "open_check",
    "press",
    "tile_video",
]

_FIND_TILE = (
    "(name, source) => [...document.querySelectorAll('[data-testid=tile]')]"
    ".find((tile) => tile.ariaLabel === name && tile.dataset.source === source)"
)


async def open_check(
    browser: Browser, server: Server, meeting: str, *, name: str, width: int = 1280, height: int = 720
) -> Page:
    """Open a meeting's link and wait for the device check."""
    page = await browser.open(f"{server.url}/m/{meeting}", name=name, width=width, height=height)
    await page.until("() => document.querySelector('[data-testid=check-page]') !== null", what="device check")
    return page


async def enter(page: Page, name: str) -> None:
    """Type a name, press Join and wait for the call."""
    await page.fill("[data-testid=name]", name)
    await press(page, "join")
    await page.until(
        "() => document.querySelector('[data-testid=call-page]')?.dataset.state === 'connected'",
        what="the call",
    )


async def join(browser: Browser, server: Server, meeting: str, *, name: str) -> Page:
    """Open a meeting's link with camera and microphone on, and join."""
    page = await open_check(browser, server, meeting, name=name)
    await page.until(
        "() => document.querySelector('[data-testid=preview]')?.videoWidth > 0", what="the preview"
    )
    await enter(page, name)
    return page


async def press(page: Page, testid: str) -> None:
    """Press a button."""
    await page.click(f"[data-testid={testid}]")


def tile_video(name: str, source: str = "camera") -> str:
    """JavaScript for the video element in somebody's tile."""
    return f"() => ({_FIND_TILE})({name!r}, {source!r})?.querySelector('video')"


async def expect_tile(page: Page, name: str, condition: str, *, what: str, source: str = "camera") -> None:
    """Somebody has a tile for which `condition` (JavaScript over `tile`) holds."""
    await page.until(
        f"(name, source) => {{ const tile = ({_FIND_TILE})(name, source); return tile && ({condition}); }}",
        name,
        source,
        what=f"tile of {name}: {what}",
    )


async def expect_gone(page: Page, name: str, source: str = "camera") -> None:
    """Somebody has no tile (any more), long before a lost connection would be given up."""
    await page.until(
        f"(name, source) => !({_FIND_TILE})(name, source)",
        name,
        source,
        what=f"no {source} tile of {name}",
        timeout=15,
    )


async def expect_person(page: Page, name: str, number: int) -> None:
    """Somebody's tile shows marker `number`, alive, and their voice is heard."""
    await expect_marker(page, tile_video(name), number)
    await expect_voice(page, name)


async def expect_voice(page: Page, name: str) -> None:
    """There is sound in what plays somebody's microphone."""
    await page.until(
        _LISTEN.format(find=_FIND_TILE, condition="heard.level > 0.01"), name, what=f"the voice of {name}"
    )


async def expect_silence(page: Page, name: str) -> None:
    """What plays somebody's microphone is silent for a second."""
    await page.until(
        _LISTEN.format(find=_FIND_TILE, condition="heard.level < 0.0005"), name, what=f"silence of {name}"
    )


_LISTEN = """async (name) => {{
    const person = ({find})(name, "camera")?.dataset.participant;
    const sound = [...document.querySelectorAll("[data-testid=sound]")]
        .find((each) => each.dataset.participant === person && each.dataset.source === "microphone");
    if (!sound?.srcObject) throw new Error("nothing plays this person");
    const heard = await kit.listen(sound.srcObject.getAudioTracks()[0], 1000);
    if (!({condition})) throw new Error(JSON.stringify(heard));
    return heard;
}}"""
