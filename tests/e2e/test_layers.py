"""Layers between real browsers: what is sent, what is asked for, and what comes.

Sizes are read where a person would see them: from the decoder of the receiver.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e import app_page, client_page
from tests.e2e.app_page import press, tile_video
from tests.e2e.expect import expect_marker
from tests.support.browser import Browser, Page
from tests.support.server import Server

pytestmark = [pytest.mark.timeout(180), pytest.mark.asyncio(loop_scope="session")]

_NUMBER = 0x55


async def test_chromium_sends_three_sizes(
    server: Server, alice_browser: Browser, bob_browser: Browser
) -> None:
    """A camera of 720 lines leaves as 180, 360 and 720 lines at once, where somebody wants the largest."""
    meeting = await server.new_meeting()
    await client_page.join(bob_browser, server, meeting, name="bob")
    page = await _sender(alice_browser, server, meeting)
    rows = await expect_sent(page, {"low": 180, "mid": 360, "high": 720})
    assert all(row["mimeType"] == "video/VP8" for row in rows)


async def test_a_viewer_chooses_low_and_high_and_the_picture_follows(
    server: Server, alice_browser: Browser, bob_browser: Browser
) -> None:
    """The menu of a tile changes the size that is decoded, both ways, without a freeze."""
    before, after = await _choose_low_and_high(server, alice_browser, bob_browser)
    assert after["freezeCount"] == before["freezeCount"]


async def test_of_what_firefox_sends_a_viewer_chooses(
    server: Server, firefox: Browser, bob_browser: Browser
) -> None:
    """Firefox sends three encodings too, and starts and stops them as they are wanted."""
    await _choose_low_and_high(server, firefox, bob_browser)


async def test_a_viewer_in_firefox_chooses(server: Server, alice_browser: Browser, firefox: Browser) -> None:
    """What Firefox decodes follows its menu."""
    await _choose_low_and_high(server, alice_browser, firefox)


async def test_encodings_without_names_are_told_apart(
    server: Server, alice_browser: Browser, bob_browser: Browser
) -> None:
    """A sender whose simulcast has SSRCs and no RIDs, as Safari 12 and munged offers have it."""
    meeting = await server.new_meeting()
    viewer = await client_page.join(bob_browser, server, meeting, name="bob")
    sender = await client_page.open_empty(alice_browser, server, name="sender")
    offer = await sender.run(_PUBLISH_BY_SSRC, f"/whip/{meeting}", _NUMBER)
    assert "a=ssrc-group:SIM" in offer
    assert "a=rid" not in offer
    await expect_marker(viewer, client_page.video_of("whip"), _NUMBER)
    for spatial, lines in ((2, 720), (0, 180), (1, 360)):
        await viewer.run(
            "(spatial) => call.subscriber('whip', 'video').setLayers({ spatial, temporal: 2 })", spatial
        )
        await client_page.expect_inbound(
            viewer, "whip", "video", f"row.frameHeight === {lines}", what=f"pictures of {lines} lines"
        )
    await expect_marker(viewer, client_page.video_of("whip"), _NUMBER)


async def test_who_asks_why_is_told(server: Server, alice_browser: Browser, bob_browser: Browser) -> None:
    """The panel names the layer, its size, the decision with its grounds, and what the sender was told."""
    viewer = await _viewer_of_high(server, alice_browser, bob_browser)
    await _choose(viewer, "low")
    await _expect_lines(viewer, 180)
    await viewer.click("[data-testid=tile-menu-open]")
    await press(viewer, "why")
    await viewer.until(
        """() => {
            const at = (id) => document.querySelector(`[data-testid=${id}]`);
            const told = [...at("why-decisions")?.children ?? []].map((line) => line.textContent.trim());
            const tells = (words) => told.some((line) => words.test(line)) || fail(String(words));
            const fail = (what) => { throw new Error(what + " not in " + JSON.stringify(told)); };
            return at("why-now")?.dataset.spatial === "0" && /320.180/.test(at("why-received").textContent)
                && tells(/^Low instead of high, as you asked[^]*takes \\d+ kbit.s, the connection carries/)
                && tells(/^A complete picture was asked for[^]* and came/)
                && tells(/^Your connection carries about/)
                && tells(/^The sender was told that low is enough/);
        }""",
        what="an account of the low layer",
    )


async def test_a_picture_out_of_sight_is_not_sent(
    server: Server, alice_browser: Browser, bob_browser: Browser
) -> None:
    """Hidden, it stops; shown again, it goes on with what is there now."""
    meeting = await server.new_meeting()
    await _sender(alice_browser, server, meeting)
    viewer = await app_page.join(bob_browser, server, meeting, name="bob")
    await expect_marker(viewer, tile_video("ada"), _NUMBER)
    await viewer.run(
        "() => { document.querySelector('[data-testid=stage]').style.transform = 'translateX(-400vw)'; }"
    )
    await viewer.until(
        f"async () => {{ const look = async () => (await ({_INBOUND})('ada')).packetsReceived;"
        " const before = await look(); await new Promise((done) => setTimeout(done, 1000));"
        " return (await look()) === before; }",
        what="no packets of a hidden picture",
    )
    await viewer.run("() => { document.querySelector('[data-testid=stage]').style.transform = ''; }")
    await expect_marker(viewer, tile_video("ada"), _NUMBER)


async def _viewer_of_high(server: Server, sending: Browser, watching: Browser) -> Page:
    """Bob's meeting page, which has asked for the largest picture of Ada and gets it."""
    meeting = await server.new_meeting()
    sender = await _sender(sending, server, meeting)
    viewer = await app_page.join(watching, server, meeting, name="bob")
    await expect_marker(viewer, tile_video("ada"), _NUMBER)
    await _choose(viewer, "high")
    await expect_sent(sender, {"low": 180, "mid": 360, "high": 720})  # once its line is found to carry it
    await _expect_lines(viewer, 720)
    return viewer


async def _choose_low_and_high(
    server: Server, sending: Browser, watching: Browser
) -> tuple[dict[str, Any], dict[str, Any]]:
    """From high to low and back without a lost packet; the viewer's statistics before and after."""
    viewer = await _viewer_of_high(server, sending, watching)
    before = await viewer.run(_INBOUND, "ada")
    await _choose(viewer, "low")
    await _expect_lines(viewer, 180)
    await expect_marker(viewer, tile_video("ada"), _NUMBER)
    await _choose(viewer, "high")
    await _expect_lines(viewer, 720)
    after = await viewer.run(_INBOUND, "ada")
    assert after["packetsLost"] == before["packetsLost"]
    return before, after


async def _sender(browser: Browser, server: Server, meeting: str) -> Page:
    return await client_page.join(
        browser, server, meeting, name="ada", number=_NUMBER, width=1280, height=720
    )


async def _choose(viewer: Page, choice: str) -> None:
    await viewer.click("[data-testid=tile-menu-open]")
    await press(viewer, f"choose-{choice}")


async def _expect_lines(viewer: Page, lines: int) -> None:
    """The decoder gives pictures of so many lines, soon."""
    await viewer.until(
        f"async (lines) => {{ const row = await ({_INBOUND})('ada');"
        " if (row.frameHeight !== lines) throw new Error(String(row.frameHeight)); return true; }",
        lines,
        what=f"pictures of {lines} lines",
        timeout=12,
    )


async def expect_sent(page: Page, heights: dict[str, int], *, timeout: float = 60.0) -> list[dict[str, Any]]:
    """These encodings, and no others, grow in frames, each with so many lines."""
    rows: list[dict[str, Any]] = await page.until(
        """async (wanted) => {
            const look = async () => (await kit.rows("outbound-rtp", { kind: "video" }))
                .filter((row) => row.active !== false);
            const before = new Map((await look()).map((row) => [row.rid ?? "", row.framesEncoded]));
            await new Promise((resolve) => setTimeout(resolve, 700));
            const live = (await look()).filter((row) => row.framesEncoded > (before.get(row.rid ?? "") ?? 0));
            const seen = Object.fromEntries(live.map((row) => [row.rid ?? "", row.frameHeight]));
            const same = Object.keys(seen).length === Object.keys(wanted).length
                && Object.entries(wanted).every(([rid, height]) => seen[rid] === height);
            if (!same) throw new Error(JSON.stringify(seen));
            return live;
        }""",
        heights,
        what=f"encodings {heights}",
        timeout=timeout,
    )
    return rows


_INBOUND = """async (name) => {
    const tiles = [...document.querySelectorAll("[data-testid=tile]")];
    const person = tiles.find((tile) => tile.ariaLabel === name);
    return await kit.inbound(person.querySelector("video").srcObject.getVideoTracks()[0]);
}"""

_PUBLISH_BY_SSRC = r"""async (path, number) => {
    const pc = new RTCPeerConnection();
    const [track] = kit.markerStream(number, { width: 1280, height: 720 }).getVideoTracks();
    const transceiver = pc.addTransceiver(track, { direction: "sendonly" });
    const { codecs } = RTCRtpSender.getCapabilities("video");
    transceiver.setCodecPreferences(codecs.filter(({ mimeType }) => /VP8|rtx/.test(mimeType)));
    const { sdp } = await pc.createOffer();
    const [group, main, repair] = /a=ssrc-group:FID (\d+) (\d+)/.exec(sdp);
    const about = sdp.split("\r\n").filter((line) => line.startsWith(`a=ssrc:${main} `));
    const pairs = [0, 1, 2].map((place) => [Number(main) + place * 2, Number(repair) + place * 2 + 1]);
    const lines = [`a=ssrc-group:SIM ${pairs.map(([each]) => each).join(" ")}`];
    for (const [each, again] of pairs) {
        lines.push(`a=ssrc-group:FID ${each} ${again}`);
        for (const ssrc of [each, again]) lines.push(...about.map((line) => line.replace(main, ssrc)));
    }
    const kept = sdp.split("\r\n").filter((line) => line && !line.startsWith("a=ssrc"));
    const munged = [...kept, ...lines, ""].join("\r\n");
    await pc.setLocalDescription({ type: "offer", sdp: munged });
    const headers = { "content-type": "application/sdp" };
    const response = await fetch(path, { method: "POST", body: pc.localDescription.sdp, headers });
    if (response.status !== 201) throw new Error(await response.text());
    const parameters = transceiver.sender.getParameters();
    parameters.encodings.forEach((each, place) => (each.scaleResolutionDownBy = [4, 2, 1][place]));
    await transceiver.sender.setParameters(parameters);
    await pc.setRemoteDescription({ type: "answer", sdp: await response.text() });
    return pc.localDescription.sdp;
}"""
