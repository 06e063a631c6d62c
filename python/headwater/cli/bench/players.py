"""Players of one HLS playlist, hundreds in one process: the load that `headwater bench channel` adds.

Each has a connection of its own and does what a player does (RFC 8216 section 6.3): it begins three
segments before the end, fetches each segment once, and asks for the playlist again after a target
duration, or half of one when nothing was new. It shows nothing, but keeps the clock of what it would show,
so it knows when it would stand still.

Run as a program, it prints its `Tally` as a line of JSON for each line on standard input, and ends with it.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from urllib.parse import urljoin, urlsplit

import uvloop

from headwater.protocols.hls import MediaPlaylist, parse_media_playlist

__all__ = ["Player", "Tally", "run_players"]


@dataclass(slots=True)
class Tally:
    """What all players got, since they began.

    Attributes:
        playing: Players that have a segment.
        playlists: Playlists fetched.
        segments: Segments fetched.
        octets: Bytes of bodies.
        missed: Segments that had left the playlist before they were asked for.
        wrong: Answers that were not what was asked for: status, size, first byte.
        stalls: Times that a player would have stood still.
        playlist_ms: How long each playlist took.
        segment_ms: How long each segment took.
        cpu: Seconds that this process has used.
    """

    playing: int = 0
    playlists: int = 0
    segments: int = 0
    octets: int = 0
    missed: int = 0
    wrong: int = 0
    stalls: int = 0
    playlist_ms: list[float] = field(default_factory=list)
    segment_ms: list[float] = field(default_factory=list)
    cpu: float = 0.0


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    size: int
    body: bytes
    """All of it, or its first bytes only."""


class _Connection(asyncio.BufferedProtocol):
    """One HTTP/1.1 connection that is kept; every answer has a Content-Length."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._body = bytearray()
        self._whole = True
        self._status = self._length = self._got = 0
        self._packed = False
        self._answer: asyncio.Future[_Answer] | None = None
        self._transport: asyncio.Transport | None = None

    @property
    def closed(self) -> bool:
        return self._transport is None or self._transport.is_closing()

    async def get(self, host: str, path: str, *, whole: bool) -> _Answer:
        """Ask for a path; of bodies that are not wanted ``whole`` only the beginning is kept."""
        assert self._transport is not None
        self._whole = whole
        self._answer = asyncio.get_running_loop().create_future()
        packing = "accept-encoding: gzip\r\n" if whole else ""
        self._transport.write(f"GET {path} HTTP/1.1\r\nhost: {host}\r\n{packing}\r\n".encode())
        async with asyncio.timeout(_TIMEOUT):
            return await self._answer

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport) or hasattr(transport, "write")
        self._transport = transport  # type: ignore[assignment]  # uvloop's are no subclass

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or ConnectionResetError("the server hung up"))

    def get_buffer(self, sizehint: int) -> memoryview:
        del sizehint
        return _SCRATCH  # one for all: what is read is taken before the next read

    def buffer_updated(self, nbytes: int) -> None:
        piece = _SCRATCH[:nbytes]
        if self._status == 0:
            self._head += piece
            end = self._head.find(b"\r\n\r\n")
            if end < 0:
                return
            self._begin(self._head[:end].decode("latin-1"))
            piece = memoryview(bytes(self._head[end + 4 :]))
            self._head.clear()
        self._got += len(piece)
        if self._whole or not self._body:
            self._body += piece if self._whole else piece[:_BEGINNING]
        if self._got >= self._length:
            self._finish()

    def _begin(self, head: str) -> None:
        status, *lines = head.split("\r\n")
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        self._status = int(status.split(" ", 2)[1])
        self._length = int(fields.get("content-length", "0"))
        self._packed = fields.get("content-encoding") == "gzip"

    def _finish(self) -> None:
        body = bytes(self._body)
        answer = _Answer(self._status, self._got, gzip.decompress(body) if self._packed else body)
        self._body.clear()
        self._status = self._got = 0
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(answer)


class Player:
    """One viewer.

    Args:
        url: Of the playlist.
        tally: Where it counts.
        sizes: Of segments that some player has fetched: all get the same.
    """

    def __init__(self, url: str, tally: Tally, sizes: dict[str, int]) -> None:
        self._url, self._tally, self._sizes = url, tally, sizes
        self._host = urlsplit(url).netloc
        self._address = (urlsplit(url).hostname or "", urlsplit(url).port or 80)
        self._connection: _Connection | None = None
        self._next = -1
        self._clock: float | None = None
        """When what it has fetched so far has been shown."""

    async def play(self) -> None:
        """Go on until cancelled."""
        try:
            while True:
                begun = time.monotonic()
                playlist = await self._playlist()
                new = await self._take(playlist) if playlist else 0
                pause = (playlist.target if playlist else 2.0) * (1.0 if new else 0.5)
                await asyncio.sleep(max(0.0, begun + pause - time.monotonic()))
        finally:
            if self._connection:
                self._connection.close()

    async def _take(self, playlist: MediaPlaylist) -> int:
        end = playlist.sequence + len(playlist.segments)
        if self._next < 0:
            self._next = max(playlist.sequence, end - _BEHIND)
        if self._next < playlist.sequence:
            self._tally.missed += playlist.sequence - self._next
            self._next = playlist.sequence
        new = playlist.segments[self._next - playlist.sequence :]
        for segment in new:
            await self._segment(segment.uri)
            now = time.monotonic()
            if self._clock is None:
                self._tally.playing += 1
            elif now > self._clock:
                self._tally.stalls += 1
            self._clock = max(self._clock or now, now) + segment.duration
            self._next += 1
        return len(new)

    async def _playlist(self) -> MediaPlaylist | None:
        answer = await self._timed(self._url, self._tally.playlist_ms, whole=True)
        if answer is None or answer.status != 200:
            self._tally.wrong += 1
            return None
        self._tally.playlists += 1
        if b"#EXT-X-STREAM-INF" in answer.body:
            lines = answer.body.decode().splitlines()
            first = next(line for line in lines if line and not line.startswith("#"))
            self._url = urljoin(self._url, first)
            return await self._playlist()
        return _parsed(answer.body)

    async def _segment(self, uri: str) -> None:
        answer = await self._timed(urljoin(self._url, uri), self._tally.segment_ms, whole=False)
        right = answer is not None and answer.status == 200 and self._sound(uri, answer)
        self._tally.segments += right
        self._tally.wrong += not right

    def _sound(self, uri: str, answer: _Answer) -> bool:
        """Whether it is a segment, and as long as everybody's."""
        if uri.partition("?")[0].endswith(".ts") and (answer.body[:1] != b"\x47" or answer.size % 188):
            return False
        return answer.size > 0 and self._sizes.setdefault(uri, answer.size) == answer.size

    async def _timed(self, url: str, took: list[float], *, whole: bool) -> _Answer | None:
        begun = time.monotonic()
        parts = urlsplit(url)
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        try:
            if self._connection is None or self._connection.closed:
                loop = asyncio.get_running_loop()
                _, self._connection = await loop.create_connection(_Connection, *self._address)
            answer = await self._connection.get(self._host, path, whole=whole)
        except OSError:  # TimeoutError is one
            if self._connection:
                self._connection.close()
            return None
        took.append((time.monotonic() - begun) * 1000)
        self._tally.octets += answer.size
        return answer


async def run_players(url: str, count: int, *, over: float, lines: asyncio.StreamReader) -> None:
    """Play until ``lines`` ends; each line is answered by the tally, and begins the lists of times anew.

    Args:
        url: Of the playlist.
        count: Players.
        over: They come one after the other in so many seconds.
        lines: Of standard input.
    """
    tally, sizes = Tally(), dict[str, int]()
    players: set[asyncio.Task[None]] = set()

    async def come() -> None:
        for _ in range(count):
            players.add(asyncio.create_task(Player(url, tally, sizes).play()))
            await asyncio.sleep(over / count)

    coming = asyncio.create_task(come())
    while await lines.readline():
        if failed := next((one for one in players if one.done()), None):
            failed.result()  # raises
        tally.cpu = time.process_time()
        print(json.dumps(asdict(tally)), flush=True)
        tally.playlist_ms, tally.segment_ms = [], []
    for task in (coming, *players):
        task.cancel()
    await asyncio.gather(coming, *players, return_exceptions=True)


def _cached(parse: Callable[[str], MediaPlaylist]) -> Callable[[bytes], MediaPlaylist]:
    """The last few answers are the same for hundreds of players."""
    known: dict[bytes, MediaPlaylist] = {}

    def parsed(body: bytes) -> MediaPlaylist:
        if body not in known:
            if len(known) > _KNOWN:
                known.clear()
            known[body] = parse(body.decode())
        return known[body]

    return parsed


async def _main(url: str, count: int, over: float) -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    await run_players(url, count, over=over, lines=reader)


_parsed = _cached(parse_media_playlist)
_SCRATCH = memoryview(bytearray(512 * 1024))
_BEHIND = 3
_BEGINNING = 16
_KNOWN = 16
_TIMEOUT = 30.0

if __name__ == "__main__":
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cores[-1:])  # beside the generator, away from the node
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
