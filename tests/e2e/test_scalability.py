"""The ways in which Chromium scales a picture: a viewer chooses of it, and gets what it chose.

Simulcast with temporal layers in every encoding (VP8's is in test_layers.py), and one stream with spatial
layers inside, in the three ways in which they can depend on each other. Temporal layers of H264 are told by
the dependency descriptor alone, and so are all of AV1's.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.client_page import join, open_empty, video_of
from tests.e2e.expect import expect_marker
from tests.support.browser import Browser, Page
from tests.support.server import Server

pytestmark = [pytest.mark.timeout(180), pytest.mark.asyncio(loop_scope="session")]

_NUMBER = 0x6D
_WIDTHS = (240, 480, 960)
"""Of three spatial layers; of two the larger ones."""


@pytest.mark.parametrize(
    ("codec", "mode"),
    [
        ("VP9", "simulcast"),
        ("AV1", "simulcast"),
        ("H264", "simulcast"),
        ("VP9", "L3T3"),
        ("VP9", "L3T3_KEY"),
        ("VP9", "S3T3"),
        ("AV1", "L3T3_KEY"),
        ("AV1", "S2T3"),  # with S3T3 Chromium's encoder stops after some pictures, whoever receives them
    ],
)
async def test_a_viewer_gets_the_layer_it_chose(
    server: Server, alice_browser: Browser, bob_browser: Browser, codec: str, mode: str
) -> None:
    """Large, small, half way, then fewer pictures of that size; nothing is lost, and each change is told."""
    meeting = await server.new_meeting()
    viewer = await join(bob_browser, server, meeting, name="bob")
    await viewer.run("() => { window.told = []; room.on('layerChanged', (change) => told.push(change)); }")
    sender = await open_empty(alice_browser, server, name="sender")
    await sender.run(_PUBLISH, f"/whip/{meeting}", _NUMBER, codec, mode)
    await expect_marker(viewer, video_of("whip"), _NUMBER)
    widths = _WIDTHS[1:] if mode == "S2T3" else _WIDTHS
    top = len(widths) - 1
    for spatial in (top, 0, top - 1):
        row = await _choose(viewer, spatial, 2, width=widths[spatial])
        assert row["mimeType"] == f"video/{codec}"
    await expect_marker(viewer, video_of("whip"), _NUMBER)
    whole = await _share(sender, viewer)
    row = await _choose(viewer, top - 1, 0, width=widths[top - 1])
    assert await _share(sender, viewer) < 0.5 * whole, "one picture in four"
    await expect_marker(viewer, video_of("whip"), _NUMBER)
    assert row["packetsLost"] == 0


async def _choose(viewer: Page, spatial: int, temporal: int, *, width: int) -> dict[str, Any]:
    """Wish for a layer; returns the viewer's statistics once it is told of and decoded."""
    await viewer.run(
        "(layer) => call.subscriber('whip', 'video').setLayers(layer)", _layer(spatial, temporal)
    )
    row: dict[str, Any] = await viewer.until(
        """async (layer, width) => {
            const row = await call.inbound("whip", "video");
            const seen = { ...told.at(-1)?.to, width: row.frameWidth };
            if (seen.spatial !== layer.spatial || seen.temporal !== layer.temporal || seen.width !== width)
                throw new Error(JSON.stringify(seen));
            return row;
        }""",
        _layer(spatial, temporal),
        width,
        what=f"layer {spatial}.{temporal}",
        timeout=40,
    )
    return row


async def _share(sender: Page, viewer: Page) -> float:
    """How much the viewer decodes of what the sender encodes: of thirty pictures, each layer a picture."""

    async def look() -> tuple[float, float]:
        made = await sender.run(_MADE)
        return made, (await viewer.run("() => call.inbound('whip', 'video')"))["framesDecoded"]

    made, seen = await look()
    await sender.until(f"async (most) => await ({_MADE})() >= most", made + 30, what="thirty pictures")
    made_later, seen_later = await look()
    return (seen_later - seen) / (made_later - made)


def _layer(spatial: int, temporal: int) -> dict[str, int]:
    return {"spatial": spatial, "temporal": temporal}


_MADE = """async () => {
    const rows = await kit.rows("outbound-rtp", { kind: "video" });
    return Math.max(...rows.map((row) => row.framesEncoded ?? 0));
}"""
_PUBLISH = r"""async (path, number, codec, mode) => {
    const pc = new RTCPeerConnection();
    const [track] = kit.markerStream(number, { width: 960, height: 540, rate: 12 }).getVideoTracks();
    const { codecs } = RTCRtpSender.getCapabilities("video");
    const wanted = codecs.filter(({ mimeType }) => mimeType === `video/${codec}`);
    const encodings = mode === "simulcast"
        ? [[4, 100_000], [2, 200_000], [1, 500_000]].map(([scaleResolutionDownBy, maxBitrate], place) =>
            ({ rid: "abc"[place], scaleResolutionDownBy, maxBitrate, scalabilityMode: "L1T3" }))
        : [{ maxBitrate: 1_000_000, scalabilityMode: mode }];
    const sendEncodings = encodings.map((each) => ({ ...each, codec: wanted[0] }));
    const transceiver = pc.addTransceiver(track, { direction: "sendonly", sendEncodings });
    const repairs = codecs.filter(({ mimeType }) => mimeType === "video/rtx");
    transceiver.setCodecPreferences([...wanted, ...repairs]);
    await pc.setLocalDescription();
    const headers = { "content-type": "application/sdp" };
    const response = await fetch(path, { method: "POST", body: pc.localDescription.sdp, headers });
    if (response.status !== 201) throw new Error(await response.text());
    await pc.setRemoteDescription({ type: "answer", sdp: await response.text() });
}"""
