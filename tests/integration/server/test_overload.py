"""A node that sends as much as it may: newcomers wait, who is in the call goes on."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest
from aiortc.mediastreams import AudioStreamTrack, VideoStreamTrack

from headwater.app import Node
from headwater.testing import client_offer
from tests.integration.server.conftest import settings
from tests.integration.server.test_media import DEADLINE, SDP, Call, flows
from tests.support.signaling import SignalingClient

pytestmark = pytest.mark.timeout(240)


async def becomes(node: Node, *, overloaded: bool) -> None:
    """Wait for the monitor's decision.

    Raises:
        AssertionError: It does not come.
    """
    try:
        async with asyncio.timeout(DEADLINE):
            while node.worker.load()["overloaded"] != overloaded:  # noqa: ASYNC110 - measured, not told
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"{node.worker.load()}") from None


async def test_above_its_bound_a_node_refuses_newcomers_and_carries_its_call(tmp_path: Path) -> None:
    tiny = settings(tmp_path, dev=True, max_egress=0.05)
    async with (
        Node(tiny, allow_several=True) as node,
        httpx.AsyncClient(base_url=node.url, trust_env=False, timeout=60) as http,
    ):
        async with Call.join(node, "demo", "Ada") as ada, Call.join(node, "demo", "Bob") as bob:
            published = set((await ada.publish(AudioStreamTrack(), VideoStreamTrack())).values())
            await bob.carried(published)
            await becomes(node, overloaded=True)
            for way in ("whip", "whep"):
                offer = client_offer(audio="a", receive=way == "whep")
                refused = await http.post(f"/{way}/demo", content=offer, headers=SDP)
                assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
                assert int(refused.headers["retry-after"]) > 0
            async with SignalingClient.open(node.url) as eve:
                await eve.send(meeting_id="demo")
                assert (await eve.receive())["problem"]["code"] == "overloaded"
                assert await eve.close_code() == 1013
            await asyncio.gather(*(flows(bob.track(i)) for i in published))
            metrics = (await http.get("/metrics")).text
            assert "headwater_load_overloaded 1.0" in metrics
            await bob.request("leave")
        await becomes(node, overloaded=False)
        async with Call.join(node, "demo", "Eve"):
            assert node.rooms.counts()["participants"] > 0
