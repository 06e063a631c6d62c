"""What a connection is, told by its first bytes, however they come; nobody waits for ever."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator

import pytest

from headwater.servers import acceptor as module
from headwater.servers import http
from headwater.servers.acceptor import Acceptor, Kind, classify

CHECK = bytes.fromhex("0001 0008 2112a442") + bytes(12) + bytes.fromhex("0006 0003 613a6200")
FRAME = len(CHECK).to_bytes(2) + CHECK


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"GET / HTTP/1.1", Kind.WEB),
        (b"G", Kind.WEB),
        (b"\r\nGET /", Kind.WEB),
        (b"a", Kind.WEB),  # uvicorn says what it thinks of it
        (b"\x16\x03\x01", Kind.WEB),
        (b"\x16", Kind.WEB),
        (FRAME, Kind.MEDIA),
        (FRAME + FRAME, Kind.MEDIA),
        (b"", Kind.UNDECIDED),
        (FRAME[:-1], Kind.UNDECIDED),
        (b"\x00\x13", Kind.STRANGER),  # shorter than a header
        (b"\x02\x00", Kind.STRANGER),  # longer than a check
        (b"\xff\xff\xff\xff", Kind.STRANGER),
        (b"\x00\x40\x16", Kind.STRANGER),  # framed, and no STUN
        (b"\x00\x40\x00\x01\x00\x08GET ", Kind.STRANGER),  # no magic cookie
    ],
)
def test_the_first_bytes_say_what_it_is(head: bytes, kind: Kind) -> None:
    assert classify(head)[0] is kind


def test_a_check_in_pieces_is_undecided_until_it_is_whole() -> None:
    """At every cut the classifier says how many bytes it needs, and never fewer than it has."""
    for cut in range(len(FRAME)):
        kind, wanted = classify(FRAME[:cut])
        assert kind is Kind.UNDECIDED
        assert cut < wanted <= len(FRAME)


class Echo(asyncio.Protocol):
    """Says back what it gets."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Echo."""
        self.transport.write(data)


class Door:
    """An acceptor on a port of its own, and what it handed over."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.adopted: list[tuple[socket.socket, bytes]] = []
        self.acceptor = Acceptor([self.listener], serve=Echo, tls=None, adopt=self.adopt)

    def adopt(self, sock: socket.socket, check: bytes) -> bool:
        """Keep it."""
        self.adopted.append((sock, check))
        return True

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A client."""
        return await asyncio.open_connection(*self.listener.getsockname())

    async def until_adopted(self) -> tuple[socket.socket, bytes]:
        """The first connection that was handed over."""
        async with asyncio.timeout(20):
            while not self.adopted:  # noqa: ASYNC110 - it is handed over by a callback
                await asyncio.sleep(0.005)
        return self.adopted[0]


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    """An open door; every descriptor is given back."""
    before = len(os.listdir("/proc/self/fd"))
    door = Door()
    yield door
    door.acceptor.close()
    await door.acceptor.wait_closed()
    for sock, _ in door.adopted:
        sock.close()
    door.listener.close()
    async with asyncio.timeout(20):
        while len(os.listdir("/proc/self/fd")) > before:  # noqa: ASYNC110 - transports close in callbacks
            await asyncio.sleep(0.005)


async def closed_without_a_word(reader: asyncio.StreamReader) -> bool:
    """Whether the other side hangs up and says nothing."""
    async with asyncio.timeout(20):
        with contextlib.suppress(ConnectionError):
            return await reader.read() == b""
        return True


@pytest.mark.parametrize("first", [b"GET / HTTP/1.1\r\n", b"\x16\x03\x01\x02\x00"])
async def test_the_web_server_gets_every_byte(door: Door, first: bytes) -> None:
    """Also when they come one by one."""
    reader, writer = await door.connect()
    for position in range(len(first)):
        writer.write(first[position : position + 1])
        await writer.drain()
        await asyncio.sleep(0)
    assert await reader.readexactly(len(first)) == first
    assert door.acceptor.undecided == 0
    writer.close()


async def test_media_is_handed_over_unread(door: Door) -> None:
    """Whole or in pieces: who gets the descriptor finds the frame in it, and what came after it."""
    _, writer = await door.connect()
    for position in range(len(FRAME)):
        writer.write(FRAME[position : position + 1])
        await writer.drain()
        await asyncio.sleep(0.001)
    writer.write(b"more")
    await writer.drain()
    sock, check = await door.until_adopted()
    assert check == CHECK
    sock.setblocking(True)
    sock.settimeout(20)
    found = b""
    while len(found) < len(FRAME) + 4:
        found += sock.recv(100)
    assert found == FRAME + b"more"
    writer.close()


@pytest.mark.parametrize("rest", [b"\xff" * 40, b"\x00\x40" + b"\xff" * 64, b"\x01\xff" + bytes(600)])
async def test_a_stranger_hears_nothing(door: Door, rest: bytes) -> None:
    reader, writer = await door.connect()
    writer.write(rest)
    assert await closed_without_a_word(reader)
    assert door.adopted == []
    writer.close()


@pytest.mark.parametrize("first", [b"", FRAME[:1], FRAME[:29]])
async def test_who_holds_back_is_let_go(door: Door, first: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence, and a frame whose rest does not come, end; so does a frame that comes for ever."""
    monkeypatch.setattr(http, "HEAD_SECONDS", 0.1)
    monkeypatch.setattr(module, "FRAME_SECONDS", 0.1)
    reader, writer = await door.connect()
    writer.write(first)
    assert await closed_without_a_word(reader)
    assert door.acceptor.undecided == 0
    writer.close()


async def test_who_ends_in_the_middle_is_let_go_at_once(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "HEAD_SECONDS", 3600)  # it is no limit in time that ends it
    monkeypatch.setattr(module, "FRAME_SECONDS", 3600)
    reader, writer = await door.connect()
    writer.write(FRAME[:29])
    await writer.drain()
    writer.write_eof()
    assert await closed_without_a_word(reader)
    writer.close()


async def test_the_oldest_stranger_makes_room(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many connections say nothing, the next one is served."""
    monkeypatch.setattr(module, "MAX_UNDECIDED", 3)
    idle = [await door.connect() for _ in range(6)]
    reader, writer = await door.connect()
    writer.write(b"hello")
    async with asyncio.timeout(20):
        assert await reader.readexactly(5) == b"hello"
    assert door.acceptor.undecided <= 3
    assert await closed_without_a_word(idle[0][0])
    for _, each in [*idle, (reader, writer)]:
        each.close()
