"""The stock npm package mediasoup-client goes live and watches over ``/channels``, without a shim."""

from __future__ import annotations

import pytest

from tests.e2e.channel_page import VIDEO, broadcast, watch
from tests.e2e.expect import expect_marker, expect_tone
from tests.support.browser import Browser
from tests.support.server import Server

pytestmark = [pytest.mark.timeout(180), pytest.mark.asyncio(loop_scope="session")]

_NUMBER, _TONE = 0x5B, 660.0
_SOUND = "() => ms.consumers.audio.track"


async def test_one_page_broadcasts_and_another_watches(
    server: Server, alice_browser: Browser, bob_browser: Browser
) -> None:
    """Load, produce sound and simulcast video, consume both: they arrive, moving and audible."""
    _, channel = await broadcast(alice_browser, server, _NUMBER, tone=_TONE)
    assert channel.startswith("chn_")
    viewer = await watch(bob_browser, server, channel)
    await expect_marker(viewer, VIDEO, _NUMBER)
    await expect_tone(viewer, _SOUND, _TONE)
    told = await viewer.run("() => ms.consumers.video.described")
    assert (told["type"], told["kind"], told["producerPaused"]) == ("simulcast", "video", False)
    (encoding,) = told["rtpParameters"]["encodings"]
    assert encoding["scalabilityMode"] == "L3T3"
    assert encoding["rtx"]["ssrc"] != encoding["ssrc"]
