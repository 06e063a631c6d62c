"""A signalling client that says exactly what a test wants it to say."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator
from typing import Any

import msgspec
from websockets.asyncio.client import ClientConnection, connect

from headwater.api.messages import ServerMessage

__all__ = ["SignalingClient"]

_DEADLINE = 30.0
_decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(ServerMessage)


class SignalingClient:
    """One WebSocket; every message received is checked against the published types."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.joined: dict[str, Any] = {}
        self._kept: list[dict[str, Any]] = []

    @classmethod
    @contextlib.asynccontextmanager
    async def open(
        cls,
        url: str,
        *,
        path: str = "/signaling/join",
        origin: str | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> AsyncIterator[SignalingClient]:
        """Connect to a node's URL without saying anything yet."""
        address = f"{url.replace('http', 'ws', 1)}{path}"
        headers = {"Origin": origin} if origin else None
        async with connect(
            address, additional_headers=headers, ssl=tls, proxy=None, compression=None, max_size=None
        ) as socket:
            yield cls(socket)

    @classmethod
    @contextlib.asynccontextmanager
    async def join(
        cls, url: str, room: str, *, tls: ssl.SSLContext | None = None, **fields: Any
    ) -> AsyncIterator[SignalingClient]:
        """Connect and join."""
        async with cls.open(url, tls=tls) as client:
            await client.send(type="join", meeting_id=room, id="join", **fields)
            client.joined = await client.expect("joined")
            yield client

    async def send(self, **message: Any) -> None:
        """Send one message."""
        await self.socket.send(json.dumps(message))

    async def receive(self) -> dict[str, Any]:
        """The next message, whatever it is."""
        async with asyncio.timeout(_DEADLINE):
            text = await self.socket.recv()
        _decoder.decode(text)
        message: dict[str, Any] = json.loads(text)
        return message

    async def expect(self, kind: str, **fields: Any) -> dict[str, Any]:
        """The first message of a type (with these fields), now or later; others are kept.

        Raises:
            AssertionError: It does not come in time.
        """

        def fits(message: dict[str, Any]) -> bool:
            return message["type"] == kind and all(message.get(k) == v for k, v in fields.items())

        for message in self._kept:
            if fits(message):
                self._kept.remove(message)
                return message
        try:
            while True:
                message = await self.receive()
                if fits(message):
                    return message
                self._kept.append(message)
        except TimeoutError:
            kinds = [m["type"] for m in self._kept]
            raise AssertionError(f"no {kind} {fields}; received {kinds}") from None

    async def request(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Send a request and return its reply, an error too."""
        await self.send(type=kind, id="request", **fields)
        while True:
            message = await self.receive()
            if message.get("id") == "request":
                return message
            self._kept.append(message)

    async def close_code(self) -> int | None:
        """Read until the server closes, and return with which code."""
        async with asyncio.timeout(_DEADLINE):
            with contextlib.suppress(Exception):
                while True:
                    await self.socket.recv()
            await self.socket.wait_closed()
        return self.socket.close_code
