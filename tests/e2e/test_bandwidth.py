"""Senders learn from our feedback what the network carries.

A sender begins at 300 kbit/s. With transport-wide feedback (draft-holmer-rmcat-transport-wide-cc) it finds
out within seconds that there is more. Receiver reports alone let it grow by some 8 % a second: it passes
1 Mbit/s after 15 s and more, and until then the picture is a mush.
"""

from __future__ import annotations

import pytest

from tests.e2e.client_page import join
from tests.e2e.expect import expect_rows
from tests.support.browser import Browser
from tests.support.server import Server

pytestmark = [pytest.mark.timeout(120), pytest.mark.asyncio(loop_scope="session")]


async def test_feedback_lets_a_sender_ramp_up(server: Server, alice_browser: Browser) -> None:
    """Chromium's estimate passes 1 Mbit/s, and the encoder may use that, within 10 s."""
    meeting = await server.new_meeting()
    page = await join(
        alice_browser, server, meeting, name="ada", number=0x42, tone=500, width=1280, height=720
    )
    await expect_rows(
        page,
        "candidate-pair",
        "row.nominated && row.availableOutgoingBitrate > 1_000_000",
        what="an estimate above 1 Mbit/s",
        timeout=10,
    )
    await expect_rows(
        page,
        "outbound-rtp",
        "row.kind === 'video' && row.targetBitrate > 1_000_000",
        what="an encoder that may use it",
    )
