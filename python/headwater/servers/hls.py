"""HLS of live channels over HTTP: ``/hls/{channelId}/index.m3u8`` and what it names.

While a channel is live a packager attends it. Its playlists are written here from memory, so nobody ever
gets half of one; segments are files, and in memory while they are new. A request for the first playlist of a
channel that has just gone live waits for the first segment instead of failing. After the broadcast playlists
say that they have ended, and all of it goes away after a grace period.
"""

from __future__ import annotations

import asyncio
import functools
import gzip
import hashlib
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from headwater.auth import Gate, PathSigner
from headwater.channels import Channel, Channels
from headwater.config import HlsSettings
from headwater.errors import ChannelNotFound, ConfigurationError, NotFound
from headwater.pipelines.ffmpeg import find_ffmpeg
from headwater.pipelines.hls import HlsOptions, HlsPackager
from headwater.pipelines.part_child import check_part_writer
from headwater.protocols.hls import Delivery, MediaPlaylist
from headwater.servers.hls_delivery import HlsDelivery
from headwater.servers.hls_files import SegmentMemory
from headwater.tasks import Tasks
from headwater.telemetry import get_logger

__all__ = ["HlsListener"]

_log = get_logger(__name__)


@dataclass(slots=True)
class _Broadcast:
    """One channel's HLS, until its grace period is over."""

    packager: HlsPackager
    folder: Path
    delivery: HlsDelivery
    over: bool = False
    ready: asyncio.Event = field(default_factory=asyncio.Event)


class HlsListener:
    """Packages live channels and serves what comes of it.

    Args:
        settings: How, and for how long.
        gate: Checks who may watch.
    """

    def __init__(self, settings: HlsSettings, *, gate: Gate) -> None:
        self._settings = settings
        self._gate = gate
        self._folder = Path()
        self._broadcasts: dict[str, _Broadcast] = {}
        self._memory = SegmentMemory()
        self._tasks = Tasks()
        self._channels: Channels | None = None

    def counts(self) -> dict[str, int]:
        """Gauges for the metrics."""
        packagers = [one.packager for one in self._broadcasts.values()]
        return {
            "hls_packagers": sum(packager.pid is not None for packager in packagers),
            "hls_restarts": sum(packager.restarts for packager in packagers),
        }

    def open(self, channels: Channels, folder: Path) -> None:
        """Begin; before the first channel goes live.

        Args:
            channels: Whose broadcasts are served.
            folder: For the files of all of them; what a process before left there is removed.

        Raises:
            ConfigurationError: Low latency is wanted, and what it needs is not installed.
        """
        if self._settings.enabled and self._settings.low_latency:
            check_part_writer()
        self._channels, self._folder = channels, folder.absolute()
        shutil.rmtree(folder, ignore_errors=True)
        for one in (folder.parent, folder):  # parents=True would give the parent to everybody
            one.mkdir(mode=0o700, exist_ok=True)

    async def close(self) -> None:
        """Remove all files."""
        await self._tasks.close()
        self._broadcasts.clear()
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)

    async def attend(self, channel: Channel) -> None:
        """Package a channel while it is live: an attendant of `Channels`."""
        if not self._settings.enabled:
            return
        try:
            options = self._options()
        except ConfigurationError as error:
            _log.warning("a channel is live without HLS", channel=channel.id, reason=str(error))
            return
        if (before := self._broadcasts.get(channel.id)) is not None:
            self._drop(channel.id, before)
        folder = self._folder / channel.id
        packager = HlsPackager(channel.router, options, folder)
        broadcast = self._broadcasts[channel.id] = _Broadcast(packager, folder, HlsDelivery(packager))
        looking = self._tasks.spawn(self._look_after(channel, broadcast), name=f"hls {channel.id}")
        try:
            await packager.run()
        finally:
            broadcast.over = True
            broadcast.ready.set()
            if looking:
                looking.cancel()
            self._tasks.spawn(self._forget(channel.id, broadcast), name=f"hls grace {channel.id}")

    def routes(self) -> APIRouter:
        """What is served."""
        router = APIRouter(tags=["hls"])
        router.add_api_route(_PATH, self._get, methods=["GET"], response_class=Response)
        router.add_api_route(_PATH, self._options_of, methods=["OPTIONS"], include_in_schema=False)
        return router

    def short_route(self) -> Route:
        """The way that GET and HEAD take; what is documented is `routes`.

        Hundreds of players ask for two files in each segment's time, and what FastAPI does before a handler
        (dependencies, exit stacks) costs as much as the handler.
        """
        return Route(_PATH, _ShortWay(self._get), methods=["GET", "HEAD"], include_in_schema=False)

    # --- packaging -------------------------------------------------------------------------------

    def _options(self) -> HlsOptions:
        settings = self._settings
        return HlsOptions(
            program=Path() if settings.low_latency else find_ffmpeg(settings.ffmpeg),
            container="cmaf" if settings.low_latency else settings.container,
            part_seconds=settings.part_seconds if settings.low_latency else 0.0,
            segment_seconds=settings.segment_seconds,
            window_seconds=max(settings.dvr_seconds, settings.window * settings.segment_seconds),
            height=settings.height,
            ladder=settings.ladder,
            least_free=settings.least_free,
        )

    async def _look_after(self, channel: Channel, broadcast: _Broadcast) -> None:
        """Wake those who wait for the first playlist, and keep the channel's thumbnail."""
        packager, changed = broadcast.packager, 0.0
        while True:
            if packager.shelf.ready:
                broadcast.ready.set()
            channel.rewind_seconds = min(map(_length, packager.shelf.renditions.values()), default=0.0)
            if packager.thumbnail.is_file() and (at := packager.thumbnail.stat().st_mtime) != changed:
                changed, channel.thumbnail = at, packager.thumbnail.read_bytes()
            await asyncio.sleep(_LOOK)

    async def _forget(self, channel_id: str, broadcast: _Broadcast) -> None:
        await asyncio.sleep(self._settings.grace_seconds)
        if self._broadcasts.get(channel_id) is broadcast:
            self._drop(channel_id, broadcast)

    def _drop(self, channel_id: str, broadcast: _Broadcast) -> None:
        del self._broadcasts[channel_id]
        self._memory.forget(broadcast.folder)
        shutil.rmtree(broadcast.folder, ignore_errors=True)

    # --- serving ---------------------------------------------------------------------------------

    async def _get(self, request: Request, channel_id: str, name: str) -> Response:
        """A playlist, a segment or an initialisation section of a channel."""
        assert self._channels is not None, "opened before it serves"
        here = channel_id in self._broadcasts
        channel = self._channels.get(channel_id) if here else await self._channels.find(channel_id)
        private = channel.record.visibility == "private"
        signed = self._admit(request, channel)
        broadcast = self._broadcasts.get(channel_id)
        if broadcast is None:
            raise ChannelNotFound("this channel has no HLS now")
        delivery = broadcast.delivery
        if name.endswith(".m3u8"):
            wanted = Delivery.parse(request.query_params.multi_items())
            await self._until_ready(broadcast)
            text = await delivery.playlist(name, signed, wanted)
            kept = _blocked_seconds(broadcast) if wanted.msn is not None else 0
            return self._text(request, text, private=private, kept=kept)
        return await self._file(request, await delivery.file(name), private=private)

    async def _file(self, request: Request, path: Path, *, private: bool) -> Response:
        """What never changes: from memory, or from the disk where a part is asked for or it is large."""
        sharing = "private" if private else "public"
        headers = {"Cache-Control": f"{sharing}, max-age=3600, immutable", **self._cors()}
        headers["ETag"] = f'"{path.stem}"'
        if request.headers.get("if-none-match") == headers["ETag"]:
            return Response(status_code=304, headers=headers)
        try:
            body = await self._memory.read(path) if "range" not in request.headers else None
        except FileNotFoundError:
            raise NotFound("this segment is not kept any more, or never was") from None
        if body is None:
            return FileResponse(path, media_type=_TYPES[path.suffix], headers=headers)
        return Response(body, media_type=_TYPES[path.suffix], headers=headers)

    def _admit(self, request: Request, channel: Channel) -> str:
        """Let pass who may watch, by token or by signed link.

        Returns:
            The signature, which what the playlist names has to carry too; empty without one.

        Raises:
            Unauthorized: Neither, or one that is not valid (any more).
            Forbidden: The token is for something else.
        """
        header, query = request.headers.get("authorization"), request.query_params
        if channel.record.visibility == "public" or header is not None or "signature" not in query:
            public = channel.record.visibility == "public"
            self._gate.may_view(header, channel.id, public=public)
            return ""
        self._gate.paths.check_path(
            f"/hls/{channel.id}/",
            channel=channel.id,
            query=query,
            revoked_at=channel.record.links_revoked_at,
        )
        return "?" + urlencode({name: query[name] for name in PathSigner.FIELDS})

    async def _options_of(self, channel_id: str, name: str) -> Response:
        """What another origin may do (CORS preflight)."""
        del channel_id, name
        allowed = {"Access-Control-Allow-Methods": "GET, HEAD", "Access-Control-Allow-Headers": _HEADERS}
        return Response(status_code=204, headers={**allowed, **self._cors()})

    async def _until_ready(self, broadcast: _Broadcast) -> None:
        try:
            async with asyncio.timeout(_FIRST_SECONDS):
                await broadcast.ready.wait()
        except TimeoutError:
            _log.info("no playlist in time", folder=broadcast.folder.name, reason=broadcast.packager.problem)
            raise NotFound("there is no playlist yet; ask again in a moment") from None

    def _text(self, request: Request, text: str, *, private: bool, kept: float) -> Response:
        sharing = "private" if private else "public"
        fresh = f"max-age={kept:.0f}" if kept else "max-age=0, must-revalidate"
        headers = {"Cache-Control": f"{sharing}, {fresh}", "Vary": "Accept-Encoding"}
        body, packed, etag = _encoded(text)
        headers |= {"ETag": etag, **self._cors()}
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers=headers)
        if packed and "gzip" in request.headers.get("accept-encoding", ""):
            body = packed
            headers["Content-Encoding"] = "gzip"
        return Response(body, media_type=_TYPES[".m3u8"], headers=headers)

    def _cors(self) -> dict[str, str]:
        origin = self._settings.cors
        if not origin:
            return {}
        exposed = {"Access-Control-Expose-Headers": "Content-Length, Content-Range"}
        return {"Access-Control-Allow-Origin": origin, **exposed}


@dataclass(frozen=True, slots=True)
class _ShortWay:
    """Starlette takes a function for a handler, and any other callable for an application: this is one."""

    get: Callable[..., Awaitable[Response]]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        response = await self.get(request, **request.path_params)
        await response(scope, receive, send)


def _blocked_seconds(broadcast: _Broadcast) -> float:
    """How long caches may keep a playlist that was asked for by the part it must have.

    It never changes until the broadcast is over; section 6.2.5.2 of the draft proposes six target durations.
    """
    return 0 if broadcast.over else _CACHED_TARGETS * broadcast.packager.shelf.target


@functools.lru_cache(maxsize=256)
def _encoded(text: str) -> tuple[bytes, bytes, str]:
    """A playlist as it is sent, as it is sent packed (empty: not worth it), and its tag.

    Hundreds of players get the same one: it is packed once.
    """
    body = text.encode()
    packed = gzip.compress(body, 5, mtime=0) if len(body) > _WORTH_PACKING else b""
    # Weak: both forms have the same (RFC 9110 section 8.8.3).
    return body, packed, f'W/"{hashlib.blake2s(body, digest_size=8).hexdigest()}"'


def _length(playlist: MediaPlaylist) -> float:
    """Seconds of what is listed."""
    return sum(segment.duration for segment in playlist.segments)


_PATH = "/hls/{channel_id}/{name}"
_TYPES = {
    ".m3u8": "application/vnd.apple.mpegurl",
    ".ts": "video/mp2t",
    ".m4s": "video/iso.segment",
    ".mp4": "video/mp4",
}
_HEADERS = "Authorization, Range"  # by name: "*" does not stand for the former
_LOOK = 0.2
_FIRST_SECONDS = 10.0
_WORTH_PACKING = 512
_CACHED_TARGETS = 6
