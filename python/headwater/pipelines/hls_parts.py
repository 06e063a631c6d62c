"""The parts and segments of one packager: listed as its child reports them, and awaited by players.

The child reports a part when it is whole and in place. It is listed once it has been looked at, and whoever
waits for it is told. When a child ends in the middle of a segment, the parts that are listed become a short
segment, so that players go on from there to the next child's first part.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from headwater.errors import Overloaded
from headwater.pipelines.hls_segments import LINGER, Rendition, SegmentShelf, whole_size
from headwater.pipelines.part_job import PartDone, SegmentDone, read_report
from headwater.protocols.hls import MediaPlaylist, Part, PartPlaylist, Report, Segment

__all__ = ["PartShelf"]


class PartShelf(SegmentShelf):
    """What can be fetched of one router's low-latency HLS.

    Args:
        folder: Where the child writes.
        target: Seconds, see `MediaPlaylist`.
        window: Segments listed.
        part_seconds: Longest part.
    """

    def __init__(self, folder: Path, *, target: int, window: int, part_seconds: float) -> None:
        super().__init__(folder, target=target, window=window)
        self._part_seconds = part_seconds
        self._new_parts = 0
        self._changed = asyncio.Event()
        self._waiting = 0
        self.version = 0
        """Grows with every change of a playlist."""

    def heard(self, line: str) -> bool:
        """Take a report of the child; whether it is one."""
        report = read_report(line)
        one = self._renditions.get(report.rendition) if report else None
        if one is None or not self._packaging:
            return False
        if isinstance(report, PartDone):
            self._list_part(one, report)
        elif isinstance(report, SegmentDone):
            self._close(one, report.uri, report.duration)
        self._tell()
        return True

    def reports(self, but: str) -> list[Report]:
        """How far the other renditions are."""
        others = {name: playlist for name, playlist in self.renditions.items() if name != but}
        return [Report(f"{name}.m3u8", *_parts(playlist).newest) for name, playlist in others.items()]

    def is_hinted(self, name: str) -> bool:
        """Whether a file is announced as the next part of a rendition."""
        return any(_parts(one.playlist).hint == name for one in self._renditions.values())

    async def wait_until(self, condition: Callable[[], bool], timeout: float) -> bool:
        """Wait until something holds; asked whenever a playlist changes, and at the end.

        Args:
            condition: What must hold.
            timeout: Seconds.

        Returns:
            Whether it holds.

        Raises:
            Overloaded: So many wait already that one more would be too many.
        """
        if condition():
            return True
        if self._waiting >= MOST_WAITING:
            raise Overloaded("too many players wait for this channel")
        self._waiting += 1
        try:
            async with asyncio.timeout(timeout):
                while not condition():
                    await self._changed.wait()
            return True
        except TimeoutError:
            return False
        finally:
            self._waiting -= 1

    # --- what SegmentShelf leaves open -----------------------------------------------------------

    def collect(self) -> int:
        """How many parts came since the last look."""
        count, self._new_parts = self._new_parts, 0
        self.tidy()
        return count

    def finish_run(self) -> None:
        """The child has ended: what it began becomes a short segment."""
        for name, one in self._renditions.items():
            playlist = _parts(one.playlist)
            playlist.hint = None
            if playlist.open_parts and self._packaging:
                self._join(one, f"{self._packaging.prefix}_{name}_end.m4s")
        super().finish_run()
        self._tell()

    def end(self) -> None:
        """No more will come; nobody waits any longer."""
        super().end()
        self._tell()

    def _hand_over(self) -> bool:
        if gone := super()._hand_over():
            self._tell()
        return gone

    def _new(self) -> Rendition:
        playlist = PartPlaylist(target=self.target, window=self._window, part_target=self._part_seconds)
        return Rendition(playlist)

    # --- taking reports --------------------------------------------------------------------------

    def _list_part(self, one: Rendition, report: PartDone) -> None:
        playlist = _parts(one.playlist)
        playlist.hint = report.following
        if not whole_size(self._folder / report.uri) or report.duration <= 0:
            self.broken_segments += 1
            return
        first = None
        if report.begins is not None or not playlist.open_parts:
            begins = datetime.fromtimestamp(report.begins, UTC) if report.begins is not None else None
            first = Segment("", 0.0, begins, one.broken, report.init)
            one.broken = False
        playlist.add_part(Part(report.uri, report.duration, report.independent), first)
        self._served.update((report.uri, report.init))
        self._new_parts += 1
        self.taken += 1

    def _close(self, one: Rendition, uri: str, duration: float) -> None:
        size = whole_size(self._folder / uri)
        playlist = _parts(one.playlist)
        if not size or not playlist.open_parts:
            self._leave(playlist.drop_open())
            self.broken_segments += 1
            one.broken = True
            return
        one.peak = max(one.peak, round(size * 8 / max(duration, self._part_seconds)))
        playlist.target = max(playlist.target, round(duration))
        self._served.add(uri)
        gone = playlist.close_segment(uri, duration)
        self._leave(playlist.drop_old_parts())
        until = time.monotonic() + LINGER * playlist.target
        self._leaving.extend((until, segment.uri) for segment in gone)

    def _join(self, one: Rendition, name: str) -> None:
        """Make a segment of the parts that are there."""
        playlist = _parts(one.playlist)
        duration = sum(part.duration for part in playlist.open_parts)
        try:
            pieces = [(self._folder / part.uri).read_bytes() for part in playlist.open_parts]
            (self._folder / name).write_bytes(b"".join(pieces))
        except OSError:  # a full disk: players find the next segment where this one was
            (self._folder / name).unlink(missing_ok=True)
        self._close(one, name, duration)

    def _leave(self, parts: list[Part]) -> None:
        until = time.monotonic() + LINGER * self.target
        self._leaving.extend((until, part.uri) for part in parts)

    def _tell(self) -> None:
        self.version += 1
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


def _parts(playlist: MediaPlaylist) -> PartPlaylist:
    assert isinstance(playlist, PartPlaylist), "this shelf makes no others"
    return playlist


MOST_WAITING = 4096
"""Requests of one channel that may wait at once."""
