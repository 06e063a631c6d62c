"""Real browsers change their ICE path in the middle of a call, and the media goes on over the new one.

Which credentials a path uses is read from the pair that the browser has selected: media alone would not
tell, for it also goes on when a restart is ignored.
"""

from __future__ import annotations

import asyncio

import pytest

from tests.e2e.client_page import join, open_empty, publish_by_whip, video_of
from tests.e2e.expect import expect_marker, expect_tone
from tests.support.browser import Browser, Page
from tests.support.server import Server

pytestmark = [pytest.mark.timeout(400), pytest.mark.asyncio(loop_scope="session")]

_NUMBER, _TONE = 0x71, 820


async def test_a_whip_page_restarts_ice(server: Server, alice_browser: Browser, bob_browser: Browser) -> None:
    """PATCH with If-Match "*" and new credentials; the answered fragment is enough to go on (RFC 9725)."""
    meeting = await server.new_meeting()
    viewer, sender = await asyncio.gather(
        join(bob_browser, server, meeting, name="bob"), open_empty(alice_browser, server, name="sender")
    )
    await publish_by_whip(sender, meeting, _NUMBER, _TONE)
    await expect_marker(viewer, video_of("whip"), _NUMBER)
    await _expect_selected(sender, "kit.pcs[0]")
    before = await sender.run(_CREDENTIALS, 0)
    restarted = await sender.run(_RESTART)
    assert restarted["status"] == 200, restarted
    assert restarted["etag"] not in (None, restarted["before"])
    after = await sender.run(_CREDENTIALS, 0)
    assert after["local"] != before["local"]
    assert after["remote"] != before["remote"]
    await _expect_selected(sender, "kit.pcs[0]")
    await expect_marker(viewer, video_of("whip"), _NUMBER)
    await expect_tone(viewer, "() => call.audio('whip')", _TONE)


@pytest.mark.parametrize("kind", ["chromium", "firefox"])
async def test_the_server_restarts_ice(
    kind: str, server: Server, alice_browser: Browser, bob_browser: Browser, firefox: Browser
) -> None:
    """An offer with new credentials is answered by the client, and what is watched goes on."""
    meeting = await server.new_meeting()
    _, viewer = await asyncio.gather(
        join(alice_browser, server, meeting, name="ada", number=_NUMBER, tone=_TONE, width=320, height=180),
        join(firefox if kind == "firefox" else bob_browser, server, meeting, name="viewer"),
    )
    await expect_marker(viewer, video_of("ada"), _NUMBER)
    receiving = await viewer.run(
        "() => kit.pcs.findIndex((pc) => pc.getReceivers().some((each) => each.track.kind === 'video')"
        " && pc.remoteDescription.type === 'offer')"
    )
    before = await viewer.run(_CREDENTIALS, receiving)
    await viewer.run("() => room.subscribeTransport.restartIce()")
    await viewer.until(
        f"(index, before) => {{ const now = ({_CREDENTIALS})(index);"
        " return now.local !== before.local && now.remote !== before.remote; }",
        receiving,
        before,
        what="new credentials on both sides",
    )
    if kind == "chromium":  # Firefox does not tell which credentials a candidate has
        await _expect_selected(viewer, f"kit.pcs[{receiving}]")
    await expect_marker(viewer, video_of("ada"), _NUMBER)
    await expect_tone(viewer, "() => call.audio('ada')", _TONE)


async def _expect_selected(page: Page, connection: str) -> None:
    """The path in use has the credentials of the current local description."""
    await page.until(
        f"""async () => {{
            const report = await {connection}.getStats();
            const [transport] = [...report.values()].filter((row) => row.type === "transport");
            const pair = report.get(transport.selectedCandidatePairId);
            const seen = pair && report.get(pair.localCandidateId).usernameFragment;
            const wanted = /a=ice-ufrag:(.*)/.exec({connection}.localDescription.sdp)[1];
            if (seen !== wanted) throw new Error(`${{seen}} is in use, not ${{wanted}}`);
            return true;
        }}""",
        what="the path of the newest credentials is in use",
    )


_CREDENTIALS = """(index) => {
    const ufrag = (description) => /a=ice-ufrag:(.*)/.exec(description.sdp)[1];
    const { localDescription: local, remoteDescription: remote } = kit.pcs[index];
    return { local: ufrag(local), remote: ufrag(remote) };
}"""
_RESTART = """async () => {
    const [pc] = kit.pcs;
    const answer = pc.remoteDescription.sdp;
    pc.restartIce();
    await pc.setLocalDescription();
    const offer = pc.localDescription.sdp;
    const line = (name) => new RegExp(`^a=${name}:.*$`, "m").exec(offer)[0].trim();
    const body = [line("ice-ufrag"), line("ice-pwd"), line("mid"), ""].join("\\r\\n");
    const headers = { "content-type": "application/trickle-ice-sdpfrag", "if-match": "*" };
    const response = await fetch(kit.state.resource, { method: "PATCH", body, headers });
    const fragment = (await response.text()).split(/\\r?\\n/);
    const given = (name) => fragment.find((each) => each.startsWith(`a=${name}:`));
    const sdp = answer.split(/\\r?\\n/)
        .filter((each) => !each.startsWith("a=candidate:") && each !== "a=end-of-candidates")
        .flatMap((each) => {
            if (each.startsWith("a=ice-ufrag:")) return [given("ice-ufrag")];
            if (each.startsWith("a=ice-pwd:")) {
                return [given("ice-pwd"), ...fragment.filter((other) => other.startsWith("a=candidate:"))];
            }
            return [each];
        }).join("\\r\\n");
    if (response.status === 200) await pc.setRemoteDescription({ type: "answer", sdp });
    return { status: response.status, etag: response.headers.get("etag"), before: kit.state.etag };
}"""
