"""What goes wrong is told in plain words, in its place, with a way on."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.e2e.app_page import enter, expect_person, join, open_check, press
from tests.e2e.conftest import MARKERS
from tests.support.browser import Browser, Driver, Page
from tests.support.ports import free_port
from tests.support.proxy import tcp_proxy
from tests.support.server import Server

pytestmark = [pytest.mark.timeout(400), pytest.mark.asyncio(loop_scope="session")]

_JARGON = re.compile(r"error|exception|undefined|null|NotAllowed|DOM|WebSocket|SDP|\bICE\b|\d{3}", re.I)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def asking_browser(driver: Driver) -> AsyncIterator[Browser]:
    """Chromium with devices, which asks before it opens them."""
    browser = await driver.launch_chromium("--use-fake-device-for-media-stream")
    yield browser
    await browser.close()


async def test_denied_devices_are_explained(
    server: Server, asking_browser: Browser, alice_browser: Browser
) -> None:
    """Who refuses camera and microphone is told so, and may still come to watch and listen."""
    meeting = await server.new_meeting()
    alice = await join(alice_browser, server, meeting, name="Alice")
    page = await asking_browser.open(
        f"{server.url}/m/{meeting}", name="denied", denied=["camera", "microphone"]
    )
    assert await _notices(page) == ["devices_denied"]
    await enter(page, "Dora")
    await expect_person(page, "Alice", MARKERS["alice"])
    await alice.until(
        "() => [...document.querySelectorAll('[data-testid=tile]')].some((each) => each.ariaLabel === 'Dora'"
        " && !each.querySelector('video') && each.querySelector('[data-testid=tile-muted]'))",
        what="Dora is there, without picture and muted",
    )


async def test_a_studio_without_devices_is_explained(server: Server, asking_browser: Browser) -> None:
    """One explanation for both devices, with the way to try again; the screen can be shown all the same."""
    page = await asking_browser.open(
        f"{server.url}/studio/{await server.new_channel()}", name="studio", denied=["camera", "microphone"]
    )
    assert await _notices(page) == ["devices_denied"]
    await press(page, "retry-devices")
    assert await _notices(page) == ["devices_denied"]
    await page.close()


async def test_missing_devices_are_explained(server: Server, driver: Driver) -> None:
    """A computer without camera and microphone gets words, not an empty picture."""
    browser = await driver.launch_chromium("--use-fake-ui-for-media-stream")
    try:
        page = await browser.open(f"{server.url}/m/{await server.new_meeting()}", name="bare")
        assert await _notices(page) == ["no_devices"]
    finally:
        await browser.close()


async def test_a_page_without_tls_is_explained(
    network: str, tmp_path: Path, alice_browser: Browser, bob_browser: Browser
) -> None:
    """Behind a proxy without TLS there is no camera: words say so, and one can come to watch and listen."""
    port = free_port()
    origin = f"http://{network}:{port}"
    settings = {"HEADWATER_ALLOWED_ORIGINS": json.dumps([origin])}
    async with Server.start(tmp_path, settings=settings, port=port) as server, tcp_proxy(network, port):
        meeting = await server.new_meeting()
        alice = await join(alice_browser, server, meeting, name="Alice")
        page = await bob_browser.open(f"{origin}/m/{meeting}", name="plain")
        assert await _notices(page) == ["page_not_secure"]
        await enter(page, "Petra")
        await expect_person(page, "Alice", MARKERS["alice"])
        await page.close()
        await alice.close()


async def test_full_room_is_explained(
    network: str, tmp_path: Path, alice_browser: Browser, bob_browser: Browser
) -> None:
    """The one too many is told that there is no room, and can try again when somebody has left."""
    async with Server.start(tmp_path, settings={"HEADWATER_LIMITS__PARTICIPANTS": "1"}) as server:
        meeting = await server.new_meeting()
        alice = await join(alice_browser, server, meeting, name="Alice")
        bob = await open_check(bob_browser, server, meeting, name="Bob")
        await bob.fill("[data-testid=name]", "Bob")
        await press(bob, "join")
        assert await _notices(bob) == ["room_full"]
        await press(alice, "leave")
        await alice.until("() => document.querySelector('[data-testid=left-page]') !== null", what="left")
        await enter(bob, "Bob")
        await bob.close()
        await alice.close()


async def _notices(page: Page) -> list[str]:
    """The codes of what the page complains about; checks that it does so in plain words."""
    found = await page.until(
        "() => { const places = '[data-testid=notice], [data-testid=error-page]';"
        " const notices = [...document.querySelectorAll(places)];"
        " return notices.length && notices.map((each) => [each.dataset.code, each.innerText, each.role]); }",
        what="an explanation",
    )
    for _, text, role in found:
        assert not _JARGON.search(text), text
        assert len(text.split()) >= 6, text
        assert role in ("alert", None)
    return [code for code, _, _ in found]
