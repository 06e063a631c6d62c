"""A packager at work on a router, with a client that publishes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from headwater import Router
from headwater.pipelines.ffmpeg import find_ffmpeg
from headwater.pipelines.hls import HlsOptions, HlsPackager
from tests.support.peer import Camera, Microphone, Peer

__all__ = ["packaged", "published", "segments", "until"]


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
