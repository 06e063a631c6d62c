"""Hostile descriptions and messages at a node with real media: typed errors, and a call that goes on."""

from __future__ import annotations

import json

import httpx
import pytest
from aiortc import RTCPeerConnection
from aiortc.mediastreams import VideoStreamTrack

from headwater.app import Node
from tests.integration.server.test_media import SDP, Call, flows
from tests.support.signaling import SignalingClient

pytestmark = pytest.mark.timeout(240)

FRAGMENT = {"content-type": "application/trickle-ice-sdpfrag", "if-match": "*"}


async def honest_offer() -> str:
    """What a client offers to send one picture."""
    pc = RTCPeerConnection()
    pc.addTrack(VideoStreamTrack())
    await pc.setLocalDescription(await pc.createOffer())
    offer = str(pc.localDescription.sdp)
    await pc.close()
    return offer


def hostile_offers(good: str) -> dict[str, str]:
    """Descriptions that no client makes, most of them almost right."""
    head, _, video = good.partition("m=video")
    return {
        "empty": "",
        "no SDP": "hello",
        "only NUL": "\0" * 100,
        "NUL inside": good.replace("a=mid", "a=\0mid"),
        "1,000 m-lines": head + "m=video 9 UDP/TLS/RTP/SAVPF 96\r\n" * 1000,
        "no m-line, 6,000 others": head + "a=x\r\n" * 6000,
        "payload type 999": good.replace("SAVPF ", "SAVPF 999 "),
        "port 70000": good.replace("m=video 9", "m=video 70000").replace("m=video ", "m=video 70000 ", 1),
        "no ICE": "".join(line for line in good.splitlines(True) if not line.startswith("a=ice-")),
        "no DTLS": "".join(line for line in good.splitlines(True) if not line.startswith("a=fingerprint")),
        "long fingerprint": good.replace("a=fingerprint:sha-256 ", "a=fingerprint:sha-256 00 "),
        "same mid twice": good + "m=video" + video,
        "right to left": good.replace("a=mid:0", "a=mid:\u202e0"),
    }


HOSTILE_MESSAGES = [
    "{" * 30_000,
    '{"type":"offer","sdp":' + "[" * 60_000,
    json.dumps({"type": "offer", "sdp": "v=0", "tracks": [{"mid": str(n)} for n in range(2000)]}),
    json.dumps({"type": "candidate", "candidate": "candidate:" + "9" * 60_000}),
    '{"type":"offer","sdp":"v=0","id":' + "9" * 6000 + "}",
    '{"type":"mute","publisher_id":"\\ud800","muted":true,"id":"x"}',
]


async def test_hostile_descriptions_are_refused_beside_a_call(live: Node) -> None:
    """Each is answered with a problem of the client's, by WebSocket and by WHIP; the next good one works."""
    good = await honest_offer()
    async with (
        Call.join(live, "demo", "Ada") as ada,
        Call.join(live, "demo", "Bob") as bob,
        SignalingClient.join(live.url, "demo", name="Mallory") as mallory,
        httpx.AsyncClient(base_url=live.url, trust_env=False, timeout=60) as http,
    ):
        (camera,) = (await ada.publish(VideoStreamTrack())).values()
        await bob.carried({camera})
        await flows(bob.track(camera))
        people = live.rooms.counts()["participants"]
        for name, offer in hostile_offers(good).items():
            assert offer != good, name
            reply = await mallory.request("offer", sdp=offer)
            assert reply["type"] == "error", (name, reply)
            assert (reply["problem"]["status"], reply["problem"]["code"]) == (400, "invalid_sdp"), name
            posted = await http.post("/whip/demo", content=offer.encode(), headers=SDP)
            assert posted.status_code in (400, 413), (name, posted.text)
            assert live.rooms.counts()["participants"] == people, name
        await flows(bob.track(camera))
        assert (await mallory.request("offer", sdp=good))["type"] == "answer"
        assert (await http.post("/whip/demo", content=good, headers=SDP)).status_code == 201


async def test_hostile_messages_and_fragments_beside_a_call(live: Node) -> None:
    """Deep, long and strange JSON is answered; too large a fragment is refused; nobody else notices."""
    good = await honest_offer()
    async with (
        Call.join(live, "demo", "Ada") as ada,
        Call.join(live, "demo", "Bob") as bob,
        SignalingClient.join(live.url, "demo", name="Mallory") as mallory,
        httpx.AsyncClient(base_url=live.url, trust_env=False, timeout=60) as http,
    ):
        (camera,) = (await ada.publish(VideoStreamTrack())).values()
        await bob.carried({camera})
        for text in HOSTILE_MESSAGES:
            await mallory.socket.send(text)
            problem = (await mallory.expect("error"))["problem"]
            assert 400 <= problem["status"] < 500, (text[:40], problem)
        assert (await mallory.request("ping"))["type"] == "pong"
        session = (await http.post("/whip/demo", content=good, headers=SDP)).headers["location"]
        for body, statuses in (
            (b"a=x\r\n" * 20_000, {413}),
            (b"\xff\xfe", {400}),
            (b"a=mid:0\r\n" + b"a=candidate:x\r\n" * 4000, {400}),
            (b"a=ice-ufrag:" + b"u" * 60_000 + b"\r\na=ice-pwd:" + b"p" * 24 + b"\r\n", {400}),
        ):
            answer = await http.patch(session, content=body, headers=FRAGMENT)
            assert answer.status_code in statuses, (body[:30], answer.status_code, answer.text)
        assert (await http.delete(session)).status_code == 200
        await flows(bob.track(camera))
