"""A browser's call is recorded by FFmpeg 9, for every codec that a browser sends.

The Worker runs in the test's own process, as in an application: the page's offer goes to a
PublishTransport, and a RecordingTransport hands the packets on. The file must hold what was sent, so its
pictures are decoded and the marker and the tone looked for in it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from headwater import Publisher, PublishTransport, RecordingTransport, Worker
from tests.e2e.client_page import open_empty
from tests.support.browser import Browser, Page
from tests.support.films import loudest, pictures, recorder, streams
from tests.support.markers import read_marker
from tests.support.server import Server

pytestmark = [pytest.mark.timeout(400), pytest.mark.asyncio(loop_scope="session")]

_NUMBER, _TONE = 0x2E, 740
_WIDTH, _HEIGHT = 320, 180
_RATE = 15
"""Frames a second that the page draws."""
_FRAMES = 3 * _RATE
_PORT = 21_000
"""The network namespace is the tests' own: its ports are free."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def worker(network: str) -> AsyncIterator[Worker]:
    """A Worker inside the network namespace."""
    async with Worker(threads=1, addresses=[network]) as worker:
        yield worker


@pytest.mark.parametrize("codec", ["vp8", "vp9", "av1", "h264"])
async def test_a_browsers_call_is_recorded(
    codec: str, worker: Worker, server: Server, alice_browser: Browser, tmp_path: Path
) -> None:
    """Codecs, length, frame count, picture and sound of the file are those of the call."""
    page = await open_empty(alice_browser, server, name="sender")
    async with await worker.create_router() as router:
        publishers = await _publish(page, await router.create_publish_transport(), codec)
        recording = await router.create_recording_transport("127.0.0.1", _PORT)
        description = recording.generate_sdp(*(each.id for each in publishers))
        async with recorder(description, _PORT, tmp_path) as ffmpeg:
            rate = await _record(recording, publishers, page)
            film, log = ffmpeg.film, await ffmpeg.finish()

    assert film.exists(), log
    found = await streams(film)
    assert {kind: stream.codec for kind, stream in found.items()} == {"audio": "opus", "video": codec}, log
    decoded = await pictures(film, _WIDTH, _HEIGHT)
    assert len(decoded) == found["video"].packets >= _FRAMES * 0.8, log
    assert {read_marker(picture) for picture in decoded} == {_NUMBER}
    seconds = found["video"].seconds
    assert found["video"].packets / seconds == pytest.approx(rate, rel=0.4), found
    assert found["audio"].packets / found["audio"].seconds == pytest.approx(50, rel=0.2), found
    assert found["audio"].seconds == pytest.approx(seconds, abs=1), found
    assert await loudest(film) == pytest.approx(_TONE, rel=0.05)


async def _publish(page: Page, transport: PublishTransport, codec: str) -> list[Publisher]:
    """Let the page send a marker in `codec` and a tone; returns once both arrive."""
    offer = await page.run(_OFFER, codec, _NUMBER, {"tone": _TONE, "width": _WIDTH, "height": _HEIGHT})
    answer = await transport.get_answer(offer)
    await page.run("(sdp) => kit.pcs[0].setRemoteDescription({ type: 'answer', sdp })", answer)
    publishers = [await transport.publish(track) for track in transport.unpublished]
    assert {each.kind for each in publishers} == {"audio", "video"}
    async with asyncio.timeout(60):
        for publisher in publishers:
            await publisher.wait_active()
    return publishers


async def _record(recording: RecordingTransport, publishers: list[Publisher], page: Page) -> float:
    """Record until the page has sent another `_FRAMES` frames; returns how many it sent in a second."""
    for publisher in publishers:
        await recording.start_recording(publisher.id)
    sent, begun = await page.run(_SENT), time.monotonic()
    now = await page.until(
        f"async (wanted) => {{ const sent = await ({_SENT})(); return sent >= wanted && sent; }}",
        sent + _FRAMES,
        what="frames are sent",
    )
    rate: float = (now - sent) / (time.monotonic() - begun)
    return rate


_SENT = "async () => (await kit.rows('outbound-rtp', { kind: 'video' }))[0].framesSent"
_OFFER = """async (codec, number, media) => {
    const pc = new RTCPeerConnection();
    const stream = kit.markerStream(number, media);
    for (const track of stream.getTracks()) pc.addTransceiver(track, { direction: "sendonly" });
    const [video] = pc.getTransceivers().filter((each) => each.sender.track.kind === "video");
    const { codecs } = RTCRtpSender.getCapabilities("video");
    const wanted = [`video/${codec}`, "video/rtx"];
    video.setCodecPreferences(codecs.filter((each) => wanted.includes(each.mimeType.toLowerCase())));
    await pc.setLocalDescription();
    return pc.localDescription.sdp;
}"""
