"""Every page a person sees, judged by axe-core (WCAG 2.1 A and AA) at both sizes and in both palettes."""

from __future__ import annotations

import asyncio

import pytest

from tests.e2e.app_page import enter, expect_tile, join, open_check, press
from tests.e2e.axe import judge
from tests.e2e.test_live import VIDEO, open_studio, phase
from tests.support.browser import Browser, Page
from tests.support.server import Server

pytestmark = [pytest.mark.timeout(240), pytest.mark.asyncio(loop_scope="session")]


async def test_a_meeting_shuts_nobody_out(
    server: Server, alice_browser: Browser, bob_browser: Browser
) -> None:
    """From the start page through device check and call, with each panel and menu open, to having left."""
    meeting = await server.new_meeting()
    found: list[str] = []
    start = await alice_browser.open(f"{server.url}/", name="start")
    await press(start, "join-link-submit")
    await start.until("() => document.querySelector('[role=alert]')", what="an error beside its field")
    found += await judge(start, "start page with an error")
    await start.close()

    alice = await open_check(alice_browser, server, meeting, name="alice")
    await alice.until("() => document.querySelector('[data-testid=preview]')?.videoWidth > 0", what="preview")
    await press(alice, "join")
    found += await judge(alice, "device check without a name")
    await enter(alice, "Alice")
    found += await judge(alice, "alone in a call")

    await join(bob_browser, server, meeting, name="Bob")
    await expect_tile(alice, "Bob", "tile.querySelector('video')?.videoWidth > 0", what="a picture")
    found += await judge(alice, "call of two")
    for panel, content in (("people", "li"), ("devices", "label"), ("stats", "dd")):
        await _enter(alice, panel)
        await alice.until(
            f"() => document.querySelector('[data-testid=panel-{panel}] {content}')", what=panel
        )
        found += await judge(alice, f"panel {panel}")
        await _escape(alice, panel)
    await _enter(alice, "tile-menu-open")
    await alice.until("() => document.activeElement.dataset.testid === 'choose-auto'", what="what is chosen")
    found += await judge(alice, "menu of a tile")
    await _escape(alice, "tile-menu-open")
    assert await alice.run("() => document.querySelector('[role=menu]')") is None
    found += await _walk(alice)
    await press(alice, "tile-menu-open")
    await press(alice, "why")
    await alice.until("() => document.querySelector('[data-testid=why-verdict]')", what="an answer")
    found += await judge(alice, "why this picture")
    await press(alice, "leave")
    await alice.until("() => document.querySelector('[data-testid=left-page]')", what="left")
    found += await judge(alice, "having left")
    assert not found, "\n".join(found)


async def test_a_live_show_shuts_nobody_out(
    server: Server, alice_browser: Browser, bob_browser: Browser
) -> None:
    """Studio before and during a show, watch page and embedded player before, during and after it."""
    found: list[str] = []
    fresh = await alice_browser.open(f"{server.url}/studio", name="new channel")
    await fresh.fill("[data-testid=channel-slug]", "Friday Show")
    await press(fresh, "make-channel")
    told = await fresh.until(
        "() => document.querySelector('[role=alert]')?.innerText", what="the rule of names"
    )
    assert "small letters" in told
    found += await judge(fresh, "new channel with an error")
    await fresh.close()
    studio = await open_studio(alice_browser, server, title="Morning news")
    await studio.run("() => document.querySelectorAll('details').forEach((each) => (each.open = true))")
    link: str = await studio.run("() => document.querySelector('.link a').href")
    viewer = await bob_browser.open(link, name="viewer")
    await phase(viewer, "watch-page", "soon")
    found += await _judge_both((studio, "studio, ready"), (viewer, "watch page, soon"))

    await press(studio, "go-live")
    await phase(studio, "studio-page", "live")
    await press(studio, "studio-both")
    await phase(viewer, "watch-page", "playing")
    framed = await bob_browser.open(link.replace("/watch/", "/embed/"), name="embedded")
    await _shows(framed, "ready")
    found += await _judge_both((studio, "studio, live"), (framed, "embedded player, ready"))
    await framed.click("headwater-player >>> [data-testid=player-begin]")
    await _shows(framed, "playing")
    await viewer.until(f"() => ({VIDEO})().videoWidth > 0", what="a picture")
    found += await _judge_both((viewer, "watch page, playing"), (framed, "embedded player, playing"))

    async with server.client() as client:
        assert (await client.delete(f"/channels/{link.rpartition('/')[2]}")).status_code == 204
    await phase(viewer, "watch-page", "ended")
    await _shows(framed, "ended")
    found += await _judge_both((viewer, "watch page, ended"), (framed, "embedded player, ended"))
    await studio.until("() => document.querySelector('[data-testid=studio-another]')", what="a way on")
    found += await judge(studio, "studio, ended")
    assert not found, "\n".join(found)


async def _enter(page: Page, testid: str) -> None:
    """Press Enter on a button."""
    await page.run("(id) => document.querySelector(`[data-testid=${id}]`).focus()", testid)
    await page.press("Enter")


async def _escape(page: Page, testid: str) -> None:
    """Press Escape: whatever was opened is gone, and the focus is back on what opened it."""
    await page.press("Escape")
    await page.until(
        "(id) => document.activeElement.dataset.testid === id && !document.querySelector('aside')",
        testid,
        what=f"the focus on {testid}",
    )


async def _walk(page: Page) -> list[str]:
    """Tab on from a tile to the end of a call: who has the focus without showing it, or out of turn."""
    passed = [await page.run(_FOCUSED)]
    while passed[-1]["id"] != "leave" and len(passed) < 20:
        await page.press("Tab")
        passed.append(await page.run(_FOCUSED))
    order = ["tile-menu-open", "mute", "camera", "share", "people", "copy-link", "devices", "stats", "leave"]
    found = [f"{each['id']} does not show the focus" for each in passed if not each["seen"]]
    if [each["id"] for each in passed] != order:
        found.append(f"the focus goes {passed}")
    return found


async def _shows(page: Page, phase: str) -> None:
    await page.until(
        "(wanted) => document.querySelector('headwater-player')?.state?.phase === wanted",
        phase,
        what=f"the player {phase}",
    )


async def _judge_both(*pages: tuple[Page, str]) -> list[str]:
    """Of different browsers, at the same time."""
    return [each for found in await asyncio.gather(*(judge(*page) for page in pages)) for each in found]


_FOCUSED = """() => {
    const { outlineStyle, outlineWidth, opacity } = getComputedStyle(document.activeElement);
    const seen = outlineStyle !== "none" && parseFloat(outlineWidth) >= 2 && Number(opacity) > 0;
    return { id: document.activeElement.dataset.testid, seen };
}"""
