"""Real media through a real node: aiortc sends and receives, by WebSocket, WHIP and WHEP."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack, VideoStreamTrack

from headwater.app import Node
from headwater.protocols import whip
from headwater.protocols.sdp import parse_sdp
from tests.support.peer import set_remote
from tests.support.signaling import SignalingClient

SDP = {"content-type": "application/sdp"}
DEADLINE = 45.0

pytestmark = pytest.mark.timeout(240)


class Call:
    """A participant with real peer connections that answers every offer."""

    def __init__(self, client: SignalingClient) -> None:
        self.client = client
        self.sending = RTCPeerConnection()
        self.receiving = RTCPeerConnection()
        self.offers: list[dict[str, Any]] = []
        self.messages: list[tuple[str, str]] = []
        self.qualities: dict[str, int] = {}
        self.slots: dict[str, str | None] = {}
        """In a large room: who is heard, by mid."""
        self._changed = asyncio.Event()
        self._reader: asyncio.Task[None] | None = None
        self._replies: dict[Any, asyncio.Future[dict[str, Any]]] = {}
        self._next = 0
        self._channel(self.receiving)

    @classmethod
    @contextlib.asynccontextmanager
    async def join(cls, node: Node, room: str, name: str) -> AsyncIterator[Call]:
        async with SignalingClient.join(node.url, room, name=name) as client:
            call = cls(client)
            call._reader = asyncio.create_task(call._read())
            try:
                yield call
            finally:
                call._reader.cancel()
                await asyncio.gather(call._reader, return_exceptions=True)
                await call.sending.close()
                await call.receiving.close()

    async def request(self, kind: str, **fields: Any) -> dict[str, Any]:
        self._next += 1
        self._replies[self._next] = asyncio.get_running_loop().create_future()
        await self.client.send(type=kind, id=self._next, **fields)
        reply = await asyncio.wait_for(self._replies[self._next], DEADLINE)
        assert reply["type"] != "error", reply
        return reply

    async def publish(self, *tracks: MediaStreamTrack) -> dict[str, str]:
        """Send tracks; returns publisher ids by mid."""
        for track in tracks:
            self.sending.addTrack(track)
        return await self.negotiate()

    async def negotiate(self) -> dict[str, str]:
        await self.sending.setLocalDescription(await self.sending.createOffer())
        reply = await self.request("offer", sdp=self.sending.localDescription.sdp)
        await self.sending.setRemoteDescription(RTCSessionDescription(reply["sdp"], "answer"))
        return {t["mid"]: t["publisher_id"] for t in reply.get("tracks", [])}

    async def carried(self, publisher_ids: set[str]) -> None:
        """Wait until the last offer carries exactly these tracks."""
        await self._until(lambda: {t["publisher_id"] for t in self.offers[-1]["tracks"]} == publisher_ids)

    async def heard(self, label: str, text: str) -> None:
        """Wait for a data-channel message."""
        await self._until(lambda: (label, text) in self.messages)

    def track(self, publisher_id: str) -> MediaStreamTrack:
        """The received track of a publisher, found by mid."""
        mid = next(t["mid"] for t in self.offers[-1]["tracks"] if t["publisher_id"] == publisher_id)
        return self.receiver(mid)

    def receiver(self, mid: str) -> MediaStreamTrack:
        """The received track of an m-line."""
        return next(t.receiver.track for t in self.receiving.getTransceivers() if t.mid == mid)

    async def judged(self, people: int) -> None:
        """Wait until the connections of so many people are known to work very well."""
        await self._until(lambda: sum(score >= 70 for score in self.qualities.values()) == people)

    async def seen(self, condition: Callable[[], bool]) -> None:
        """Wait until what the server has told fulfils a condition."""
        await self._until(condition)

    async def _until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE):
            while not (self.offers and condition()):
                self._changed.clear()
                await self._changed.wait()

    async def _read(self) -> None:
        kept, self.client._kept = self.client._kept, []
        for message in kept:
            await self._take(message)
        async for text in self.client.socket:
            await self._take(json.loads(text))

    async def _take(self, message: dict[str, Any]) -> None:
        if (waiting := self._replies.pop(message.get("id"), None)) is not None:
            waiting.set_result(message)
        elif message["type"] == "quality":
            self.qualities[message["participant_id"]] = message["score"]
            self._changed.set()
        elif message["type"] == "slot_changed":
            self.slots[message["mid"]] = message.get("publisher_id")
            self._changed.set()
        elif message["type"] == "offer":
            self.slots = {slot["mid"]: slot.get("publisher_id") for slot in message.get("slots", [])}
            await set_remote(self.receiving, message["sdp"], "offer")
            await self.receiving.setLocalDescription(await self.receiving.createAnswer())
            await self.client.send(type="answer", sdp=self.receiving.localDescription.sdp)
            self.offers.append(message)
            self._changed.set()

    def _channel(self, pc: RTCPeerConnection) -> None:
        @pc.on("datachannel")
        def opened(channel: Any) -> None:
            @channel.on("message")  # type: ignore[untyped-decorator]
            def message(text: str) -> None:
                self.messages.append((channel.label, text))
                self._changed.set()


async def flows(track: MediaStreamTrack, frames: int = 5) -> None:
    """Several frames of a track are decoded.

    Raises:
        AssertionError: They are not; says what came.
    """
    came = 0
    try:
        async with asyncio.timeout(DEADLINE):
            while came < frames:
                await track.recv()
                came += 1
    except TimeoutError:
        raise AssertionError(f"{came} of {frames} {track.kind} frames came") from None


async def test_two_people_see_and_hear_each_other(live: Node) -> None:
    async with Call.join(live, "demo", "Ada") as ada, Call.join(live, "demo", "Bob") as bob:
        from_ada = await ada.publish(AudioStreamTrack(), VideoStreamTrack())
        from_bob = await bob.publish(AudioStreamTrack(), VideoStreamTrack())
        assert len(from_ada) == len(from_bob) == 2
        await bob.carried(set(from_ada.values()))
        await ada.carried(set(from_bob.values()))
        await asyncio.gather(
            *(flows(bob.track(i)) for i in from_ada.values()),
            *(flows(ada.track(i)) for i in from_bob.values()),
        )
        await asyncio.gather(ada.judged(2), bob.judged(2))


async def test_a_late_joiner_gets_a_picture_and_one_who_leaves_takes_theirs_away(live: Node) -> None:
    async with Call.join(live, "demo", "Ada") as ada:
        published = set((await ada.publish(VideoStreamTrack())).values())
        async with Call.join(live, "demo", "Bob") as bob:
            await bob.carried(published)
            await flows(bob.track(*published))
            async with Call.join(live, "demo", "Eve") as eve:
                await eve.carried(published)
                await flows(eve.track(*published))
            await ada.request("leave")
            await bob.carried(set())


async def test_data_channels_reach_all_others_late_joiners_too(live: Node) -> None:
    async with Call.join(live, "demo", "Ada") as ada, Call.join(live, "demo", "Bob") as bob:
        channel = ada.sending.createDataChannel("chat")
        await ada.negotiate()
        async with asyncio.timeout(DEADLINE):
            while channel.readyState != "open":  # noqa: ASYNC110
                await asyncio.sleep(0.02)

        async def say(text: str, *listeners: Call) -> None:
            heard = asyncio.gather(*(person.heard("chat", text) for person in listeners))
            while not heard.done():  # a channel of the other side may still be opening
                channel.send(text)
                await asyncio.wait([heard], timeout=0.2)
            await heard

        await say("hello", bob)
        async with Call.join(live, "demo", "Eve") as eve:
            await say("again", bob, eve)
        assert ("chat", "hello") not in ada.messages


@contextlib.asynccontextmanager
async def by_http(
    node: Node, kind: str, room: str, pc: RTCPeerConnection
) -> AsyncIterator[tuple[httpx.AsyncClient, httpx.Response]]:
    async with httpx.AsyncClient(base_url=node.url, trust_env=False, timeout=DEADLINE) as http:
        await pc.setLocalDescription(await pc.createOffer())
        response = await http.post(f"/{kind}/{room}", content=pc.localDescription.sdp, headers=SDP)
        assert response.status_code == 201, response.text
        await pc.setRemoteDescription(RTCSessionDescription(response.text, "answer"))
        try:
            yield http, response
        finally:
            await pc.close()


async def test_whip_feeds_meeting_and_whep_and_answers_carry_candidates(live: Node) -> None:
    sender, viewer = RTCPeerConnection(), RTCPeerConnection()
    sender.addTrack(VideoStreamTrack())
    sender.addTrack(AudioStreamTrack())
    for kind in ("video", "audio"):
        viewer.addTransceiver(kind, direction="recvonly")
    async with (
        by_http(live, "whip", "studio", sender) as (http, sent),
        Call.join(live, "studio", "Ada") as ada,
    ):
        assert "a=candidate:" in sent.text
        (camera,) = ada.client.joined["participants"]
        assert camera["protocol"] == "whip"
        tracks = {t["publisher_id"] for t in camera["tracks"]}
        await ada.carried(tracks)
        await asyncio.gather(*(flows(ada.track(i)) for i in tracks))
        async with by_http(live, "whep", "studio", viewer) as (_, watched):
            assert "a=candidate:" in watched.text
            await asyncio.gather(*(flows(t.receiver.track) for t in viewer.getTransceivers()))
        assert (await http.delete(sent.headers["location"])).status_code == 200
        await ada.carried(set())


async def test_a_viewer_who_is_early_sees_what_comes_and_then_what_replaces_it(live: Node) -> None:
    viewer = RTCPeerConnection()
    viewer.addTransceiver("video", direction="recvonly")
    async with by_http(live, "whep", "early", viewer):
        track = viewer.getTransceivers()[0].receiver.track
        for _ in range(2):
            sender = RTCPeerConnection()
            sender.addTrack(VideoStreamTrack())
            async with by_http(live, "whip", "early", sender) as (http, sent):
                await flows(track, 15)
                await http.delete(sent.headers["location"])


@pytest.mark.parametrize("anything", ["*", '"*"'])
@pytest.mark.parametrize(("kind", "direction"), [("whip", "sendonly"), ("whep", "recvonly")])
async def test_new_credentials_restart_ice(live: Node, kind: str, direction: str, anything: str) -> None:
    pc = RTCPeerConnection()
    pc.addTransceiver("audio", direction=direction)
    async with by_http(live, kind, "demo", pc) as (http, created):
        before = parse_sdp(created.text).ice_credentials()
        headers = {"content-type": whip.TRICKLE_FRAGMENT, "if-match": anything}
        body = f"a=ice-ufrag:newer\r\na=ice-pwd:{'n' * 24}\r\na=mid:0\r\na=end-of-candidates\r\n"
        restarted = await http.patch(created.headers["location"], content=body, headers=headers)
        assert restarted.status_code == 200, restarted.text
        assert restarted.headers["content-type"].startswith(whip.TRICKLE_FRAGMENT)
        fragment = whip.parse_fragment(restarted.text)
        assert (fragment.ufrag, fragment.pwd) != before
        assert fragment.candidates
        assert fragment.end_of_candidates
        etag = restarted.headers["etag"]
        assert etag != created.headers["etag"]
        old = await http.patch(
            created.headers["location"], content=body, headers=headers | {"if-match": created.headers["etag"]}
        )
        assert old.status_code == 412
        current = await http.patch(
            created.headers["location"], content=body, headers=headers | {"if-match": etag}
        )
        assert current.status_code == 204
        assert live.rooms.counts()["participants"] == 1


async def test_leaving_frees_the_media(live: Node) -> None:
    for _ in range(5):
        async with Call.join(live, "demo", "Ada") as ada, Call.join(live, "demo", "Bob") as bob:
            published = set((await ada.publish(AudioStreamTrack(), VideoStreamTrack())).values())
            await bob.carried(published)
            await ada.request("leave")
            await bob.request("leave")
    async with asyncio.timeout(DEADLINE):
        while live.worker.routers:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert live.rooms.counts()["connections"] == 0
