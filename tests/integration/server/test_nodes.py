"""Two nodes behind HAProxy with the configuration that is shipped: one address, one database, real media."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import secrets
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from aiortc import MediaStreamTrack, RTCPeerConnection
from websockets.asyncio.client import ClientConnection, connect

from tests.support.aiortc_peer import expect_marker_frame, publish_by_whip, watch_by_whep
from tests.support.haproxy import TRUSTING, Haproxy
from tests.support.postgresql import postgresql
from tests.support.server import Server

pytestmark = [pytest.mark.timeout(180), pytest.mark.asyncio(loop_scope="module")]

_SDP = {"content-type": "application/sdp"}
_TONE = 440.0


@dataclass
class Site:
    """What the operator runs."""

    folder: Path
    settings: dict[str, str]
    api_key: str
    proxy: Haproxy
    a: Server
    b: Server

    async def new_channel(self, **wishes: object) -> str:
        """Make a channel through the proxy; returns its id."""
        async with self.proxy.client() as http:
            made = await http.post("/channels", json=wishes)
        assert made.status_code == 201, made.text
        assert made.json()["links"]["whip"].startswith(f"{self.proxy.url}/whip/")
        return str(made.json()["channelId"])

    async def sender(self, channel: str) -> Haproxy:
        """The proxy for who may send into a channel."""
        async with self.proxy.client() as http:
            body = {"identity": "ada", "grants": ["publish"]}
            minted = await http.post(f"/channels/{channel}/tokens", json=body)
        assert minted.status_code == 201, minted.text
        return self.proxy.acting(minted.json()["token"])

    @property
    def stranger(self) -> Haproxy:
        """The proxy for who has no token."""
        return self.proxy.acting(None)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    folder = tmp_path_factory.mktemp("nodes")
    with postgresql() as database:
        settings = {
            "HEADWATER_DATABASE": database.new_database(),
            "HEADWATER_SECRET": secrets.token_hex(32),
            "HEADWATER_HLS__SEGMENT_SECONDS": "0.5",
            "HEADWATER_HLS__HEIGHT": "144",
            "HEADWATER_LIMITS__BROADCAST_GRACE_SECONDS": "1",
        }
        await _upgrade(settings["HEADWATER_DATABASE"])
        api_key = secrets.token_urlsafe(32)
        async with (
            _node(folder, "a", settings, api_key) as a,
            _node(folder, "b", settings, api_key) as b,
            Haproxy.start(folder, a, b) as proxy,
        ):
            yield Site(folder, settings, api_key, proxy, a, b)


def _node(
    folder: Path, name: str, settings: dict[str, str], api_key: str, port: int | None = None
) -> contextlib.AbstractAsyncContextManager[Server]:
    (folder / name).mkdir(exist_ok=True)
    named = {**settings, "HEADWATER_NODE": name}
    return Server.start(folder / name, settings=named, production=True, api_key=api_key, port=port)


async def test_channels_live_on_both_nodes(site: Site) -> None:
    """Wherever a channel was made, all who ask for it meet on one node; WebRTC and HLS alike."""
    on_a, on_b = await _made_on(site, "a"), await _made_on(site, "b")
    slug = await site.new_channel(slug="friday-show", title="Friday")
    async with contextlib.AsyncExitStack() as shows:
        for number, channel in enumerate((on_a, on_b, slug), 0x31):
            sender = await site.sender(channel)
            await shows.enter_async_context(publish_by_whip(sender, channel, number, _TONE))
            viewer = await shows.enter_async_context(watch_by_whep(site.stranger, channel))
            await expect_marker_frame(_video(viewer), number)
        live = [(await node.metrics())["headwater_channels_live"] for node in (site.a, site.b)]
        assert sum(live) == 3
        assert min(live) >= 1
        async with site.stranger.client() as http:
            listed = (await http.get("/channels")).json()
            assert [(one["channelId"], one["state"]) for one in listed] == [(slug, "live")]
            for channel in (on_a, on_b, slug):
                assert (await http.get(f"/channels/{channel}")).json()["viewers"] == 1
                assert "#EXTINF" in await _playlist(http, channel)
        async with (await site.sender(slug)).client() as http:
            busy = await http.post(f"/whip/{slug}", content=await _offer(), headers=_SDP)
            assert (busy.status_code, busy.json()["code"]) == (409, "channel_busy")
    async with site.proxy.client() as http:
        taken = await http.post("/channels", json={"slug": slug})
        assert (taken.status_code, taken.json()["code"]) == (409, "name_taken")


async def test_a_websocket_makes_a_channel_that_others_find(site: Site) -> None:
    """The id of a channel that a connection made names the node on which it is."""
    for slug in (
        "one-show",
        "two-show",
        "three-show",
    ):  # made by any node, and asked of the one that its hash says
        await site.new_channel(slug=slug)
        async with _socket(site, f"/channels/{slug}", site.api_key) as socket:
            assert (await _ask(socket, "createProducerTransport"))["channelId"] == slug
    nodes: set[str] = set()
    while len(nodes) < 2:  # whichever node gets the connection
        async with _socket(site, "/channels", site.api_key) as socket:
            made = await _ask(socket, "createProducerTransport")
            assert made["type"] == "producerTransportCreated", made
            channel = made["channelId"]
            nodes.add(channel.partition(".")[0])
            for path in (f"/channels/{channel}", f"/channels?channelId={channel}"):
                async with _socket(site, path, None) as viewer:
                    said = await _ask(viewer, "createConsumerTransport")
                    assert said["type"] == "consumerTransportCreated", said
        assert nodes <= {"chn_a", "chn_b"}


async def test_metrics_are_not_open_through_the_proxy(site: Site) -> None:
    """The proxy is on the nodes' own machine, which needs no key; its clients do, whatever they say."""
    hosts = ("localhost", "127.0.0.1", f"localhost:{site.proxy.port}")
    for target, host, said in itertools.product(_TARGETS, hosts, _PRETENCES):
        answer = await _raw(site, f"GET {target} HTTP/1.1\r\nHost: {host}\r\n{said}\r\n\r\n")
        assert answer.split()[1] in (b"400", b"401", b"404", b"307"), (target, host, said, answer)
        assert b"headwater_" not in answer
    assert (await site.a.metrics())["headwater_channels"] >= 0, "who has the key may"


async def test_a_node_dies(site: Site) -> None:
    """The other's channels go on, and those of the dead one can go live again: there, and they stay there."""
    lost, kept = await _made_on(site, "a"), await _made_on(site, "b")
    quiet = await _made_on(site, "a")
    async with contextlib.AsyncExitStack() as shows:
        await shows.enter_async_context(publish_by_whip(await site.sender(kept), kept, 0x41, _TONE))
        viewer = await shows.enter_async_context(watch_by_whep(site.stranger, kept))
        await expect_marker_frame(_video(viewer), 0x41)
        sender = await site.sender(lost)
        show = contextlib.AsyncExitStack()
        await show.enter_async_context(publish_by_whip(sender, lost, 0x42, _TONE))
        gone_for_good = contextlib.AsyncExitStack()
        await gone_for_good.enter_async_context(publish_by_whip(await site.sender(quiet), quiet, 0x44, _TONE))
        async with site.stranger.client() as http:
            assert "#EXTINF" in await _playlist(http, lost)
            await _until_listed(site, lost, kept, quiet)
            await site.a.kill()
            gone = await http.get(f"/hls/{lost}/index.m3u8")
            assert (gone.status_code, gone.json()["code"]) == (404, "channel_not_found")
            early = await http.post(f"/whep/{lost}", content=await _offer(), headers=_SDP)
            assert (early.status_code, early.json()["code"]) == (409, "channel_not_live")
            assert int(early.headers["retry-after"]) > 0
            assert (await http.get(f"/channels/{lost}")).json()["state"] == "ended"
        with pytest.raises(AssertionError, match="no such session"):  # it died with the node
            await show.aclose()
        with pytest.raises(AssertionError, match="no such session"):
            await gone_for_good.aclose()
        frames = _video(viewer)
        await expect_marker_frame(frames, 0x41)
        await shows.enter_async_context(publish_by_whip(sender, lost, 0x43, _TONE))
        await _until_listed(site, lost, kept)  # nobody asks for the other one, and yet no list calls it live
        async with (
            _node(site.folder, "a", site.settings, site.api_key, site.a.port),
            site.stranger.client() as http,
        ):
            await _until_both_serve(site)
            for _ in range(2):
                async with watch_by_whep(site.stranger, lost) as again:
                    await expect_marker_frame(_video(again), 0x43)
            assert (await http.get(f"/channels/{lost}")).json()["state"] == "live"


async def _until_listed(site: Site, *channels: str) -> None:
    """Wait until these and no others are live, as whichever node is asked tells in its list."""
    async with site.proxy.client() as http, asyncio.timeout(60):
        listed: set[str] = set()
        while listed != set(channels):
            found = await http.get("/channels", params={"state": "live"})
            listed = {one["channelId"] for one in found.json()}


async def _made_on(site: Site, node: str) -> str:
    """Make channels until the proxy has given one to a node."""
    async with asyncio.timeout(60):
        while not (channel := await site.new_channel()).startswith(f"chn_{node}."):
            pass
    return channel


async def _until_both_serve(site: Site) -> None:
    """Wait until the proxy takes a node that came back for alive."""
    async with asyncio.timeout(60):
        await _made_on(site, "a")


async def _upgrade(database: str) -> None:
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "headwater", "db", "upgrade", "--database", database)
    )
    assert await child.wait() == 0


async def _playlist(http: httpx.AsyncClient, channel: str) -> str:
    """The playlist, as soon as there is one with a segment."""
    async with asyncio.timeout(60):
        while True:
            said = await http.get(f"/hls/{channel}/index.m3u8")
            if said.status_code == 200:
                return said.text
            assert said.status_code == 404, said.text


async def _offer() -> str:
    """What a viewer offers who looks whether there is something."""
    pc = RTCPeerConnection()
    pc.addTransceiver("video", direction="recvonly")
    await pc.setLocalDescription(await pc.createOffer())
    offer: str = pc.localDescription.sdp
    await pc.close()
    return offer


def _video(pc: RTCPeerConnection) -> MediaStreamTrack:
    (track,) = (each.receiver.track for each in pc.getTransceivers() if each.kind == "video")
    return track


@contextlib.asynccontextmanager
async def _socket(site: Site, path: str, token: str | None) -> AsyncIterator[ClientConnection]:
    """A WebSocket through the proxy, by somebody who has this token."""
    async with connect(f"wss://localhost:{site.proxy.port}{path}", ssl=TRUSTING, proxy=None) as socket:
        if token is not None:
            assert (await _ask(socket, "authenticate", token=token))["type"] == "authenticated"
        yield socket


async def _ask(socket: ClientConnection, name: str, **fields: str) -> dict[str, Any]:
    """What is answered; news are passed over."""
    await socket.send(json.dumps({"type": name, "id": 1, **fields}))
    async with asyncio.timeout(30):
        while (said := json.loads(await socket.recv())).get("id") != 1:
            pass
    assert isinstance(said, dict)
    return said


async def _raw(site: Site, head: str) -> bytes:
    """What is answered to a request that no library would send."""
    reader, writer = await asyncio.open_connection("127.0.0.1", site.proxy.port, ssl=TRUSTING)
    try:
        writer.write(head.encode())
        async with asyncio.timeout(30):
            return await reader.read()
    finally:
        writer.close()


_TARGETS = (
    "/metrics",
    "/%6detrics",
    "//metrics",
    "/metrics/",
    "/metrics?channelId=x",
    "/x/../metrics",
    "https://localhost/metrics",
)
_PRETENCES = (
    "Connection: close",
    "Connection: close\r\nX-Forwarded-For: 127.0.0.1",
    "Connection: close\r\nForwarded: for=127.0.0.1\r\nX-Real-IP: ::1",
    "Connection: close, X-Forwarded-For, X-Forwarded-Proto",
    "Connection: close\r\nX-Forwarded-Host: localhost\r\nX_Forwarded_For: 127.0.0.1",
)
