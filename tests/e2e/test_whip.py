"""Software we did not write sends and receives: aiortc, FFmpeg 9 and a plain WHEP page.

FFmpeg says `a=setup:passive`, so with it the server is the DTLS client. Firefox leaves `a=rtcp-fb`
lines of codecs that its offer no longer has; Chromium refuses a description with such lines.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e import app_page
from tests.e2e.client_page import expect_inbound, join, open_empty, video_of
from tests.e2e.expect import expect_marker, expect_rows, expect_tone
from tests.support.aiortc_peer import Signaled, expect_marker_frame, publish_by_whip, watch_by_whep
from tests.support.browser import Browser, Page
from tests.support.dtls_capture import CLIENT_HELLO, DtlsCapture
from tests.support.ffmpeg import whip_publisher
from tests.support.server import Server

pytestmark = [pytest.mark.timeout(400), pytest.mark.asyncio(loop_scope="session")]

_NUMBER, _TONE = 0x97, 880.0


async def test_aiortc_publishes_by_whip_to_a_browser(server: Server, alice_browser: Browser) -> None:
    """A WHIP publisher is a participant whose picture and sound a browser gets."""
    meeting = await server.new_meeting()
    page = await join(alice_browser, server, meeting, name="ada")
    async with publish_by_whip(server, meeting, _NUMBER, _TONE):
        await expect_marker(page, video_of("whip"), _NUMBER)
        await expect_tone(page, "() => call.audio('whip')", _TONE)
    await page.until(
        "() => [...room.participants.values()].every((each) => each.protocol !== 'whip')",
        what="the publisher is gone after DELETE",
    )


async def test_aiortc_subscribes_by_websocket_and_whep(server: Server, alice_browser: Browser) -> None:
    """Aiortc decodes a browser's picture, over the server's offer and over its own."""
    meeting = await server.new_meeting()
    await join(alice_browser, server, meeting, name="ada", number=_NUMBER, tone=_TONE, width=320, height=180)
    async with Signaled.join(server, meeting, "aiortc") as peer:
        await expect_marker_frame(await peer.expect_track("video"), _NUMBER)
    async with watch_by_whep(server, meeting) as pc:
        (video,) = (each.receiver.track for each in pc.getTransceivers() if each.kind == "video")
        await expect_marker_frame(video, _NUMBER)


async def test_ffmpeg_publishes_with_a_passive_offer(
    server: Server, alice_browser: Browser, tmp_path: Path
) -> None:
    """FFmpeg waits for our ClientHello; its H264 and Opus are a tile in the meeting."""
    meeting = await server.new_meeting()
    page = await app_page.join(alice_browser, server, meeting, name="Alice")
    with DtlsCapture.on(server.port) as capture:
        async with whip_publisher(f"{server.url}/whip/{meeting}", tmp_path, _NUMBER, _TONE):
            tile = "() => document.querySelector('[data-testid=tile][data-self=false] video')"
            await expect_marker(page, tile, _NUMBER)
            sound = "() => document.querySelector('[data-testid=sound]')?.srcObject.getAudioTracks()[0]"
            await expect_tone(page, sound, _TONE)
            (row,) = await expect_rows(page, "inbound-rtp", "row.framesDecoded > 10", what="frames")
            assert row["mimeType"].lower() == "video/h264"
        await page.until(
            "() => !document.querySelector('[data-testid=tile][data-self=false]')",
            what="no tile when FFmpeg has ended",
        )
        ours = [h for h in capture.hellos() if h.kind == CLIENT_HELLO and h.source_port == server.port]
    assert ours, "with a passive offer the server has to begin the handshake"


async def test_a_page_watches_by_whep(server: Server, alice_browser: Browser, bob_browser: Browser) -> None:
    """A page with nothing but RTCPeerConnection and fetch plays a room, at once when it comes late."""
    meeting = await server.new_meeting()
    await join(alice_browser, server, meeting, name="ada", number=_NUMBER, tone=_TONE)
    viewer = await open_empty(bob_browser, server, name="viewer")
    status = await viewer.run(_WATCH, f"/whep/{meeting}")
    assert status == 201
    await expect_marker(viewer, "() => kit.state.video && kit.probe(kit.state.video)", _NUMBER)
    await expect_tone(viewer, "() => kit.state.audio", _TONE)


async def test_dangling_feedback_lines_do_no_harm(
    server: Server, alice_browser: Browser, firefox: Browser
) -> None:
    """An offer of Firefox with feedback lines for codecs it no longer has is taken, and sent on clean."""
    meeting = await server.new_meeting()
    page = await join(alice_browser, server, meeting, name="ada")
    sender = await open_empty(firefox, server, name="sender")
    result = await sender.run(_PUBLISH_VP9_ONLY, f"/whip/{meeting}", _NUMBER)
    assert result["status"] == 201
    assert _dangling(result["offer"]), "Firefox cleaned up its offers: this trap is gone"
    assert not _dangling(result["answer"])
    await expect_marker(page, video_of("whip"), _NUMBER)
    row = await expect_inbound(page, "whip", "video", "row.framesDecoded > 10", what="frames")
    assert row["mimeType"].lower() == "video/vp9"
    assert not _dangling(await _remote_description(page))


async def _remote_description(page: Page) -> str:
    sdp: str = await page.run("() => kit.pcs.map((pc) => pc.remoteDescription?.sdp ?? '').join('')")
    return sdp


def _dangling(sdp: str) -> list[str]:
    """Feedback lines for payload types that their m-line does not have."""
    found: list[str] = []
    for section in sdp.split("m=")[1:]:
        lines = section.splitlines()
        formats = [*lines[0].split()[3:], "*"]
        feedback = (line for line in lines if line.startswith("a=rtcp-fb:"))
        found += [line for line in feedback if line.removeprefix("a=rtcp-fb:").split()[0] not in formats]
    return found


_GATHERED = """
    if (pc.iceGatheringState !== "complete") {
        await new Promise((resolve) => pc.addEventListener("icegatheringstatechange",
            () => pc.iceGatheringState === "complete" && resolve()));
    }
    const response = await fetch(path, { method: "POST", body: pc.localDescription.sdp,
        headers: { "content-type": "application/sdp" } });
    const answer = await response.text();
    if (response.status === 201) await pc.setRemoteDescription({ type: "answer", sdp: answer });
"""
_WATCH = f"""async (path) => {{
    const pc = new RTCPeerConnection();
    pc.addTransceiver("video", {{ direction: "recvonly" }});
    pc.addTransceiver("audio", {{ direction: "recvonly" }});
    pc.addEventListener("track", ({{ track }}) => {{ kit.state[track.kind] = track; }});
    await pc.setLocalDescription();
    {_GATHERED}
    return response.status;
}}"""
_PUBLISH_VP9_ONLY = f"""async (path, number) => {{
    const pc = new RTCPeerConnection();
    const [track] = kit.markerStream(number).getVideoTracks();
    const sender = pc.addTransceiver(track, {{ direction: "sendonly" }});
    const {{ codecs }} = RTCRtpSender.getCapabilities("video");
    sender.setCodecPreferences(codecs.filter((codec) => codec.mimeType === "video/VP9"));
    await pc.setLocalDescription();
    {_GATHERED}
    return {{ status: response.status, offer: pc.localDescription.sdp, answer }};
}}"""
