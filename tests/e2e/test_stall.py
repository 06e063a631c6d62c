"""Nothing comes any more: the client notices by the server's heartbeat and finds a way back.

A browser alone says "disconnected" after 7.6 s. Datagrams are lost in both directions while signalling
goes on, as behind a firewall that changed its mind. `HEADWATER_NETWORK=full` waits five minutes for a false
alarm instead of ten seconds.
"""

from __future__ import annotations

import asyncio
import os

import pytest

from tests.e2e.client_page import join, video_of
from tests.e2e.expect import expect_marker
from tests.support.browser import Browser, Page
from tests.support.network import silent_udp
from tests.support.server import Server

pytestmark = [pytest.mark.timeout(180), pytest.mark.asyncio(loop_scope="session")]

_NUMBER = 0x33
_IDLE_SECONDS = 300 if os.environ.get("HEADWATER_NETWORK") == "full" else 10


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


@pytest.mark.timeout(_IDLE_SECONDS + 120)
async def test_no_alarm_in_an_idle_call(server: Server, alice_browser: Browser, bob_browser: Browser) -> None:
    """Two people who are muted, with nothing but the heartbeat on the line: no alarm."""
    meeting = await server.new_meeting()
    pages = await asyncio.gather(
        join(alice_browser, server, meeting, name="ada", number=_NUMBER, tone=440),
        join(bob_browser, server, meeting, name="bob", number=0x44, tone=880),
    )
    for page in pages:
        await _listen(page)
        await page.run(
            "() => Promise.all(['camera', 'microphone'].map((each) => call.publisher(each).mute()))"
        )
    await asyncio.sleep(_IDLE_SECONDS)  # what is shown is that nothing happens
    for page in pages:
        assert await page.run("() => kit.state.stalls") == []
        assert await page.run("() => room.state") == "connected"


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
