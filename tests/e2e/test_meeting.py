"""The meeting page with Chromium: device check, call, mute, camera, screen, leaving.

Each Chromium has a camera that shows its own marker and a microphone in which somebody speaks, so a
tile proves whose picture it is. The three browsers are different processes.
"""

from __future__ import annotations

import asyncio

import pytest

from tests.e2e.app_page import (
    enter,
    expect_gone,
    expect_person,
    expect_silence,
    expect_tile,
    expect_voice,
    join,
    open_check,
    press,
    tile_video,
)
from tests.e2e.conftest import MARKERS
from tests.e2e.expect import expect_marker
from tests.support.browser import Browser
from tests.support.server import Server

pytestmark = [pytest.mark.timeout(400), pytest.mark.asyncio(loop_scope="session")]


async def test_two_people_meet(server: Server, alice_browser: Browser, bob_browser: Browser) -> None:
    """From the start page over the device check into a call in which both see and hear the other."""
    alice = await alice_browser.open(server.url, name="alice")
    await press(alice, "new-meeting")
    await expect_marker(alice, "() => document.querySelector('[data-testid=preview]')", MARKERS["alice"])
    await alice.until(
        "() => Number(document.querySelector('[data-testid=level]').ariaValueNow) > 0",
        what="the level meter moves",
    )
    await enter(alice, "Alice")
    path = await alice.run("() => location.pathname")
    link = await alice.run("() => document.querySelector('[data-testid=invite-link]').value")
    assert link == f"{server.url}{path}"
    bob = await join(bob_browser, server, path.removeprefix("/m/"), name="Bob")
    await asyncio.gather(
        expect_person(alice, "Bob", MARKERS["bob"]), expect_person(bob, "Alice", MARKERS["alice"])
    )
    await press(bob, "leave")
    await expect_gone(alice, "Bob")
    await bob.until("() => document.querySelector('[data-testid=left-page]') !== null", what="you left")
    tracks = await bob.run("() => kit.pcs.map((pc) => pc.connectionState)")
    assert set(tracks) == {"closed"}


async def test_three_people_see_each_other(
    server: Server, alice_browser: Browser, bob_browser: Browser, carol_browser: Browser
) -> None:
    """Everybody has a live tile and the voice of everybody else, also who comes last."""
    meeting = await server.new_meeting()
    browsers = {"alice": alice_browser, "bob": bob_browser, "carol": carol_browser}
    pages = dict(
        zip(
            browsers,
            await asyncio.gather(*(join(b, server, meeting, name=n) for n, b in browsers.items())),
            strict=True,
        )
    )
    for name, page in pages.items():
        for other in pages.keys() - {name}:
            await expect_person(page, other, MARKERS[other])
        assert await page.run("() => document.querySelectorAll('[data-testid=tile]').length") == 3


async def test_who_comes_after_one_who_left(
    server: Server, alice_browser: Browser, bob_browser: Browser, carol_browser: Browser
) -> None:
    """Carol takes the m-lines that Bob left behind, and Alice sees Carol in them, not Bob's last frame."""
    meeting = await server.new_meeting()
    alice, bob = await asyncio.gather(
        join(alice_browser, server, meeting, name="Alice"), join(bob_browser, server, meeting, name="Bob")
    )
    await expect_person(alice, "Bob", MARKERS["bob"])
    lines = await alice.run(_M_LINES)
    for name, browser in (("Carol", carol_browser), ("Bob", bob_browser)):
        leaving = bob
        bob = await open_check(browser, server, meeting, name=name)
        await press(leaving, "leave")
        await enter(bob, name)
        await expect_person(alice, name, MARKERS[name.lower()])
        assert await alice.run("() => document.querySelectorAll('[data-testid=tile]').length") == 2
    assert await alice.run(_M_LINES) == lines, "m-lines pile up"


async def test_mute_and_camera_are_seen_by_others(
    server: Server, alice_browser: Browser, bob_browser: Browser
) -> None:
    """Muted means marked and silent; camera off means no picture; both come back."""
    meeting = await server.new_meeting()
    alice, bob = await asyncio.gather(
        join(alice_browser, server, meeting, name="Alice"), join(bob_browser, server, meeting, name="Bob")
    )
    await expect_person(bob, "Alice", MARKERS["alice"])
    await press(alice, "mute")
    await expect_tile(bob, "Alice", "tile.querySelector('[data-testid=tile-muted]')", what="is marked muted")
    await expect_silence(bob, "Alice")
    await press(alice, "mute")
    await expect_tile(bob, "Alice", "!tile.querySelector('[data-testid=tile-muted]')", what="is not muted")
    await expect_voice(bob, "Alice")
    await press(alice, "camera")
    await expect_tile(bob, "Alice", "!tile.querySelector('video')", what="has no picture")
    await press(alice, "camera")
    await expect_marker(bob, tile_video("Alice"), MARKERS["alice"])


async def test_shared_screen_comes_and_goes(
    server: Server, alice_browser: Browser, bob_browser: Browser
) -> None:
    """A shared screen is one more track in the largest tile, beside the camera, until it ends."""
    meeting = await server.new_meeting()
    alice, bob = await asyncio.gather(
        join(alice_browser, server, meeting, name="Alice"), join(bob_browser, server, meeting, name="Bob")
    )
    await expect_person(bob, "Alice", MARKERS["alice"])
    before = await bob.run(_RECEIVED_VIDEOS)
    await press(alice, "share")
    screen = "Alice\u2019s screen"
    await expect_tile(
        bob, screen, "tile.querySelector('video')?.videoWidth > 0", what="has a picture", source="screen"
    )
    await expect_tile(bob, screen, _IS_LARGEST, what="is the largest", source="screen")
    assert len(await bob.run(_RECEIVED_VIDEOS)) == len(before) + 1
    await expect_marker(bob, tile_video("Alice"), MARKERS["alice"])
    await press(alice, "share")
    await expect_gone(bob, screen, source="screen")
    await bob.until(f"(count) => ({_RECEIVED_VIDEOS})().length === count", len(before), what="one track less")
    await expect_marker(bob, tile_video("Alice"), MARKERS["alice"])


async def test_firefox_and_chromium_meet(server: Server, alice_browser: Browser, firefox: Browser) -> None:
    """The page works in the second engine: Firefox sees Alice, Alice sees its (moving) fake camera."""
    meeting = await server.new_meeting()
    alice, fox = await asyncio.gather(
        join(alice_browser, server, meeting, name="Alice"), join(firefox, server, meeting, name="Fox")
    )
    await expect_person(fox, "Alice", MARKERS["alice"])
    await expect_voice(alice, "Fox")
    await expect_tile(alice, "Fox", "tile.querySelector('video')?.videoWidth > 0", what="has a picture")
    first = await alice.run(f"() => ({tile_video('Fox')})().getVideoPlaybackQuality().totalVideoFrames")
    await alice.until(
        f"(first) => ({tile_video('Fox')})().getVideoPlaybackQuality().totalVideoFrames > first + 10",
        first,
        what="Firefox's picture moves",
    )


async def test_late_comer_sees_at_once(server: Server, alice_browser: Browser, bob_browser: Browser) -> None:
    """Who joins a running call gets a key frame, which the sender would not make by itself."""
    meeting = await server.new_meeting()
    alice = await join(alice_browser, server, meeting, name="Alice")
    await alice.until(
        "async () => (await kit.rows('outbound-rtp', { kind: 'video' }))"
        ".some((row) => row.framesEncoded > 30)",
        what="Alice has been sending for a while",
    )
    bob = await open_check(bob_browser, server, meeting, name="Bob")
    await enter(bob, "Bob")
    await expect_marker(bob, tile_video("Alice"), MARKERS["alice"], timeout=30)


_M_LINES = "() => kit.pcs.map((pc) => pc.getTransceivers().length)"
_RECEIVED_VIDEOS = (
    "() => kit.pcs.flatMap((pc) => pc.getTransceivers())"
    ".filter((each) => each.receiver.track.kind === 'video' && each.currentDirection === 'recvonly')"
    ".map((each) => each.mid)"
)
_IS_LARGEST = (
    "[...document.querySelectorAll('[data-testid=tile]')].every((other) => other === tile"
    " || other.offsetWidth * other.offsetHeight < tile.offsetWidth * tile.offsetHeight)"
)
