"""Several media threads: rooms spread over them, one room spreads over two, and every call works."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.e2e.client_page import join, video_of
from tests.e2e.expect import expect_marker, expect_tone
from tests.support.browser import Browser
from tests.support.server import Server

pytestmark = [pytest.mark.timeout(400), pytest.mark.asyncio(loop_scope="session")]

_ROOMS = 4


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def wide_server(network: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    """A node with four media threads."""
    async with Server.start(tmp_path_factory.mktemp("threads"), threads=4) as server:
        yield server


async def test_rooms_on_four_threads(
    network: str, wide_server: Server, alice_browser: Browser, firefox: Browser
) -> None:
    """Four rooms, more than one thread's worth, each with both engines: everybody sees and hears."""
    await asyncio.gather(
        *(_call(wide_server, alice_browser, firefox, room) for room in range(_ROOMS)),
    )


async def test_one_room_on_two_threads(
    network: str, tmp_path: Path, alice_browser: Browser, firefox: Browser
) -> None:
    """Members alternate between two media threads: both engines see and hear each other."""
    async with Server.start(tmp_path, threads=2, settings={"HEADWATER_SPREAD": "0"}) as server:
        await _call(server, alice_browser, firefox, 0)
        async with server.client() as client:
            metrics = (await client.get("/metrics")).text
        relayed = re.search(r"^headwater_media_relayed_in(?:_total)? (\d+)", metrics, re.MULTILINE)
        assert relayed is not None, metrics
        assert int(relayed[1]) > 100, "media crossed between the threads"


async def _call(server: Server, left: Browser, right: Browser, room: int) -> None:
    meeting = await server.new_meeting()
    sent = {"ada": (0x10 + room, 500.0 + 100 * room), "fox": (0xE0 + room, 1_500.0 + 100 * room)}
    small = {"width": 160, "height": 96}
    pages = await asyncio.gather(
        *(
            join(browser, server, meeting, name=name, number=sent[name][0], tone=sent[name][1], **small)
            for name, browser in (("ada", left), ("fox", right))
        )
    )
    for page, other in zip(pages, ("fox", "ada"), strict=True):
        await expect_marker(page, video_of(other), sent[other][0])
        await expect_tone(page, f"() => call.audio({other!r})", sent[other][1])
