"""The harness itself: two engines, one direct connection, and the marker comes through.

No server is involved. When this fails, the browsers, the network namespace or the marker are broken,
and every other failure in this folder follows from it.
"""

from __future__ import annotations

import asyncio
import re

import pytest

from tests.e2e.expect import expect_marker, expect_tone
from tests.support.browser import Browser, Page, WaitTimeout

pytestmark = [pytest.mark.timeout(400), pytest.mark.asyncio(loop_scope="session")]

_SITE = "http://localhost:8009/blank"
_ROUTES = {"/blank": {"type": "text/html", "body": "<!doctype html><title>blank</title><body></body>"}}
_SENT = {"chromium": (0x5A, 700), "firefox": (0xC3, 1_100)}

_PREPARE = """(number, tone) => {
    const pc = new RTCPeerConnection();
    const stream = kit.markerStream(number, { tone });
    for (const track of stream.getTracks()) pc.addTrack(track, stream);
    kit.state.received = {};
    pc.addEventListener("track", ({ track }) => { kit.state.received[track.kind] = track; });
    kit.state.pc = pc;
}"""
_NEGOTIATE = """async (kind, remote) => {
    const { pc } = kit.state;
    if (remote) await pc.setRemoteDescription(remote);
    if (kind) await pc.setLocalDescription();
    if (pc.iceGatheringState !== "complete") {
        await new Promise((resolve) => pc.addEventListener("icegatheringstatechange",
            () => pc.iceGatheringState === "complete" && resolve()));
    }
    return kind && pc.localDescription.toJSON();
}"""


async def test_marker_and_tone_survive_a_direct_call(
    network: str, alice_browser: Browser, firefox: Browser
) -> None:
    """Chromium and Firefox, connected to each other, read each other's marker and hear each other's tone."""
    offering, answering = await asyncio.gather(
        alice_browser.open(_SITE, name="offering", routes=_ROUTES),
        firefox.open(_SITE, name="answering", routes=_ROUTES),
    )
    await _connect(offering, answering, network)
    for page, other in ((offering, "firefox"), (answering, "chromium")):
        number, tone = _SENT[other]
        await expect_marker(page, "() => kit.probe(kit.state.received.video)", number)
        await expect_tone(page, "() => kit.state.received.audio", tone)


async def test_a_frozen_picture_is_noticed(network: str, alice_browser: Browser) -> None:
    """The reading of a marker that stands still does not pass for a live one."""
    page = await alice_browser.open(_SITE, name="frozen", routes=_ROUTES)
    await page.run(
        "() => { const stream = kit.markerStream(0x5A, { rate: 0.01 });"
        " kit.state.v = kit.probe(stream.getVideoTracks()[0]); }"
    )
    with pytest.raises(WaitTimeout, match="alive"):
        await expect_marker(page, "() => kit.state.v", 0x5A, timeout=3)


async def _connect(offering: Page, answering: Page, address: str) -> None:
    for page in (offering, answering):
        await page.run(_PREPARE, *_SENT[page.browser.kind])
    offer = _resolve(await offering.run(_NEGOTIATE, "offer", None), address)
    answer = _resolve(await answering.run(_NEGOTIATE, "answer", offer), address)
    await offering.run(_NEGOTIATE, None, answer)


def _resolve(description: dict[str, str], address: str) -> dict[str, str]:
    """Put the address where a browser wrote a `.local` name: nobody answers mDNS here."""
    return {**description, "sdp": re.sub(r"\S+\.local", address, description["sdp"])}
