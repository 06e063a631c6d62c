"""Pages on @headwater/client without the app: for what the app's buttons do not reach.

The document is the server's start page, emptied, under its content security policy; only the scripts
are answered by the test. (A document that the test answers has no address, and Chromium's local
network checks then keep it from the server.)
"""

from __future__ import annotations

from typing import Any

from tests.support.browser import ROOT, Browser, Page
from tests.support.server import Server

__all__ = ["expect_inbound", "join", "open_client", "open_empty", "publish_by_whip", "video_of"]

_CLIENT = ROOT / "web/client/dist/headwater-client.js"
_PAGE = ROOT / "tests/e2e/driver/client-page.js"


async def open_client(browser: Browser, server: Server, *, name: str) -> Page:
    """Open a client page that has not joined yet."""
    page = await open_empty(browser, server, name=name)
    await page.run("async () => { await import('/__e2e/client-page.js'); }")
    return page


async def open_empty(browser: Browser, server: Server, *, name: str) -> Page:
    """Open an empty page of the server's origin."""
    page = await browser.open(f"{server.url}/", name=name, routes=_routes())
    await page.run("() => document.body.replaceChildren()")
    return page


async def join(
    browser: Browser, server: Server, meeting: str, *, name: str, number: int | None = None, **media: Any
) -> Page:
    """Open a client page, join as `name` and, given a marker number, publish it.

    Args:
        browser: Where.
        server: The node.
        meeting: Its room.
        name: The participant's name.
        number: The marker to send.
        media: `tone` in Hz, its `loudness` (0 to 1), whether it comes in `words`, `codec` ("vp8", ...),
            `width`, `height`.
    """
    page = await open_client(browser, server, name=name)
    token = await server.new_token(meeting, name)
    await page.run("(meeting, name, token) => call.join(meeting, name, token)", meeting, name, token)
    if number is not None:
        await page.run("(number, media) => call.publish(number, media)", number, media)
    return page


async def publish_by_whip(
    page: Page, meeting: str, number: int, tone: float, *, first: str | None = None
) -> None:
    """Publish a marker and a tone by WHIP from an empty page, with nothing but what browsers have.

    Args:
        page: From `open_empty`.
        meeting: The room.
        number: The marker.
        tone: Frequency in Hz.
        first: The MIME type of the audio codec that is preferred.
    """
    status = await page.run(_PUBLISH, f"/whip/{meeting}", number, tone, first)
    assert status == 201, status


def video_of(name: str, source: str | None = None) -> str:
    """JavaScript for the video element that shows participant `name`."""
    return f"() => call.video({name!r}, {source!r})".replace("None", "undefined")


async def expect_inbound(page: Page, name: str, kind: str, condition: str, *, what: str) -> dict[str, Any]:
    """The inbound-rtp `row` of a person's track, once `condition` (JavaScript) holds for it."""
    row: dict[str, Any] = await page.until(
        "async (name, kind) => { const row = await call.inbound(name, kind);"
        " if (!row) throw new Error('no such track');"
        f" if (!({condition})) throw new Error(JSON.stringify(row));"
        " return row; }",
        name,
        kind,
        what=what,
    )
    return row


def _routes() -> dict[str, dict[str, str]]:
    script = "text/javascript"
    return {
        "/__e2e/client-page.js": {"type": script, "body": _PAGE.read_text()},
        "/__e2e/headwater-client.js": {"type": script, "body": _CLIENT.read_text()},
    }


_PUBLISH = """async (path, number, tone, first) => {
    const pc = new RTCPeerConnection();
    for (const track of kit.markerStream(number, { tone, width: 320, height: 180 }).getTracks()) {
        const transceiver = pc.addTransceiver(track, { direction: "sendonly" });
        if (first && track.kind === "audio") {
            const { codecs } = RTCRtpSender.getCapabilities("audio");
            const wanted = codecs.filter((each) => each.mimeType === first);
            transceiver.setCodecPreferences([...wanted, ...codecs.filter((each) => !wanted.includes(each))]);
        }
    }
    await pc.setLocalDescription();
    const headers = { "content-type": "application/sdp" };
    const response = await fetch(path, { method: "POST", body: pc.localDescription.sdp, headers });
    const answer = await response.text();
    kit.state.resource = response.headers.get("location");
    kit.state.etag = response.headers.get("etag");
    if (response.status === 201) await pc.setRemoteDescription({ type: "answer", sdp: answer });
    return response.status;
}"""
