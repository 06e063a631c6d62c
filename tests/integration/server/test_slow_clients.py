"""Clients that send a request letter by letter, or a head without end, are let go; others go on."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import httpx
import pytest

from headwater.app import Node
from tests.support.signaling import SignalingClient

HEAD = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tenths of seconds instead of tens."""
    monkeypatch.setattr("headwater.servers.http.HEAD_SECONDS", 0.3)
    monkeypatch.setattr("headwater.api.middleware.BODY_SECONDS", 0.3)


@contextlib.asynccontextmanager
async def connected(node: Node) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A bare TCP connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", node.port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def dribble(writer: asyncio.StreamWriter, letter: bytes = b"a") -> None:
    """Send one letter after the other until the other side has enough."""
    with contextlib.suppress(ConnectionError):
        while True:
            writer.write(letter)
            await writer.drain()
            await asyncio.sleep(0.02)


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """Dribble until the server hangs up; returns what it said."""
    sending = asyncio.create_task(dribble(writer))
    said = b""
    try:
        async with asyncio.timeout(20):
            with contextlib.suppress(ConnectionError):
                while part := await reader.read(65536):
                    said += part
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
    return said


@pytest.mark.parametrize("first", [b"", b"G", HEAD])
async def test_a_head_that_does_not_end_is_hung_up_on(dev: Node, first: bytes) -> None:
    async with connected(dev) as (reader, writer):
        writer.write(first)
        assert await answer(reader, writer) == b""


async def test_silence_is_hung_up_on(dev: Node) -> None:
    async with connected(dev) as (reader, _):
        async with asyncio.timeout(20):
            assert await reader.read() == b""


async def test_a_second_head_has_a_deadline_of_its_own(dev: Node) -> None:
    async with connected(dev) as (reader, writer):
        for _ in range(2):
            writer.write(HEAD + b"\r\n")
            async with asyncio.timeout(20):
                assert b"ok" in await reader.readuntil(b"}")
            await asyncio.sleep(0.4)  # longer than a head may take: idle is not slow
        assert await answer(reader, writer) == b""


async def test_a_body_that_does_not_end_is_408(dev: Node) -> None:
    for length in (b"Content-Length: 60000", b"Transfer-Encoding: chunked"):
        async with connected(dev) as (reader, writer):
            writer.write(b"POST /meetings HTTP/1.1\r\nHost: x\r\n" + length + b"\r\n")
            writer.write(b"Content-Type: application/json\r\n\r\n")
            writer.write(b"ffff\r\n" if b"chunked" in length else b"")
            said = await answer(reader, writer)
            assert said.startswith(b"HTTP/1.1 408"), said
            assert b"application/problem+json" in said


async def test_a_head_without_end_is_refused(dev: Node) -> None:
    async with connected(dev) as (reader, writer):
        writer.write(HEAD + b"X-Long: " + b"x" * 100_000)
        async with asyncio.timeout(20):
            said = await reader.read(65536)
        assert said.startswith(b"HTTP/1.1 400"), said


async def test_signalling_outlives_the_deadline_of_its_head(dev: Node) -> None:
    async with SignalingClient.join(dev.url, "demo") as ada:
        async with connected(dev) as (reader, writer):
            assert await answer(reader, writer) == b""
        assert (await ada.request("ping"))["type"] == "pong"
    async with httpx.AsyncClient(base_url=dev.url, trust_env=False, timeout=60) as http:
        assert (await http.get("/healthz")).status_code == 200
