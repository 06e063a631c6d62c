"""Shows with real media: FFmpeg sends, aiortc watches, and afterwards everything is back."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest
from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack, VideoStreamTrack

from headwater.app import Node
from headwater.channels import Channel
from headwater.servers import channel_seats
from tests.integration.server.conftest import LIMITS, settings
from tests.support.aiortc_peer import expect_marker_frame
from tests.support.ffmpeg import whip_publisher
from tests.support.peer import set_remote
from tests.support.resources import given_back, resident, resources

SDP = {"content-type": "application/sdp"}
CYCLES = 200
_NUMBER, _TONE = 0x5A, 660.0

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    """A development node with real media and short grace periods."""
    limits, hls = {**LIMITS, "broadcast_grace_seconds": 0.2}, {"grace_seconds": 0.1}
    async with Node(settings(tmp_path, dev=True, limits=limits, hls=hls), allow_several=True) as node:
        yield node


@pytest.fixture
async def http(node: Node) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=node.url, trust_env=False, timeout=60) as client:
        yield client


async def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Wait until something holds that no event tells."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.05)


def gauges(node: Node) -> dict[str, int]:
    """What the media threads hold, without what they hold none of."""
    names = ("routers", "transports", "publishers", "subscribers", "known_ufrags", "known_addresses")
    counters = node.worker.counters()
    return {name: counters[name] for name in names if counters.get(name)}


async def watch(http: httpx.AsyncClient, channel: Channel) -> RTCPeerConnection:
    """Watch by WHEP with aiortc."""
    viewer = RTCPeerConnection()
    for kind in ("audio", "video"):
        viewer.addTransceiver(kind, direction="recvonly")
    await viewer.setLocalDescription(await viewer.createOffer())
    answered = await http.post(f"/whep/{channel.id}", content=viewer.localDescription.sdp, headers=SDP)
    assert answered.status_code == 201, answered.text
    await set_remote(viewer, answered.text, "answer")
    return viewer


async def test_ffmpeg_is_watched_and_leaves_nothing(
    node: Node, http: httpx.AsyncClient, tmp_path: Path
) -> None:
    """FFmpeg goes live by WHIP, a WHEP viewer sees the picture; FFmpeg ends, and with it the show."""
    channel = node.channels.open("", slug="friday-show")
    async with whip_publisher(f"{node.url}/whip/{channel.id}", tmp_path, _NUMBER, _TONE):
        await until(lambda: channel.state == "live")
        assert set(channel.publishers.values()) == {"audio", "video"}
        viewer = await watch(http, channel)
        (video,) = (each.receiver.track for each in viewer.getTransceivers() if each.kind == "video")
        await expect_marker_frame(video, _NUMBER)
        busy = await http.post(f"/whip/{channel.id}", content=await offer(), headers=SDP)
        assert (busy.status_code, busy.json()["code"]) == (409, "channel_busy")
    await until(lambda: channel.state == "ended")
    await until(lambda: gauges(node) == {})
    await viewer.close()


async def test_a_killed_broadcaster_leaves_nothing(
    node: Node, http: httpx.AsyncClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No goodbye: silence ends the connection, the grace period the show, and all of it is gone."""
    monkeypatch.setattr(channel_seats, "FAILED_SECONDS", 2.0)
    channel = node.channels.open("")

    async def show() -> None:
        async with whip_publisher(f"{node.url}/whip/{channel.id}", tmp_path, _NUMBER, _TONE):
            await until(lambda: channel.state == "live")
            await until(lambda: gauges(node).get("known_addresses", 0) == 1)
            viewers.append(await watch(http, channel))
            os.kill(ffmpeg_of(os.getpid()), signal.SIGKILL)
            await until(lambda: channel.over)

    viewers: list[RTCPeerConnection] = []
    with pytest.raises(AssertionError, match="FFmpeg ended"):  # what its helper says of the dead
        await show()
    await until(lambda: gauges(node) == {})
    assert (len(node.whip), node.rooms.counts()["connections"]) == (0, 0)
    await viewers[0].close()


async def test_two_hundred_shows_leave_nothing(node: Node, http: httpx.AsyncClient) -> None:
    """Go live, be watched, leave: descriptors, threads, tasks, objects and memory are as before."""
    sending, watching = await offer(), await offer(receive=True)
    reusable = node.channels.open("", slug="friday-show")

    async def show(number: int) -> None:
        channel = reusable if number % 2 else node.channels.open("")
        sent = await http.post(f"/whip/{channel.id}", content=sending, headers=SDP)
        assert sent.status_code == 201
        watched = await http.post(f"/whep/{channel.id}", content=watching, headers=SDP)
        assert watched.status_code == 201
        assert (await http.delete(sent.headers["location"])).status_code == 200
        assert channel.state == "ended"

    async def settled() -> dict[str, int]:
        await until(lambda: gauges(node) == {})
        await until(lambda: len(asyncio.all_tasks()) <= idle)  # the segments' grace period is over too
        return resources()

    await http.get("/healthz")
    idle = len(asyncio.all_tasks())
    for number in range(CYCLES):  # warm: allocators, caches, and the channels that are remembered
        await show(number)
    before, memory = await settled(), resident()
    for number in range(CYCLES):
        await show(number)
    await settled()
    await given_back(before)
    assert resident() - memory < 8 * 1024
    assert (len(node.whip), node.rooms.counts()["connections"]) == (0, 0)


async def offer(*, receive: bool = False) -> str:
    """What aiortc offers."""
    peer = RTCPeerConnection()
    if receive:
        for kind in ("audio", "video"):
            peer.addTransceiver(kind, direction="recvonly")
    else:
        peer.addTrack(AudioStreamTrack())
        peer.addTrack(VideoStreamTrack())
    await peer.setLocalDescription(await peer.createOffer())
    description: RTCSessionDescription = peer.localDescription
    sdp: str = description.sdp
    await peer.close()
    return sdp


def ffmpeg_of(parent: int) -> int:
    """The FFmpeg that a process started."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    found = [int(c) for c in children if "ffmpeg" in Path(f"/proc/{c}/comm").read_text()]
    assert len(found) == 1, found
    return found[0]
