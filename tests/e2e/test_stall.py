"""Nothing comes any more: the client notices by the server's heartbeat and finds a way back.

A browser alone says "disconnected" after 7.6 s. Datagrams are lost in both directions while signalling
goes on, as behind a firewall that changed its mind.
"""

from __future__ import annotations

import asyncio

import pytest

from tests.e2e.client_page import join, video_of
from tests.e2e.expect import expect_marker
from tests.support.browser import Browser, Page
from tests.support.network import silent_udp
from tests.support.server import Server

pytestmark = [pytest.mark.timeout(180), pytest.mark.asyncio(loop_scope="session")]

_NUMBER = 0x33


async def test_a_silence_restarts_ice_and_the_picture_comes_back(
    server: Server, alice_browser: Browser, bob_browser: Browser
) -> None:
    """Both paths get new credentials while nothing comes, and the call goes on in the same place."""
    meeting = await server.new_meeting()
    _, viewer = await asyncio.gather(
        join(alice_browser, server, meeting, name="ada", number=_NUMBER),
        join(bob_browser, server, meeting, name="bob", number=0x44, width=320, height=180),
    )
    await expect_marker(viewer, video_of("ada"), _NUMBER)
    await _listen(viewer)
    place = await viewer.run("() => room.participantId")
    with silent_udp(server.port):
        await _expect_stall(viewer, "restart")
    await _expect_stall(viewer, "flowing")
    await expect_marker(viewer, video_of("ada"), _NUMBER)
    assert await viewer.run("() => room.participantId") == place
    assert await viewer.run("() => room.state") == "connected"


async def test_no_alarm_in_an_idle_call(server: Server, alice_browser: Browser) -> None:
    """Alone and muted, with nothing but the heartbeat on the line, ten seconds pass without an alarm."""
    meeting = await server.new_meeting()
    page = await join(alice_browser, server, meeting, name="ada")
    await _listen(page)
    await page.run("() => new Promise((done) => setTimeout(done, 10_000))")
    assert await page.run("() => kit.state.stalls") == []


async def _listen(page: Page) -> None:
    """Note levels from now on, once the first beat has come."""
    await page.until(
        "async () => (await kit.rows('data-channel', { label: 'headwater-heartbeat' }))"
        ".some((row) => row.messagesReceived > 0)",
        what="the server's heartbeat",
    )
    await page.run(
        "() => { kit.state.stalls = []; room.on('stall', (level) => kit.state.stalls.push(level)); }"
    )


async def _expect_stall(page: Page, level: str) -> None:
    await page.until(
        "(level) => { const { stalls } = kit.state;"
        " if (!stalls.includes(level)) throw new Error(stalls.join(' ')); return true; }",
        level,
        what=f"a silence to become {level!r}",
    )
