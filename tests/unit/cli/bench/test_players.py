"""Players as the bench's load: what they fetch, and what they notice."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
from collections.abc import AsyncIterator

import pytest

from headwater.cli.bench.players import Player, Tally

SEGMENT = b"\x47" + bytes(187)


class Shelf:
    """A server that answers from a table, and keeps who asked for what."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.packed = True
        self.serving: set[asyncio.Task[object]] = set()

    def list(self, first: int, count: int) -> None:
        """Write a playlist of segments of 10 ms, so that a player is soon through."""
        lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:1", f"#EXT-X-MEDIA-SEQUENCE:{first}"]
        for number in range(first, first + count):
            self.files[f"/hls/c/{number}.ts"] = SEGMENT
            lines += ["#EXTINF:0.01,", f"{number}.ts"]
        self.files["/hls/c/index.m3u8"] = "\n".join([*lines, ""]).encode()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.serving.add(task)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError), contextlib.closing(writer):
            while True:
                path = (await reader.readuntil(b"\r\n\r\n")).split(b" ")[1].decode()
                self.asked.append(path)
                body = self.files.get(path)
                status, head = ("404 Not Found", "") if body is None else ("200 OK", "")
                body = body or b""
                if path.endswith(".m3u8") and self.packed:
                    body, head = gzip.compress(body), "content-encoding: gzip\r\n"
                answer = f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\n{head}\r\n".encode() + body
                for at in range(0, len(answer), 50):  # in pieces, as a network has it
                    writer.write(answer[at : at + 50])
                    await writer.drain()
                    await asyncio.sleep(0)


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@contextlib.asynccontextmanager
async def playing(shelf: Shelf, tally: Tally) -> AsyncIterator[None]:
    """One player at work."""
    server = await asyncio.start_server(shelf.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    task = asyncio.create_task(Player(f"http://127.0.0.1:{port}/hls/c/index.m3u8", tally, {}).play())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        server.close()
        await server.wait_closed()
        await asyncio.gather(*shelf.serving, return_exceptions=True)


async def reached(condition: object) -> None:
    async with asyncio.timeout(20):
        while not condition():  # type: ignore[operator]  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_player_begins_near_the_end_and_goes_on(shelf: Shelf) -> None:
    """Each segment once, by one connection; one that had left before it was asked for is missed."""
    tally = Tally()
    shelf.list(5, 6)
    async with playing(shelf, tally):
        await reached(lambda: tally.segments == 3)
        assert shelf.asked == ["/hls/c/index.m3u8", *(f"/hls/c/{number}.ts" for number in (8, 9, 10))]
        assert tally.playing == 1
        shelf.list(12, 3)
        await reached(lambda: tally.segments == 6)
    assert (tally.missed, tally.wrong, tally.octets > 6 * 188) == (1, 0, True)
    assert len(tally.segment_ms) == 6


async def test_a_player_notices_what_is_not_right(shelf: Shelf) -> None:
    """A segment that is gone, one that is no MPEG-TS, and standing still until the next one came."""
    tally = Tally()
    shelf.list(0, 3)
    shelf.packed = False
    del shelf.files["/hls/c/0.ts"]
    shelf.files["/hls/c/1.ts"] = b"<html>"
    async with playing(shelf, tally):
        await reached(lambda: tally.segments == 1)
        assert tally.wrong == 2
        shelf.list(3, 1)
        await reached(lambda: tally.segments == 2)
    assert tally.stalls >= 1
