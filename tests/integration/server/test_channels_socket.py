"""``/channels`` over a real WebSocket: the dialect by name and shape, and what is refused how."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from headwater.app import Node

_DEADLINE = 20.0
_DTLS = {"role": "client", "fingerprints": [{"algorithm": "sha-256", "value": ":".join(["AB"] * 32)}]}
_AUDIO: dict[str, Any] = {
    "mid": "0",
    "codecs": [{"mimeType": "audio/opus", "payloadType": 111, "clockRate": 48000, "channels": 2}],
    "headerExtensions": [],
    "encodings": [{"ssrc": 11}],
    "rtcp": {"cname": "c"},
}
_VIDEO: dict[str, Any] = {
    "mid": "1",
    "codecs": [
        {"mimeType": "video/VP8", "payloadType": 96, "clockRate": 90000},
        {"mimeType": "video/rtx", "payloadType": 97, "clockRate": 90000, "parameters": {"apt": 96}},
    ],
    "encodings": [{"rid": "r0"}, {"rid": "r1"}],
    "rtcp": {"cname": ""},
}


class Client:
    """One WebSocket; what comes unasked is kept."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.kept: list[dict[str, Any]] = []

    @classmethod
    @contextlib.asynccontextmanager
    async def open(
        cls, node: Node, path: str = "/channels", *, tls: ssl.SSLContext | None = None, **options: Any
    ) -> AsyncIterator[Client]:
        """Connect to a node."""
        address = node.url.replace("http", "ws", 1) + path
        async with connect(address, ssl=tls, proxy=None, compression=None, **options) as socket:
            yield cls(socket)

    async def send(self, **message: Any) -> None:
        """Send one message."""
        await self.socket.send(json.dumps(message))

    async def receive(self) -> dict[str, Any]:
        """The next message."""
        async with asyncio.timeout(_DEADLINE):
            message: dict[str, Any] = json.loads(await self.socket.recv())
        return message

    async def expect(self, kind: str) -> dict[str, Any]:
        """The first message of a type, now or later."""
        for message in self.kept:
            if message["type"] == kind:
                self.kept.remove(message)
                return message
        while (message := await self.receive())["type"] != kind:
            self.kept.append(message)
        return message

    async def ask(self, name: str, reply: str, /, **fields: Any) -> Any:
        """Send a request without an id, as the tutorials do; returns the data of the reply."""
        await self.send(type=name, **fields)
        return (await self.expect(reply))["data"]

    async def refused(self, name: str, /, **fields: Any) -> str:
        """Send a request that fails; returns the code of the problem."""
        await self.send(type=name, id=7, **fields)
        message = await self.expect("error")
        assert message["id"] == 7
        problem = message["data"]
        assert {"type", "title", "status", "detail", "code"} <= problem.keys()
        code: str = problem["code"]
        return code

    async def close_code(self) -> int | None:
        """Read until the server closes, and return with which code."""
        async with asyncio.timeout(_DEADLINE):
            with contextlib.suppress(ConnectionClosed):
                while True:
                    await self.socket.recv()
        return self.socket.close_code


async def go_live(client: Client) -> tuple[str, list[str]]:
    """The broadcaster's four pairs; returns the channel and the producers."""
    await client.send(type="getRouterRtpCapabilities")
    channel: str = (await client.expect("routerCapabilities"))["channelId"]
    await client.ask("createProducerTransport", "producerTransportCreated")
    await client.ask("connectProducerTransport", "producerConnected", dtlsParameters=_DTLS)
    producers = [
        (await client.ask("produce", "produced", kind=kind, rtpParameters=parameters))["id"]
        for kind, parameters in (("audio", _AUDIO), ("video", _VIDEO))
    ]
    return channel, producers


async def test_the_broadcasters_pairs(live: Node) -> None:
    """The four requests of a broadcaster have the replies, and the replies the shapes, that they must."""
    async with Client.open(live) as client:
        capabilities = await client.ask("getRouterRtpCapabilities", "routerCapabilities")
        assert {"codecs", "headerExtensions"} == capabilities.keys()
        created = await client.ask("createProducerTransport", "producerTransportCreated")
        assert {"id", "iceParameters", "iceCandidates", "dtlsParameters", "sctpParameters"} == created.keys()
        assert created["iceParameters"].keys() == {"usernameFragment", "password", "iceLite"}
        assert created["iceParameters"]["iceLite"] is True
        assert created["iceCandidates"][0].keys() >= {
            "foundation", "priority", "ip", "address", "protocol", "port", "type",
        }  # fmt: skip
        assert created["dtlsParameters"]["role"] == "auto"
        assert created["sctpParameters"].keys() >= {
            "port",
            "OS",
            "MIS",
            "maxMessageSize",
            "maxSendMessageSize",
        }
        await client.ask("connectProducerTransport", "producerConnected", dtlsParameters=_DTLS)
        produced = await client.ask(
            "produce", "produced", transportId=created["id"], kind="audio", rtpParameters=_AUDIO
        )
        assert produced.keys() == {"id"}
        assert (await client.expect("channelState"))["data"] == {"state": "live"}


_STREAM = {"streamId": 0, "ordered": True}


async def test_a_viewer_sends_data_alone(live: Node) -> None:
    """On a transport of its own, in a viewer's place: no tracks, and no end of the broadcast with it."""
    async with Client.open(live) as sender:
        channel, _ = await go_live(sender)
        async with Client.open(live, f"/channels/{channel}") as viewer:
            made = await viewer.ask("createProducerTransport", "producerTransportCreated", dataOnly=True)
            told = await viewer.ask("connectProducerTransport", "producerConnected", dtlsParameters=_DTLS)
            assert told["transportId"] == made["id"]
            assert await viewer.refused("produce", kind="audio", rtpParameters=_AUDIO) == "not_found"
            data = [
                await viewer.ask(
                    "produceData", "dataProduced", sctpStreamParameters=_STREAM | {"streamId": one}
                )
                for one in range(2)
            ]
            assert (await sender.expect("newDataProducer"))["data"]["dataProducerId"] == data[0]["id"]
            await viewer.ask("createConsumerTransport", "consumerTransportCreated")
            assert await viewer.refused("consumeData") == "publisher_not_found", "its own it knows"
            closed = {"dataProducerId": data[0]["id"]}
            assert await viewer.ask("closeDataProducer", "dataProducerClosed", **closed) == closed
            assert (await sender.expect("dataProducerGone"))["data"]["dataProducerId"] == data[0]["id"]
            assert live.channels.get(channel).viewer_count == 1
        assert (await sender.expect("dataProducerGone"))["data"]["dataProducerId"] == data[1]["id"]
        assert live.channels.get(channel).state == "live"


async def test_viewers_need_a_grant_to_send_data(production: Node) -> None:
    """Watching a public channel needs nothing, speaking up does; and there has to be a show."""
    production.channels.open("ada", slug="open-show")
    tls = ssl.create_default_context(cafile=str(production.settings.data / "tls-cert.pem"))
    mint = production.authority.mint
    for token, code in (
        (None, "unauthorized"),
        (mint(room="open-show", identity="bob", grants=["view"]), "forbidden"),
        (mint(room="other-show", identity="bob", grants=["data"]), "forbidden"),
        (mint(room="open-show", identity="bob", grants=["data"]), "channel_not_live"),
        (mint(room="open-show", identity="bob", grants=["publish"]), "channel_not_live"),
    ):
        async with Client.open(production, "/channels/open-show", tls=tls) as viewer:
            if token is not None:
                await viewer.ask("authenticate", "authenticated", token=token)
            assert await viewer.refused("createProducerTransport", dataOnly=True) == code


async def test_a_token_for_what_can_be_no_address(production: Node) -> None:
    """Who may open the channel that a token names hears why there can be none of that name."""
    tls = ssl.create_default_context(cafile=str(production.settings.data / "tls-cert.pem"))
    token = production.authority.mint(room="Friday Show", identity="ada", grants=["publish"])
    async with Client.open(production, tls=tls) as sender:
        await sender.ask("authenticate", "authenticated", token=token)
        assert await sender.refused("createProducerTransport") == "invalid_slug"


async def test_a_viewer(live: Node) -> None:
    """Each track is one ``subscribed``; consumers are told of what becomes of their producers."""
    async with Client.open(live) as sender, Client.open(live) as viewer:
        channel, (audio, video) = await go_live(sender)
        await viewer.send(type="getRouterRtpCapabilities", channelId=channel)
        capabilities = (await viewer.expect("routerCapabilities"))["data"]
        transport = await viewer.ask("createConsumerTransport", "consumerTransportCreated")
        assert (await viewer.expect("subTransportCreated"))["data"] == transport
        await viewer.send(type="consume", transportId=transport["id"], rtpCapabilities=capabilities)
        consumers = [(await viewer.expect("subscribed"))["data"] for _ in range(2)]
        assert [each["producerId"] for each in consumers] == [audio, video]
        assert [each["type"] for each in consumers] == ["simple", "simulcast"]
        assert {"id", "producerId", "kind", "rtpParameters", "type", "producerPaused"} == consumers[0].keys()
        await viewer.ask("connectConsumerTransport", "consumerConnected", dtlsParameters=_DTLS)
        await viewer.expect("subConnected")
        picture = consumers[1]["id"]
        await viewer.ask("resume", "resumed", consumerId=picture)
        await viewer.ask("setPreferredLayers", "preferredLayersSet", consumerId=picture, spatialLayer=0)
        await viewer.ask("requestKeyFrame", "keyFrameRequested", consumerId=picture)
        ice = await viewer.ask("restartIce", "iceRestarted", transportId=transport["id"])
        assert ice["iceParameters"]["usernameFragment"] != transport["iceParameters"]["usernameFragment"]
        await sender.ask("pauseProducer", "producerPaused", producerId=video)
        assert (await viewer.expect("producerpause"))["data"]["consumerId"] == picture
        await sender.ask("closeProducer", "producerClosed", producerId=video)
        assert (await viewer.expect("producerclose"))["data"]["consumerId"] == picture
        await sender.send(type="leave")
        assert await sender.close_code() == 1000
        assert (await viewer.expect("channelState"))["data"] == {"state": "ended"}
        assert live.worker.routers == ()


async def test_the_other_spelling(live: Node) -> None:
    """Who asks by the other names is answered by them, and by them alone."""
    async with Client.open(live) as sender, Client.open(live, "/channels?channelId=x") as lost:
        assert await lost.refused("createSubTransport") == "channel_not_found"
        channel, _ = await go_live(sender)
        async with Client.open(live, f"/channels/{channel}") as viewer:
            await viewer.send(type="createSubTransport", id="a")
            reply = await viewer.receive()
            assert (reply["type"], reply["id"]) == ("subTransportCreated", "a")
            await viewer.send(type="connectSubTransport", dtlsParameters=_DTLS, id="b")
            assert (await viewer.expect("subConnected"))["id"] == "b"


async def test_one_broadcaster(live: Node) -> None:
    """A second broadcaster is refused, and an early viewer hears when somebody goes live."""
    async with Client.open(live) as first:
        channel, _ = await go_live(first)
        async with Client.open(live, f"/channels/{channel}") as second:
            assert await second.refused("createProducerTransport") == "channel_busy"
            assert await second.refused("produce", kind="audio", rtpParameters=_AUDIO) == "not_found"
    record = live.channels.open("ada", slug="morning-show")
    async with Client.open(live, f"/channels/{record.id}") as early:
        await early.ask("getRouterRtpCapabilities", "routerCapabilities")
        assert await early.refused("createConsumerTransport") == "channel_not_live"
        async with Client.open(live, f"/channels/{record.id}") as sender:
            await go_live(sender)
            told = (await early.expect("newProducer"))["data"]
            assert told["kind"] == "audio"


@pytest.mark.parametrize(
    "message",
    [
        "",
        "[]",
        "null",
        "{",
        '{"id": 1}',
        '{"type": "unheard"}',
        '{"type": 5}',
        '{"type": "produce"}',
        "[" * 9999,
    ],
)
async def test_messages_that_are_none(dev: Node, message: str) -> None:
    """Whatever is no request is answered with a problem, and the connection goes on."""
    async with Client.open(dev) as client:
        await client.socket.send(message)
        assert (await client.expect("error"))["data"]["code"] == "invalid_message"
        await client.socket.send(b"\x00\x01")
        assert (await client.expect("error"))["data"]["code"] == "invalid_message"
        await client.ask("ping", "pong")


async def test_bounds(dev: Node) -> None:
    """A frame that is too large ends the connection; one transport too many is refused."""
    async with Client.open(dev) as client:
        for _ in range(4):
            await client.ask("createProducerTransport", "producerTransportCreated")
        assert await client.refused("createProducerTransport") == "limit_reached"
        await client.socket.send(json.dumps({"type": "ping", "padding": "x" * 70_000}))
        assert await client.close_code() == 1009
    async with asyncio.timeout(_DEADLINE):
        for router in dev.worker.routers:
            await router.wait_closed()
    assert dev.worker.routers == ()


async def test_silence(dev: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who says nothing is let go; who asked and never went live leaves no channel behind."""
    async with Client.open(dev) as client:
        await client.ask("getRouterRtpCapabilities", "routerCapabilities")
        (channel,) = dev.channels.channels
    async with asyncio.timeout(_DEADLINE):
        events = channel.events()
        async for _ in events:
            continue
    assert channel.over
    monkeypatch.setattr("headwater.api.channels.connection.FIRST_MESSAGE_SECONDS", 0.05)
    async with Client.open(dev) as client:
        assert await client.close_code() == 1008


async def test_strangers(production: Node) -> None:
    """Outside --dev sending needs a token that says so, watching a private channel one that lets watch."""
    tls = ssl.create_default_context(cafile=str(production.settings.data / "tls-cert.pem"))

    def token(room: str, *grants: str) -> str:
        return production.authority.mint(room=room, identity="ada", grants=grants)

    private = production.channels.open("ada", slug="board-room", visibility="private")
    path = f"/channels/{private.id}"
    async with Client.open(production, tls=tls) as guest:
        assert await guest.refused("createProducerTransport") == "unauthorized"
    async with Client.open(production, path, tls=tls) as guest:
        assert await guest.refused("getRouterRtpCapabilities") == "unauthorized"
        assert await guest.refused("authenticate", token="nonsense") == "unauthorized"
        await guest.ask("authenticate", "authenticated", token=token("other", "publish", "view"))
        assert await guest.refused("getRouterRtpCapabilities") == "forbidden"
        await guest.ask("authenticate", "authenticated", token=token(private.id, "view"))
        await guest.ask("getRouterRtpCapabilities", "routerCapabilities")
        assert await guest.refused("createProducerTransport") == "forbidden"
    given = token(private.id, "publish")
    async with Client.open(production, path, tls=tls, subprotocols=["headwater", given]) as sender:
        assert sender.socket.subprotocol == "headwater"
        await sender.ask("createProducerTransport", "producerTransportCreated")
    with pytest.raises(InvalidStatus):
        async with Client.open(production, tls=tls, additional_headers={"Origin": "https://evil.example"}):
            pass
