"""A publisher that knows no transport-wide feedback is told by REMB what its line carries.

aiortc is such a one: it sends no transport-wide numbers, and its encoder makes what REMB tells it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from aiortc.codecs.vpx import DEFAULT_BITRATE, MAX_BITRATE, MIN_BITRATE
from aiortc.rtp import RTCP_PSFB_APP, RtcpPsfbPacket, unpack_remb_fci
from av import VideoFrame

from headwater import Worker
from tests.support.peer import RATE, Camera, Peer

_TILE = 8
_SIZE = (320, 240)


class Crowd(Camera):
    """A picture in which everything moves: its encoder has use for every bit that it may send."""

    def __init__(self) -> None:
        super().__init__()
        self._random = np.random.default_rng(1)

    async def recv(self) -> VideoFrame:
        count = self._count
        await super().recv()
        width, height = _SIZE
        tiles = self._random.integers(0, 255, (height // _TILE, width // _TILE), dtype=np.uint8)
        luma = np.kron(tiles, np.ones((_TILE, _TILE), np.uint8))
        chroma = np.full((height // 2, width), 128, np.uint8)
        frame = VideoFrame.from_ndarray(np.vstack([luma, chroma]), format="yuv420p")
        frame.pts, frame.time_base = count * 90_000 // RATE, Fraction(1, 90_000)
        return frame


@dataclass(frozen=True, slots=True)
class Word:
    """A REMB, and what the sender's encoder is to make since, both bit/s."""

    rate: int
    sources: list[int]
    target: int


class Told:
    """What an aiortc sender is told by REMB, and what it makes of that itself."""

    def __init__(self, sender: Any) -> None:
        self.words: list[Word] = []
        self._sender = sender
        self._handle = sender._handle_rtcp_packet
        self._news = asyncio.Event()
        self._sender._handle_rtcp_packet = self._listen

    async def until(self, condition: Callable[[int], bool]) -> Word:
        """Wait for a rate that is so."""
        seen = len(self.words)
        async with asyncio.timeout(60):
            while True:
                for word in self.words[seen:]:
                    if condition(word.rate):
                        return word
                self._news.clear()
                await self._news.wait()

    async def _listen(self, packet: Any) -> None:
        await self._handle(packet)
        if isinstance(packet, RtcpPsfbPacket) and packet.fmt == RTCP_PSFB_APP:
            rate, sources = unpack_remb_fci(packet.fci)
            encoder = self._sender._RTCRtpSender__encoder
            self.words.append(Word(rate, sources, encoder.target_bitrate))
            self._news.set()


class Line:
    """What a sender's packets pass: a queue, and so many bit/s."""

    def __init__(self, sender: Any, rate: float) -> None:
        self._transport = sender.transport
        self._send, self._rate = sender.transport._send_rtp, rate
        self._queue: asyncio.Queue[bytes] = asyncio.Queue()
        self._transport._send_rtp = self._queue.put
        self._task = asyncio.create_task(self._carry())

    async def _carry(self) -> None:
        loop = asyncio.get_running_loop()
        free = loop.time()
        while True:
            packet = await self._queue.get()
            free = max(free, loop.time()) + len(packet) * 8 / self._rate
            await asyncio.sleep(free - loop.time())
            await self._send(packet)

    async def close(self) -> None:
        """Packets pass at once again."""
        self._transport._send_rtp = self._send
        self._task.cancel()
        await asyncio.wait([self._task])


async def test_its_encoder_follows_what_it_is_told(peer: Callable[[], Peer]) -> None:
    """More on a wide line than it began with, and less, at once, where its packets begin to wait."""
    async with Worker(threads=1, addresses=["127.0.0.1"]) as worker:
        transport = await (await worker.create_router()).create_publish_transport()
        alice, camera = peer(), Crowd()
        await alice.publish(transport, camera)
        answer = alice.connection.remoteDescription.sdp
        assert "goog-remb" in answer
        assert "transport-cc" not in answer
        publisher = await transport.publish(camera.id)
        (sender,) = alice.connection.getSenders()
        told = Told(sender)
        first = await told.until(lambda rate: rate > DEFAULT_BITRATE)
        await told.until(lambda rate: rate > first.rate * 1.15)
        half = float((await publisher.get_stats())["bitrate"]) / 2
        line = Line(sender, half)
        last = await told.until(lambda rate: rate < half)
        assert last.target <= max(MIN_BITRATE, half) < first.target
        known = int((await transport.get_stats())["available_incoming_bitrate"])
        assert known < first.rate
        for word in told.words:
            assert word.sources == [sender._ssrc]
            assert word.target == max(MIN_BITRATE, min(word.rate, MAX_BITRATE))
        await line.close()
        await alice.close()
