"""HLS of one router: sealed RTP to a supervised FFmpeg, its segments into playlists of ours.

Life of a packager, which is one `run`::

    waiting -> packaging -> restarting -> packaging -> ... until cancelled
                  `- disk_full: nothing is written until there is room again

FFmpeg is watched, not trusted. It is started anew, with a discontinuity, when it ends, when it is silent
while packets go to it, when it reports but no segment comes, and when what it packages has changed. Its
playlists are read, never served: ours list whole segments only. RTP goes to it over loopback, sealed with
a key that stands in its SDP file, so nobody else's packets become part of the recording.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import secrets
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from headwater.errors import Closed, HeadwaterError, ResourceError
from headwater.media.plain_track import PlainTrack
from headwater.media.plain_transport import PlainTransport
from headwater.media.port_pair import PortPair
from headwater.media.publisher import Publisher
from headwater.media.router import Router
from headwater.pipelines.child import Child
from headwater.pipelines.feeding import Feeding
from headwater.pipelines.ffmpeg import run_ffmpeg
from headwater.pipelines.hanging import Hanging
from headwater.pipelines.hls_command import (
    SOUND_BITRATE,
    SOUND_ONLY,
    Container,
    Packaging,
    Picture,
    arguments,
)
from headwater.pipelines.hls_parts import PartShelf
from headwater.pipelines.hls_segments import SegmentShelf
from headwater.pipelines.part_child import run_part_writer
from headwater.pipelines.renditions import LARGE, best, better, is_layered, is_whole, pictures
from headwater.telemetry import get_logger

__all__ = ["HlsOptions", "HlsPackager", "Shape"]

_log = get_logger(__name__)
State = Literal["waiting", "packaging", "restarting", "disk_full"]


@dataclass(frozen=True, slots=True)
class HlsOptions:
    """How a router is packaged.

    Attributes:
        program: FFmpeg.
        container: What segments are: MPEG-TS or fragmented MP4.
        segment_seconds: Length of a segment; key frames are asked for on this grid.
        window_seconds: How far back a playlist reaches: what viewers may rewind.
        height: Lines of pictures that have to be encoded again, without a ladder.
        ladder: Heights in which pictures are encoded besides, see `headwater.pipelines.renditions`.
        least_free: Bytes that stay free on the disk.
        alone_seconds: How long sound waits for pictures, and pictures for sound.
    """

    program: Path
    container: Container = "ts"
    segment_seconds: float = 2.0
    window_seconds: float = 12.0
    height: int = 720
    ladder: Sequence[int] = ()
    least_free: int = 64 * 1024 * 1024
    alone_seconds: float = 3.0
    part_seconds: float = 0.0
    """Longest part of a segment, for low latency; 0: whole segments alone."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What a rendition looks like: pixels and most bit/s (0: not known), codecs as in RFC 6381."""

    width: int = 0
    height: int = 0
    codecs: str = ""
    bitrate: int = 0


@dataclass(frozen=True, slots=True)
class _Source:
    """What is packaged: at most one picture, in one or several renditions, and one sound."""

    video: Publisher | None
    audio: Publisher | None
    pictures: Sequence[Picture] = ()
    """Its renditions, smallest first."""

    def changed(self, now: _Source) -> bool:
        """Whether FFmpeg must be told anew; something that only falls silent is no change."""
        return (now.video or self.video) is not self.video or (now.audio or self.audio) is not self.audio

    def same(self, before: _Source) -> bool:
        """Whether it is what was packaged before: there is nothing to wait for."""
        return self.video is before.video and self.audio is before.audio

    @property
    def closed(self) -> bool:
        return any(one is not None and one.closed for one in (self.video, self.audio))


@dataclass(slots=True)
class _Run:
    """One FFmpeg and what feeds it."""

    packaging: Packaging
    child: Child
    tracks: list[PlainTrack]
    feeding: Feeding
    hanging: Hanging
    worked: float = field(default_factory=lambda: _now())
    """When it last finished a segment, or began."""


class HlsPackager:
    """The HLS of one router.

    Args:
        router: What is packaged: its first video and its first audio publisher.
        options: How.
        folder: For its files alone; made by `run`.
    """

    def __init__(self, router: Router, options: HlsOptions, folder: Path) -> None:
        self._router = router
        self._options = options
        self._folder = folder.absolute()  # children work in it
        self._name = secrets.token_hex(3)
        """Begins all file names: caches keep what a broadcast of the same channel named before."""
        self._runs = 0
        self.state: State = "waiting"
        self.problem = ""
        """Why it is not packaging, for people."""
        target = math.ceil(options.segment_seconds)
        window = max(3, math.ceil(options.window_seconds / options.segment_seconds))
        self.shelf = (
            PartShelf(self._folder, target=target, window=window, part_seconds=options.part_seconds)
            if options.part_seconds
            else SegmentShelf(self._folder, target=target, window=window)
        )
        self.shapes: dict[str, Shape] = {}
        """Of each rendition that is or was packaged."""
        self._child: Child | None = None
        self._last = _Source(None, None)

    @property
    def restarts(self) -> int:
        """How often FFmpeg was started again."""
        return max(0, self._runs - 1)

    @property
    def pid(self) -> int | None:
        """FFmpeg's process id while one runs."""
        return self._child.pid if self._child else None

    @property
    def thumbnail(self) -> Path:
        """Where a small picture of the broadcast is, once there is one."""
        return self._folder / "thumbnail.jpg"

    async def run(self) -> None:
        """Package until cancelled; the files stay for whoever is still playing."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        pause = _RESTART_AFTER
        try:
            while True:
                taken = self.shelf.taken
                try:
                    await self._package(await self._wait_for_source())
                except Closed:
                    if self._router.closed:
                        return
                except (HeadwaterError, OSError) as error:
                    self.problem = str(error)
                self.state = "restarting"
                _log.info("packaging starts again", folder=self._folder.name, reason=self.problem)
                # What never gets as far as a segment is not tried without a rest.
                pause = _RESTART_AFTER if self.shelf.taken > taken else min(2 * pause, _LONGEST_PAUSE)
                await asyncio.sleep(pause)
        finally:
            self.shelf.end()

    # --- what to package -------------------------------------------------------------------------

    def _source(self) -> _Source:
        publishers = [self._router.publisher(id_) for id_ in self._router.publisher_ids]
        sending = [one for one in publishers if one.active and not one.closed]
        video = next((one for one in sending if one.kind == "video"), None)
        return _Source(video, next((one for one in sending if one.kind == "audio"), None))

    async def _wait_for_source(self) -> _Source:
        """Both, or after a while the one that is there; and room on the disk."""
        seen_since: float | None = None
        while True:
            source = self._source()
            if not self._has_room():
                self.state, self.problem = "disk_full", "the disk is full"
            elif source.video or source.audio:
                seen_since = seen_since or _now()
                waited = _now() - seen_since
                late = waited >= self._options.alone_seconds or source.same(self._last)
                made, whole = await self._pictures(source.video, presume=late)
                if source.video is self._last.video:
                    made = best(self._last.pictures, made)  # players have been told of them
                if late or (source.video and source.audio and whole):
                    self._last = replace(source, pictures=made)
                    return self._last
            if self._router.closed:
                raise Closed("the router has closed")
            self.shelf.tidy()
            await asyncio.sleep(_LOOK)

    async def _pictures(
        self, video: Publisher | None, *, presume: bool = False
    ) -> tuple[Sequence[Picture], bool]:
        """Which renditions can be made of what comes now or may be presumed to, and whether of no more."""
        if video is None:
            return (), True
        codec, layers, ladder = video.codec.encoding, len(video.track.rids), self._options.ladder
        stats = await video.get_stats() if ladder or is_layered(video) else {}
        if made := pictures(codec, layers, stats, ladder):
            return made, is_whole(codec, layers, stats, ladder)
        await video.request_key_frame()  # which tells how large it is
        return pictures(codec, layers, LARGE, ladder) if presume else (), False

    def _has_room(self) -> bool:
        return shutil.disk_usage(self._folder).free >= self._options.least_free

    # --- one run of FFmpeg -----------------------------------------------------------------------

    async def _package(self, source: _Source) -> None:
        self._runs += 1
        try:
            async with self._started(source) as run:
                self.state, self.problem = "packaging", ""
                self._child = run.child
                self.problem = await self._watch(run, source)
        finally:
            self._child = None
            self.shelf.finish_run()

    @contextlib.asynccontextmanager
    async def _started(self, source: _Source) -> AsyncIterator[_Run]:
        """Feed a new FFmpeg; all of it is given back."""
        async with contextlib.AsyncExitStack() as stack:
            feeds = [await self._feed(stack, source.audio)] if source.audio else []
            for line in sorted({picture.line for picture in source.pictures}):
                assert source.video is not None
                feeds.append(await self._feed(stack, source.video))
                if is_layered(source.video):
                    await feeds[-1].track.set_preferred_layer(line)
            sdp = self._folder / f"{self._name}r{self._runs}.sdp"
            stack.callback(sdp.unlink, missing_ok=True)
            packaging = self._describe(source, feeds, sdp)
            await self._measure(source, packaging)
            self.shelf.begin_run(packaging)
            for feed in feeds:
                feed.ports.release()
            child = await stack.enter_async_context(self._run_child(packaging))
            if not await _listens(child, feeds):
                raise ResourceError(f"FFmpeg does not listen: {child.log or 'no word from it'}")
            tracks = [feed.track for feed in feeds]
            feeding = Feeding(tracks)
            run = _Run(packaging, child, tracks, feeding, Hanging(child.pid, feeding))
            for track in run.tracks:
                await track.resume()
            yield run

    def _run_child(self, packaging: Packaging) -> AbstractAsyncContextManager[Child]:
        if not isinstance(self.shelf, PartShelf):
            return run_ffmpeg(self._options.program, arguments(packaging), folder=self._folder)
        return run_part_writer(
            packaging,
            part_seconds=self._options.part_seconds,
            folder=self._folder,
            report=self.shelf.heard,
        )

    async def _feed(self, stack: contextlib.AsyncExitStack, publisher: Publisher) -> _Feed:
        ports = stack.enter_context(PortPair.reserve())
        transport = await self._router.create_plain_transport(
            listen_ip="127.0.0.1", rtcp_mux=False, srtp="AES_CM_128_HMAC_SHA1_80"
        )
        stack.push_async_callback(transport.close)
        await transport.connect("127.0.0.1", ports.port, ports.rtcp_port)
        return _Feed(ports, transport, await transport.consume(publisher.id, paused=True))

    def _describe(self, source: _Source, feeds: list[_Feed], sdp: Path) -> Packaging:
        first, *others = [feed.transport for feed in feeds]
        sdp.touch(mode=0o600)
        sdp.write_text(first.generate_sdp(*others), encoding="ascii")
        video, audio = source.video, source.audio
        return Packaging(
            sdp=sdp,
            prefix=sdp.stem,
            pictures=source.pictures,
            sound=audio.codec.encoding if audio else None,
            container=self._options.container,
            segment_seconds=self._options.segment_seconds,
            height=self._options.height,
            thumbnail=self.thumbnail if video else None,
        )

    async def _measure(self, source: _Source, packaging: Packaging) -> None:
        """Note what the renditions look like, for players that choose among them."""
        stats = await source.video.get_stats() if source.video else {}
        sound = "opus" if packaging.sound_is_copied else "mp4a.40.2"
        self.shapes[SOUND_ONLY] = Shape(codecs=sound)
        for picture in packaging.pictures:
            width, height, bitrate = picture.width, picture.height, 0
            if packaging.copies(picture):
                assert source.video is not None
                codec = _copied_codec(source.video)
                width = int(stats.get(f"layer_{picture.line}_0_frame_width", 0))
                height = int(stats.get(f"layer_{picture.line}_0_frame_height", 0))
            else:
                codec = f"avc1.4d40{packaging.level(picture):02x}"
                bitrate = packaging.bitrate(picture) + SOUND_BITRATE
            codecs = f"{codec},{sound}" if source.audio else codec
            self.shapes[picture.name] = Shape(width, height, codecs, bitrate)

    async def _watch(self, run: _Run, source: _Source) -> str:
        """Take over segments until something is wrong; what that is."""
        ended = asyncio.create_task(run.child.wait())
        asked = fewer = _now()
        try:
            while True:
                await asyncio.wait([ended], timeout=_LOOK)
                if self.shelf.collect():
                    run.worked = _now()
                if ended.done():
                    return f"FFmpeg ended: {run.child.log[-300:] or 'without a word'}"
                if source.closed or source.changed(self._source()):
                    return "what is sent has changed"
                if not self._has_room():
                    return "the disk is full"
                if trouble := await self._trouble(run):
                    run.child.kill()
                    return trouble
                if _now() - asked >= self._options.segment_seconds:
                    asked = _now()
                    await _ask_key_frames(run)
                    coming, _ = await self._pictures(source.video)
                    if not better(coming, source.pictures):
                        fewer = asked
                    elif asked - fewer >= _STEADY_SECONDS:
                        return "larger pictures come"
        finally:
            ended.cancel()

    async def _trouble(self, run: _Run) -> str:
        """Whether FFmpeg has stopped working while it had work."""
        now = _now()
        await run.feeding.look(now)
        if await run.hanging.look(now, run.child.worked_at):
            return "FFmpeg hangs"
        if (since := run.feeding.since) is None:
            return ""
        heard, worked = run.child.heard_at, max(run.worked, since)
        if heard is not None and now - max(heard, since) > _SILENT_SECONDS:
            return "FFmpeg does not answer"
        if now - worked > _PATIENCE + 4 * self._options.segment_seconds:
            return f"FFmpeg writes no segments: {run.child.log[-300:] or 'and says nothing'}"
        return ""


@dataclass(frozen=True, slots=True)
class _Feed:
    """One publisher on its way to FFmpeg."""

    ports: PortPair
    transport: PlainTransport
    track: PlainTrack


async def _listens(child: Child, feeds: list[_Feed]) -> bool:
    """Wait until a child has taken its ports; it may end or hang instead."""
    ended = asyncio.create_task(child.wait())
    bound = asyncio.gather(*(feed.ports.wait_bound(_BIND_SECONDS) for feed in feeds))
    try:
        await asyncio.wait((ended, bound), return_when=asyncio.FIRST_COMPLETED)
        return bound.done() and all(bound.result())
    finally:
        ended.cancel()
        bound.cancel()


def _copied_codec(video: Publisher) -> str:
    encoding = video.codec.encoding.upper()
    if encoding == "AV1":
        return _AV1
    profile = video.codec.fmtp.partition("profile-level-id=")[2][:6]
    return f"avc1.{profile or _CONSTRAINED_BASELINE}"


def _now() -> float:
    """`time.monotonic`, unless a test has a loop with a time of its own."""
    return asyncio.get_running_loop().time()


async def _ask_key_frames(run: _Run) -> None:
    for track in run.tracks:
        if track.publisher.kind == "video":
            with contextlib.suppress(Closed):
                await track.request_key_frame()


_CONSTRAINED_BASELINE = "42e01f"
_AV1 = "av01.0.08M.08"
"""Main profile, 8 bits, up to 1920 x 1080: what browsers send."""
_STEADY_SECONDS = 10.0
"""Larger pictures must have come so long to be worth the seam of a new FFmpeg."""
_LOOK = 0.2
"""Seconds between looks at what FFmpeg wrote."""
_RESTART_AFTER = 0.1
_LONGEST_PAUSE = 5.0
_BIND_SECONDS = 10.0
"""A busy machine takes seconds to start a child of ours."""
_SILENT_SECONDS = 3.0
"""FFmpeg reports twice a second."""
_PATIENCE = 6.0
"""Seconds beyond four segments in which the first, and every next, must have come."""
