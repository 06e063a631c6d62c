"""The example of a room, opened as its line in the terminal says: in two tabs of a browser."""

from __future__ import annotations

import asyncio
import sys

import pytest

from tests.e2e.conftest import MARKERS
from tests.e2e.expect import expect_marker
from tests.support.browser import ROOT, Browser
from tests.support.children import end_with_parent

pytestmark = [pytest.mark.timeout(400), pytest.mark.asyncio(loop_scope="session")]


async def test_two_tabs_see_each_other(alice_browser: Browser, bob_browser: Browser) -> None:
    """Each page shows the other's picture, in a Worker without the rest of Headwater."""
    room = await asyncio.create_subprocess_exec(
        *(sys.executable, str(ROOT / "examples/room.py"), "0"),
        stdout=asyncio.subprocess.PIPE,
        preexec_fn=end_with_parent,
    )
    try:
        assert room.stdout is not None
        line = (await asyncio.wait_for(room.stdout.readline(), 20)).decode()
        (link,) = (word for word in line.split() if word.startswith("http://"))
        alice, bob = await asyncio.gather(
            alice_browser.open(link, name="alice"), bob_browser.open(link, name="bob")
        )
        await expect_marker(alice, _OTHER.format(number=MARKERS["bob"]), MARKERS["bob"])
        await expect_marker(bob, _OTHER.format(number=MARKERS["alice"]), MARKERS["alice"])
        for page in (alice, bob):
            await page.close()
    finally:
        room.terminate()
        await asyncio.wait_for(room.wait(), 10)


_OTHER = (
    "() => [...document.querySelectorAll('video')].find((each) => kit.readMarker(each)?.number === {number})"
)
