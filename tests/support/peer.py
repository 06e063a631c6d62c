"""An aiortc client that publishes and watches, standing for a browser in integration tests."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Iterable
from fractions import Fraction
from typing import Any

import numpy as np
from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCPeerConnection,
    RTCRtpSender,
    RTCSessionDescription,
)
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame, VideoFrame

from headwater import PublishTransport, SubscribeTransport
from headwater.protocols.sdp import parse_sdp

RATE = 15
"""Video frames a second: little work for a small machine, enough to see."""

SIZE = (160, 120)


class Camera(MediaStreamTrack):
    """A moving grey picture; ``shade`` can be read back from a decoded frame."""

    kind = "video"

    def __init__(self, shade: int = 128) -> None:
        super().__init__()
        self.shade = shade
        self._count = 0

    async def recv(self) -> VideoFrame:
        await _pace(self, self._count / RATE)
        picture = np.full((SIZE[1], SIZE[0], 3), self.shade, np.uint8)
        picture[:8, (self._count * 8) % SIZE[0] :][:, :8] = 255 - self.shade
        frame = VideoFrame.from_ndarray(picture, format="rgb24")
        frame.pts, frame.time_base = self._count * 90000 // RATE, Fraction(1, 90000)
        self._count += 1
        return frame


class Microphone(MediaStreamTrack):
    """A sine tone of 440 Hz, in packets of 20 ms."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._count = 0

    async def recv(self) -> AudioFrame:
        await _pace(self, self._count * 0.02)
        at = np.arange(self._count * 960, (self._count + 1) * 960)
        samples = (8000 * np.sin(2 * np.pi * 440 * at / 48000)).astype(np.int16)
        frame = AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 48000, self._count * 960, Fraction(1, 48000)
        self._count += 1
        return frame


class Peer:
    """One peer connection of a client; publishes on one or watches on one."""

    def __init__(self) -> None:
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.frames: Counter[str] = Counter()
        """Decoded frames by mid."""
        self.last: dict[str, Any] = {}
        """Newest decoded frame by mid."""
        self.messages: asyncio.Queue[tuple[str, str | bytes]] = asyncio.Queue()
        self.channels: dict[str, Any] = {}
        self._news = asyncio.Event()
        self._readers: list[asyncio.Task[None]] = []
        self.connection.on("track", self._on_track)
        self.connection.on("datachannel", self._on_channel)

    async def publish(
        self, transport: PublishTransport, *tracks: MediaStreamTrack, codec: str = "VP8"
    ) -> None:
        """Send tracks, video in one codec: offer, and take the answer."""
        for track in tracks:
            self.connection.addTrack(track)
        wanted = ("video/rtx", f"video/{codec}".lower())
        known = RTCRtpSender.getCapabilities("video").codecs
        for transceiver in self.connection.getTransceivers():
            if transceiver.kind == "video":
                transceiver.setCodecPreferences([c for c in known if c.mimeType.lower() in wanted])
        await self.offer(transport)

    async def offer(self, transport: PublishTransport) -> None:
        """Offer what there is now."""
        await self.connection.setLocalDescription(await self.connection.createOffer())
        answer = await transport.get_answer(self.connection.localDescription.sdp)
        await self.set_remote(answer, "answer")

    async def answer(self, transport: SubscribeTransport, offer: str) -> None:
        """Take the server's offer and answer it."""
        await self.set_remote(offer, "offer")
        await self.connection.setLocalDescription(await self.connection.createAnswer())
        await transport.set_answer(self.connection.localDescription.sdp)

    async def watch(
        self, transport: SubscribeTransport, *kinds: str, publisher_ids: Iterable[str] = ()
    ) -> None:
        """Offer to receive, as WHEP clients do."""
        for kind in kinds:
            self.connection.addTransceiver(kind, direction="recvonly")
        await self.connection.setLocalDescription(await self.connection.createOffer())
        answer = await transport.get_answer(self.connection.localDescription.sdp, publisher_ids)
        await self.set_remote(answer, "answer")

    def stop(self, track: MediaStreamTrack) -> None:
        """Stop sending a track; the next offer says so."""
        for transceiver in self.connection.getTransceivers():
            if transceiver.sender.track is track:
                transceiver.sender.replaceTrack(None)
                transceiver.direction = "inactive"
        track.stop()

    def open_channel(self, label: str, **options: Any) -> Any:
        """Open a data channel towards the server."""
        channel = self.connection.createDataChannel(label, **options)
        self._on_channel(channel)
        return channel

    async def received(self, mid: str, count: int = 1, seconds: float = 30) -> None:
        """Wait until ``count`` more frames of an m-line have been decoded."""
        goal = self.frames[mid] + count
        await self.until(lambda: self.frames[mid] >= goal, seconds)

    async def received_nothing(self, mid: str, seconds: float = 1.0) -> None:
        """Check that an m-line stays silent, once what is on its way has arrived."""
        await asyncio.sleep(0.3)
        with contextlib.suppress(TimeoutError):
            await self.received(mid, 1, seconds)
            raise AssertionError(f"m-line {mid} still receives")

    async def until(self, condition: Any, seconds: float = 30) -> None:
        """Wait until a condition on what was received holds."""
        async with asyncio.timeout(seconds):
            while not condition():
                self._news.clear()
                await self._news.wait()

    async def say_goodbye(self) -> None:
        """Send a DTLS close_notify and nothing else: `close` ends data channels first."""
        await self.connection.getTransceivers()[0].receiver.transport.stop()

    async def close(self) -> None:
        """Hang up."""
        await self.connection.close()
        for reader in self._readers:
            reader.cancel()
        await asyncio.gather(*self._readers, return_exceptions=True)
        self._readers.clear()

    async def set_remote(self, sdp: str, kind: str) -> None:
        """Set the server's description."""
        await set_remote(self.connection, sdp, kind)

    def _on_track(self, track: MediaStreamTrack) -> None:
        (mid,) = [t.mid for t in self.connection.getTransceivers() if t.receiver.track is track]
        assert mid is not None, "the description that brought the track named its m-line"
        self._readers.append(asyncio.get_running_loop().create_task(self._read(mid, track)))

    async def _read(self, mid: str, track: MediaStreamTrack) -> None:
        while True:
            try:
                self.last[mid] = await track.recv()
            except MediaStreamError:
                return
            self.frames[mid] += 1
            self._news.set()

    def _on_channel(self, channel: Any) -> None:
        self.channels[channel.label] = channel
        channel.on("message", lambda message: self.messages.put_nowait((channel.label, message)))
        channel.on("open", self._news.set)
        channel.on("close", self._news.set)
        self._news.set()


async def set_remote(connection: RTCPeerConnection, sdp: str, kind: str) -> None:
    """Set the server's description, and make up for two things that aiortc does not do.

    It gives the second line of a kind on a new connection the transport of the first, and then moves
    only the first one to the bundle's: the second would stay on a transport that is stopped. And it
    learns the SSRC of an m-line once, so a track that takes over an m-line would be discarded.
    """
    await connection.setRemoteDescription(RTCSessionDescription(sdp, kind))
    transceivers, sctp = connection.getTransceivers(), connection.sctp
    media = parse_sdp(sdp).media
    primary = sctp.transport if sctp and sctp.mid == media[0].mid else transceivers[0].receiver.transport
    for transceiver in transceivers:
        if transceiver.receiver.transport is not primary:
            transceiver.receiver.setTransport(primary)
            transceiver.sender.setTransport(primary)
        for section in media:
            if section.mid == transceiver.mid:
                for line in section.attributes("ssrc"):
                    primary._rtp_router.ssrc_table[int(line.split()[0])] = transceiver.receiver


async def _pace(track: MediaStreamTrack, at: float) -> None:
    """Sleep until ``at`` seconds after the first frame: a camera has a clock."""
    now = asyncio.get_running_loop().time()
    start: float = track.__dict__.setdefault("_started", now)
    await asyncio.sleep(max(0.0, start + at - now))
    if track.readyState != "live":
        raise MediaStreamError
