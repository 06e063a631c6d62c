"""A packager at work on a router, with a client that publishes."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import struct
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from headwater import Router
from headwater.pipelines.ffmpeg import find_ffmpeg
from headwater.pipelines.hls import HlsOptions, HlsPackager
from tests.support.peer import Camera, Microphone, Peer

__all__ = ["bound", "inject", "packaged", "published", "segments", "until"]


@contextlib.asynccontextmanager
async def packaged(router: Router, folder: Path, **changes: Any) -> AsyncIterator[HlsPackager]:
    """A packager at work."""
    given = {"program": find_ffmpeg(), "segment_seconds": 1.0, "alone_seconds": 1.0, "height": 144, **changes}
    packager = HlsPackager(router, HlsOptions(**given), folder)
    running = asyncio.create_task(packager.run())
    try:
        yield packager
    finally:
        running.cancel()
        await asyncio.wait([running])


async def published(router: Router, peer: Peer, codec: str) -> None:
    """Picture and sound of a client, once they come."""
    publishing = await router.create_publish_transport()
    tracks = (Microphone(), Camera())
    await peer.publish(publishing, *tracks, codec=codec)
    for track in tracks:
        await (await publishing.publish(track.id)).wait_active()


async def segments(packager: HlsPackager, count: int) -> list[Path]:
    """Wait for so many segments in the window; their files, oldest first."""

    def listed() -> list[str]:
        playlist = packager.shelf.renditions.get("video")
        return [segment.uri for segment in playlist.segments] if playlist else []

    await until(lambda: len(listed()) >= count)
    found = [packager.shelf.file(name) for name in listed()]
    assert all(found)
    return [path for path in found if path]


async def until(condition: Callable[[], bool]) -> None:
    """Look again and again, at what a child does, whether it holds."""
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110  # files and other processes tell nobody
            await asyncio.sleep(0.05)


def bound(pid: int) -> list[tuple[str, int]]:
    """Where a process listens by UDP: address in the kernel's spelling, and port."""
    sockets = {entry.readlink().name for entry in Path(f"/proc/{pid}/fd").iterdir()}
    texts = [Path("/proc/net", file).read_text() for file in ("udp", "udp6")]
    rows = [line.split() for text in texts for line in text.splitlines()]
    found = [row[1].split(":") for row in rows if f"socket:[{row[9]}]" in sockets]
    return [(address, int(port, 16)) for address, port in found]


def inject(ports: list[int]) -> None:
    """Send pictures in the clear to ports of this machine: a stream for each payload type that there may be.

    A receiver without a key goes to the later of two sequences, so some begin in each quarter of the circle.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        for payload_type, begin in itertools.product(range(96, 128), range(0, 0x10000, 0x4000)):
            for number in range(begin, begin + 8):
                second = 0x80 | payload_type  # with the marker: each is a whole picture
                header = struct.pack("!BBHII", 0x80, second, number, number * 3000, 0x22222222)
                for port in ports:
                    stranger.sendto(header + b"\x65" + bytes(200), ("127.0.0.1", port))
