"""A large meeting with real media: fifteen clients, and four m-lines for all their voices."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from aiortc import RTCPeerConnection, RTCSessionDescription

from headwater.app import Node
from tests.integration.server.test_media import Call, flows
from tests.support.peer import Microphone
from tests.support.signaling import SignalingClient

pytestmark = pytest.mark.timeout(180)

TALKERS = 14


class Talker:
    """Somebody who sends a tone, muted at first, and does not care for what the others send."""

    def __init__(self, client: SignalingClient) -> None:
        self.client = client
        self.sending = RTCPeerConnection()
        self.publisher_id = ""
        self._reader: asyncio.Task[None] | None = None

    @classmethod
    @contextlib.asynccontextmanager
    async def join(cls, node: Node, room: str, name: str) -> AsyncIterator[Talker]:
        async with SignalingClient.join(node.url, room, name=name) as client:
            talker = cls(client)
            try:
                await talker._publish()
                yield talker
            finally:
                if talker._reader is not None:
                    talker._reader.cancel()
                await talker.sending.close()

    async def mute(self, muted: bool) -> None:
        await self.client.send(type="mute", publisher_id=self.publisher_id, muted=muted)

    async def _publish(self) -> None:
        self.sending.addTrack(Microphone())
        await self.sending.setLocalDescription(await self.sending.createOffer())
        tracks = [{"mid": "0", "source": "microphone", "muted": True}]
        reply = await self.client.request("offer", sdp=self.sending.localDescription.sdp, tracks=tracks)
        await self.sending.setRemoteDescription(RTCSessionDescription(reply["sdp"], "answer"))
        self.publisher_id = reply["tracks"][0]["publisher_id"]
        self._reader = asyncio.create_task(self._ignore())

    async def _ignore(self) -> None:
        """Read what the server sends; who does not is put out as too slow."""
        async for _ in self.client.socket:
            pass


async def test_of_many_microphones_those_that_speak_are_heard(live: Node) -> None:
    """Who comes late gets four slots; whoever speaks is on one of them, and no offer is made for it."""
    async with contextlib.AsyncExitStack() as stack:
        talkers = await asyncio.gather(
            *(stack.enter_async_context(Talker.join(live, "demo", f"T{n}")) for n in range(TALKERS))
        )
        room = live.rooms.room("demo")
        assert room is not None
        assert room.large
        eve = await stack.enter_async_context(Call.join(live, "demo", "Eve"))
        await eve.carried(set())
        await eve.seen(lambda: len(eve.slots) == 4)
        offers = len(eve.offers)
        for talker in talkers[:2]:
            await talker.mute(False)
        await eve.seen(lambda: _heard(eve) == {talker.publisher_id for talker in talkers[:2]})
        await asyncio.gather(*(flows(eve.receiver(mid)) for mid, voice in eve.slots.items() if voice))
        for talker in talkers[:2]:
            await talker.mute(True)
        await talkers[9].mute(False)
        await eve.seen(lambda: _heard(eve) == {talkers[9].publisher_id})
        (mid,) = (mid for mid, voice in eve.slots.items() if voice)
        await flows(eve.receiver(mid))
        assert len(eve.offers) == offers
        assert eve.offers[-1]["sdp"].count("m=audio") == 4


def _heard(call: Call) -> set[str]:
    return {voice for voice in call.slots.values() if voice}
