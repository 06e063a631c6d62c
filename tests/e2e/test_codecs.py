"""Two engines in one room, through our own forwarding, for every video codec they have.

Each side sends a marker and a tone; the other must decode that codec, see that marker move and hear
that tone. H264 runs between two Chromium only: Firefox has no H264 for calls on this system.
"""

from __future__ import annotations

import asyncio

import pytest

from tests.e2e.client_page import expect_inbound, join, open_empty, publish_by_whip, video_of
from tests.e2e.expect import expect_marker, expect_rows, expect_tone
from tests.support.browser import Browser, Page
from tests.support.server import Server

pytestmark = [pytest.mark.timeout(400), pytest.mark.asyncio(loop_scope="session")]

_ADA, _FOX = (0x51, 600), (0xD4, 1_300)
_PEOPLE = {"ada": _ADA, "bob": (0x8E, 900), "fox": _FOX}
"""Marker and tone of each."""
_SMALL = {"width": 320, "height": 180}
"""Three encoders and six decoders share a small machine."""


@pytest.mark.parametrize("codec", ["vp8", "vp9", "av1"])
async def test_chromium_and_firefox_exchange(
    codec: str, server: Server, alice_browser: Browser, bob_browser: Browser, firefox: Browser
) -> None:
    """Two Chromium and Firefox, all pairs: each decodes and hears both others."""
    await _exchange(codec, server, {"ada": alice_browser, "bob": bob_browser, "fox": firefox})


async def test_two_chromium_exchange_h264(
    server: Server, alice_browser: Browser, bob_browser: Browser
) -> None:
    """H264 gets through between the engines that have it."""
    await _exchange("h264", server, {"ada": alice_browser, "bob": bob_browser})


async def test_engine_without_the_codec_still_hears(
    server: Server, alice_browser: Browser, bob_browser: Browser, firefox: Browser
) -> None:
    """H264 in a room with Firefox: Firefox gets the sound alone, the other Chromium everything."""
    meeting = await server.new_meeting()
    ada, bob, fox = await asyncio.gather(
        join(alice_browser, server, meeting, name="ada", number=_ADA[0], tone=_ADA[1], codec="h264"),
        join(bob_browser, server, meeting, name="bob"),
        join(firefox, server, meeting, name="fox", number=_FOX[0], tone=_FOX[1]),
    )
    await _receives(bob, "ada", "h264", *_ADA)
    await expect_tone(fox, "() => call.audio('ada')", _ADA[1])
    await _receives(ada, "fox", "vp8", *_FOX)
    frames = await fox.run("async () => (await call.inbound('ada', 'video'))?.framesDecoded ?? 0")
    assert frames == 0


async def test_redundant_audio_reaches_who_has_no_red(
    server: Server, alice_browser: Browser, firefox: Browser
) -> None:
    """Chromium sends Opus inside RED (RFC 2198); Firefox, which has no RED, hears plain Opus."""
    meeting = await server.new_meeting()
    fox, sender = await asyncio.gather(
        join(firefox, server, meeting, name="fox"), open_empty(alice_browser, server, name="sender")
    )
    await publish_by_whip(sender, meeting, *_ADA, first="audio/red")
    await expect_tone(fox, "() => call.audio('whip')", _ADA[1])
    (sent,) = await expect_rows(
        sender, "outbound-rtp", "row.kind === 'audio' && row.packetsSent > 50", what="sound that is sent"
    )
    row = await expect_inbound(fox, "whip", "audio", "row.packetsReceived > 50", what="the sound")
    assert row["mimeType"] == "audio/opus"
    # Chromium names the codec inside; that each packet brings the one before along shows in its size.
    redundant, plain = sent["bytesSent"] / sent["packetsSent"], row["bytesReceived"] / row["packetsReceived"]
    assert redundant > 1.6 * plain, (redundant, plain)


async def _exchange(codec: str, server: Server, browsers: dict[str, Browser]) -> None:
    meeting = await server.new_meeting()

    async def enter(name: str, browser: Browser) -> Page:
        number, tone = _PEOPLE[name]
        return await join(
            browser, server, meeting, name=name, number=number, tone=tone, codec=codec, **_SMALL
        )

    pages = await asyncio.gather(*(enter(name, browser) for name, browser in browsers.items()))
    for page in pages:
        for name in browsers.keys() - {page.name}:
            await _receives(page, name, codec, *_PEOPLE[name])


async def _receives(page: Page, name: str, codec: str, number: int, tone: float) -> None:
    await expect_marker(page, video_of(name), number)
    row = await expect_inbound(page, name, "video", "row.framesDecoded > 10", what=f"frames of {name}")
    assert row["mimeType"].lower() == f"video/{codec}"
    await expect_tone(page, f"() => call.audio({name!r})", tone)
    row = await expect_inbound(page, name, "audio", "row.totalAudioEnergy > 0", what=f"the sound of {name}")
    assert row["mimeType"].lower() == "audio/opus"
