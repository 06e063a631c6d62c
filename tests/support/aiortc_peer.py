"""aiortc as a participant: an independent implementation of ICE, DTLS, SRTP and SCTP in Python.

`MarkerTrack` and `ToneTrack` are what it sends. `publish_by_whip` and `watch_by_whep` use HTTP,
`Signaled` joins by WebSocket and answers the server's offers, as a third-party client would.
"""

from __future__ import annotations

import asyncio
import contextlib
import fractions
import json
import time
from collections.abc import AsyncIterator
from typing import Any, Protocol

import httpx
import numpy as np
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame, VideoFrame
from websockets.asyncio.client import ClientConnection, connect

from tests.support.markers import marker_frame, read_marker
from tests.support.server import Server

__all__ = [
    "MarkerTrack",
    "Signaled",
    "Site",
    "ToneTrack",
    "expect_marker_frame",
    "publish_by_whip",
    "watch_by_whep",
]


class Site(Protocol):
    """Whatever a client reaches by HTTP: a node, or what stands in front of several."""

    def client(self) -> httpx.AsyncClient:
        """An HTTP client for it."""


_RATE = 48_000
_FRAME = 960
_FPS = 10


class MarkerTrack(MediaStreamTrack):
    """A camera that shows a marker."""

    kind = "video"

    def __init__(self, number: int, width: int = 320, height: int = 180) -> None:
        super().__init__()
        self._number, self._size = number, (width, height)
        self._step = 0
        self._start: float | None = None

    async def recv(self) -> VideoFrame:
        """The next frame, when it is due."""
        self._start = self._start or time.monotonic()
        await asyncio.sleep(max(0.0, self._start + self._step / _FPS - time.monotonic()))
        width, height = self._size
        luma = marker_frame(self._number, self._step, width, height)
        chroma = np.full((height // 2, width), 128, dtype=np.uint8)
        frame = VideoFrame.from_ndarray(np.vstack([luma, chroma]), format="yuv420p")
        frame.pts, frame.time_base = self._step * 90_000 // _FPS, fractions.Fraction(1, 90_000)
        self._step += 1
        return frame


class ToneTrack(MediaStreamTrack):
    """A microphone that hears one tone."""

    kind = "audio"

    def __init__(self, frequency: float) -> None:
        super().__init__()
        self._frequency = frequency
        self._sample = 0
        self._start: float | None = None

    async def recv(self) -> AudioFrame:
        """The next 20 ms, when they are due."""
        self._start = self._start or time.monotonic()
        await asyncio.sleep(max(0.0, self._start + self._sample / _RATE - time.monotonic()))
        at = np.arange(self._sample, self._sample + _FRAME)
        wave = (12_000 * np.sin(2 * np.pi * self._frequency * at / _RATE)).astype(np.int16)
        frame = AudioFrame.from_ndarray(wave.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate, frame.pts = _RATE, self._sample
        frame.time_base = fractions.Fraction(1, _RATE)
        self._sample += _FRAME
        return frame


@contextlib.asynccontextmanager
async def publish_by_whip(
    server: Site, room: str, number: int, tone: float
) -> AsyncIterator[RTCPeerConnection]:
    """Send a marker and a tone into `room`; leaves by DELETE."""
    pc = RTCPeerConnection()
    pc.addTrack(MarkerTrack(number))
    pc.addTrack(ToneTrack(tone))
    async with _session(server, f"/whip/{room}", pc):
        yield pc


@contextlib.asynccontextmanager
async def watch_by_whep(server: Site, room: str) -> AsyncIterator[RTCPeerConnection]:
    """Receive one video and one audio track of `room`; leaves by DELETE."""
    pc = RTCPeerConnection()
    pc.addTransceiver("video", direction="recvonly")
    pc.addTransceiver("audio", direction="recvonly")
    async with _session(server, f"/whep/{room}", pc):
        yield pc


@contextlib.asynccontextmanager
async def _session(server: Site, path: str, pc: RTCPeerConnection) -> AsyncIterator[None]:
    async with server.client() as http:
        try:
            await pc.setLocalDescription(await pc.createOffer())
            headers = {"content-type": "application/sdp"}
            response = await http.post(path, content=pc.localDescription.sdp, headers=headers)
            assert response.status_code == 201, response.text
            await pc.setRemoteDescription(RTCSessionDescription(response.text, "answer"))
            yield
            deleted = await http.delete(response.headers["location"])
            assert deleted.status_code in (200, 204), deleted.text
        finally:
            await pc.close()


async def expect_marker_frame(track: MediaStreamTrack, number: int, *, timeout: float = 45.0) -> None:
    """The track decodes to marker `number`.

    Raises:
        AssertionError: Not within `timeout` seconds; says what was seen.
    """
    seen: list[object] = []
    try:
        async with asyncio.timeout(timeout):
            while True:
                frame = await track.recv()
                assert isinstance(frame, VideoFrame)
                read = read_marker(frame.to_ndarray(format="gray"))
                if read == number:
                    return
                seen.append(read)
    except (TimeoutError, MediaStreamError) as error:
        raise AssertionError(f"no marker {number:#x} in {len(seen)} frames: {seen[-5:]}") from error


class Signaled:
    """A participant over WebSocket that receives: it answers every offer of the server."""

    def __init__(self, socket: ClientConnection) -> None:
        self.pc = RTCPeerConnection()
        self.tracks: dict[str, dict[str, Any]] = {}
        """What the server's last offer carries, by mid."""
        self._offered = asyncio.Event()
        self._socket = socket

    @classmethod
    @contextlib.asynccontextmanager
    async def join(cls, server: Server, meeting: str, name: str) -> AsyncIterator[Signaled]:
        """Join, answer offers until the end, leave."""
        url = f"{server.url.replace('http', 'ws', 1)}/signaling/join"
        async with connect(url, proxy=None) as socket, asyncio.TaskGroup() as tasks:
            peer = cls(socket)
            await peer._send({"type": "join", "meeting_id": meeting, "name": name, "id": 1})
            reader = tasks.create_task(peer._read())
            try:
                yield peer
            finally:
                reader.cancel()
                await peer.pc.close()

    def track(self, kind: str) -> MediaStreamTrack | None:
        """The received track of this kind that is on offer now."""
        for transceiver in self.pc.getTransceivers():
            if transceiver.kind == kind and transceiver.mid in self.tracks:
                return transceiver.receiver.track
        return None

    async def expect_track(self, kind: str, *, timeout: float = 45.0) -> MediaStreamTrack:
        """Wait until a track of this kind is on offer."""
        async with asyncio.timeout(timeout):
            while True:
                self._offered.clear()
                if (track := self.track(kind)) is not None:
                    return track
                await self._offered.wait()

    async def _read(self) -> None:
        async for text in self._socket:
            message = json.loads(text)
            if message["type"] == "error":
                raise AssertionError(message["problem"])
            if message["type"] == "offer":
                await self._answer(message)

    async def _answer(self, offer: dict[str, Any]) -> None:
        await self.pc.setRemoteDescription(RTCSessionDescription(offer["sdp"], "offer"))
        await self.pc.setLocalDescription(await self.pc.createAnswer())
        self.tracks = {track["mid"]: track for track in offer["tracks"] if track.get("mid") is not None}
        self._offered.set()
        await self._send({"type": "answer", "sdp": self.pc.localDescription.sdp, "transport": "subscribe"})

    async def _send(self, message: dict[str, Any]) -> None:
        await self._socket.send(json.dumps(message))
