"""A lost signalling connection and a lost server: the call comes back by itself."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.e2e.app_page import expect_person, join, tile_video
from tests.e2e.conftest import MARKERS
from tests.e2e.expect import expect_marker
from tests.support.browser import Browser, Page
from tests.support.server import Server

pytestmark = [pytest.mark.timeout(400), pytest.mark.asyncio(loop_scope="session")]


async def test_media_outlives_a_lost_socket(
    server: Server, alice_browser: Browser, bob_browser: Browser
) -> None:
    """The socket comes back, the two connections for media are the same ones, nobody has left."""
    meeting = await server.new_meeting()
    alice, bob = await asyncio.gather(
        join(alice_browser, server, meeting, name="Alice"), join(bob_browser, server, meeting, name="Bob")
    )
    await expect_person(alice, "Bob", MARKERS["bob"])
    await expect_person(bob, "Alice", MARKERS["alice"])
    await alice.run("() => { kit.state.connections = kit.pcs.length; kit.sockets.at(-1).close(4000); }")
    await _reconnected(alice, sockets=2)
    assert await alice.run("() => kit.pcs.length === kit.state.connections"), "it started media anew"
    await expect_marker(alice, tile_video("Bob"), MARKERS["bob"])
    await expect_marker(bob, tile_video("Alice"), MARKERS["alice"])
    assert await bob.run("() => document.querySelectorAll('[data-testid=tile]').length") == 2


async def test_call_survives_the_server(
    network: str, tmp_path: Path, alice_browser: Browser, bob_browser: Browser
) -> None:
    """A node that is killed and started again has everybody back in the room, without a click."""
    async with Server.start(tmp_path) as first:
        meeting = await first.new_meeting()
        alice, bob = await asyncio.gather(
            join(alice_browser, first, meeting, name="Alice"), join(bob_browser, first, meeting, name="Bob")
        )
        await expect_person(alice, "Bob", MARKERS["bob"])
        await first.kill()
        async with Server.start(tmp_path, port=first.port):
            await asyncio.gather(_reconnected(alice, sockets=2), _reconnected(bob, sockets=2))
            await asyncio.gather(
                expect_person(alice, "Bob", MARKERS["bob"]), expect_person(bob, "Alice", MARKERS["alice"])
            )
            await alice.close()
            await bob.close()


async def _reconnected(page: Page, *, sockets: int) -> None:
    await page.until(
        "(count) => kit.sockets.length >= count && kit.sockets.at(-1).readyState === 1"
        " && document.querySelector('[data-testid=call-page]')?.dataset.state === 'connected'",
        sockets,
        what="connected again",
        timeout=60,
    )
