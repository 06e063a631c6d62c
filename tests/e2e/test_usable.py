"""The call on a telephone's width, by keyboard, and by what assistive technology reads."""

from __future__ import annotations

import asyncio

import pytest

from tests.e2e.app_page import expect_person, expect_tile, join, open_check
from tests.e2e.conftest import MARKERS
from tests.support.browser import Browser
from tests.support.server import Server

pytestmark = [pytest.mark.timeout(400), pytest.mark.asyncio(loop_scope="session")]


async def test_fits_a_telephone(server: Server, alice_browser: Browser, bob_browser: Browser) -> None:
    """At 390 px nothing runs out of the page and every button of the call can be pressed."""
    meeting = await server.new_meeting()
    check = await open_check(bob_browser, server, meeting, name="check", width=390, height=844)
    assert await check.run(_OVERFLOW) <= 0
    await check.close()
    alice, bob = await asyncio.gather(
        join(alice_browser, server, meeting, name="Alice"), join(bob_browser, server, meeting, name="Bob")
    )
    await bob.resize(390, 844)
    await expect_person(bob, "Alice", MARKERS["alice"])
    await expect_tile(bob, "Alice", "tile.getBoundingClientRect().right <= 390", what="is inside")
    assert await bob.run(_OVERFLOW) <= 0
    hidden = await bob.until(_COVERED_BUTTONS, what="a toolbar")
    assert hidden == ["none"]
    await alice.close()


async def test_works_by_keyboard(server: Server, alice_browser: Browser, bob_browser: Browser) -> None:
    """Enter joins, M mutes, L leaves; every control has a name."""
    meeting = await server.new_meeting()
    bob = await join(bob_browser, server, meeting, name="Bob")
    alice = await open_check(alice_browser, server, meeting, name="alice")
    await alice.fill("[data-testid=name]", "Alice")
    await alice.press("Enter")
    await expect_person(bob, "Alice", MARKERS["alice"])
    await alice.run("() => document.activeElement?.blur()")
    await alice.press("m")
    await expect_tile(bob, "Alice", "tile.querySelector('[data-testid=tile-muted]')", what="is marked muted")
    nameless = await alice.run(
        "() => [...document.querySelectorAll('button, input, select, video + *')]"
        ".filter((each) => each.matches('button, input, select'))"
        ".filter((each) => !(each.ariaLabel || each.innerText || each.labels?.length)).length"
    )
    assert nameless == 0
    await alice.press("l")
    await alice.until("() => document.querySelector('[data-testid=left-page]') !== null", what="left")


_OVERFLOW = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
_COVERED_BUTTONS = """() => {
    const buttons = [...document.querySelectorAll("[role=toolbar] button")]
        .filter((button) => button.checkVisibility());
    if (buttons.length < 4) return null;
    const covered = buttons.filter((button) => {
        const box = button.getBoundingClientRect();
        const top = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
        return !button.contains(top) || box.width < 40 || box.height < 40;
    });
    return covered.length ? covered.map((button) => button.dataset.testid) : ["none"];
}"""
