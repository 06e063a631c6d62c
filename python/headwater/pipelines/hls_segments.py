"""The segments of one packager: taken over from FFmpeg's playlists into ours, and removed in time.

A segment is listed once it is whole: FFmpeg has listed it, it is not empty and it begins and ends as its
container does. Files live a while longer than their place in the window, for players that hold an older
playlist.

A run of other renditions than the one before (sound got its picture) has nothing to play for some seconds.
Until it has, or does not come to it in time, the old renditions stay: nobody finds an empty shelf.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from headwater.pipelines.hls_command import Packaging
from headwater.protocols.hls import InvalidPlaylist, MediaPlaylist, Segment, parse_media_playlist
from headwater.telemetry import get_logger

__all__ = ["Rendition", "SegmentShelf", "whole_size"]

_log = get_logger(__name__)


@dataclass(slots=True)
class Rendition:
    """One playlist of ours and what is known of FFmpeg's."""

    playlist: MediaPlaylist
    taken: int = 0
    """Segments of this run that were looked at."""
    broken: bool = False
    """The next segment does not go on from the last one listed."""
    peak: int = 0
    """The most bit/s that a segment had."""


class SegmentShelf:
    """What can be fetched of one router's HLS.

    Args:
        folder: Where FFmpeg writes.
        target: Seconds, see `MediaPlaylist`.
        window: Segments listed.
    """

    def __init__(self, folder: Path, *, target: int, window: int) -> None:
        self._folder = folder
        self.target = target
        self._window = window
        self._renditions: dict[str, Rendition] = {}
        self._outgoing: dict[str, Rendition] = {}
        """Of runs before this one, with no place in it; what players get until it can be played."""
        self._outgoing_until = 0.0
        self._retired: dict[str, tuple[float, MediaPlaylist]] = {}
        """Nothing goes on from them; players get them until then, ended, and look for what there is now."""
        self._packaging: Packaging | None = None
        self._ahead = timedelta()
        self._served: set[str] = set()
        self._leaving: deque[tuple[float, str]] = deque()
        self.taken = 0
        """Whole segments so far."""
        self.broken_segments = 0
        """Segments that FFmpeg listed and that were not whole."""

    @property
    def renditions(self) -> dict[str, MediaPlaylist]:
        """Playlists that list something, by name: what a player that comes now chooses from."""
        offered = self._outgoing or self._renditions
        return {name: one.playlist for name, one in offered.items() if one.playlist.segments}

    @property
    def playlists(self) -> dict[str, MediaPlaylist]:
        """Playlists that can be fetched: those, and for a while what no new run goes on with."""
        new = {name: one.playlist for name, one in self._renditions.items() if one.playlist.segments}
        return {name: playlist for name, (_, playlist) in self._retired.items()} | new | self.renditions

    @property
    def ready(self) -> bool:
        """Every rendition can be played, or one has waited long enough for the others."""
        counts = [len(one.playlist.segments) for one in self._renditions.values()]
        return bool(counts) and (min(counts) > 0 or max(counts) >= _ENOUGH)

    def peak(self, rendition: str) -> int:
        """The most bit/s that one of its segments had."""
        return (self._outgoing | self._renditions)[rendition].peak

    def file(self, name: str) -> Path | None:
        """A segment or initialisation section that was ever listed and is still there."""
        return self._folder / name if name in self._served else None

    def begin_run(self, packaging: Packaging) -> None:
        """FFmpeg starts to write under these names."""
        self._packaging, self._ahead = packaging, timedelta()
        before = self._outgoing | self._renditions
        self._renditions = {
            name: before.pop(name) if name in before else self._new() for name in packaging.renditions
        }
        for name, one in self._renditions.items():
            self._retired.pop(name, None)
            one.taken, one.broken = 0, bool(one.playlist.segments)
        if not self._outgoing:
            self._outgoing_until = time.monotonic() + _HANDOVER * self.target
        self._outgoing = {name: one for name, one in before.items() if one.playlist.segments}
        self._hand_over()

    def collect(self) -> int:
        """Take over what FFmpeg has finished; how many segments that were."""
        packaging = self._packaging
        count = 0
        for name in packaging.renditions if packaging else ():
            assert packaging is not None
            count += self._take(self._renditions[name], self._folder / packaging.playlist(name))
        self.taken += count
        self.tidy()
        return count

    def finish_run(self) -> None:
        """FFmpeg has ended: take what it finished last, and remove what only it reads."""
        self.collect()
        if self._packaging:
            for name in self._packaging.renditions:
                (self._folder / self._packaging.playlist(name)).unlink(missing_ok=True)
            for path in self._folder.glob(f"{self._packaging.prefix}_*"):
                if path.name not in self._served:
                    path.unlink(missing_ok=True)
        self._packaging = None

    def tidy(self) -> None:
        """Remove files that no player asks for any more."""
        self._hand_over()
        now = time.monotonic()
        while self._leaving and self._leaving[0][0] <= now:
            _, name = self._leaving.popleft()
            self._served.discard(name)
            (self._folder / name).unlink(missing_ok=True)
        for name in [name for name, (until, _) in self._retired.items() if until <= now]:
            del self._retired[name]

    def end(self) -> None:
        """No more will come."""
        for one in (self._renditions | self._outgoing).values():
            one.playlist.ended = True

    def _hand_over(self) -> bool:
        """Let the renditions of before go when those of now can be played; whether any went."""
        if not self._outgoing or not (self.ready or time.monotonic() >= self._outgoing_until):
            return False
        for name, one in self._outgoing.items():
            self._retire(name, one.playlist)
        self._outgoing = {}
        return True

    def _retire(self, name: str, playlist: MediaPlaylist) -> None:
        """Nothing goes on from it: players are told that it has ended, and find the other renditions."""
        playlist.ended = True
        until = time.monotonic() + LINGER * playlist.target
        self._retired[name] = until, playlist
        self._leaving.extend((until, segment.uri) for segment in playlist.segments)

    def _new(self) -> Rendition:
        return Rendition(MediaPlaylist(target=self.target, window=self._window))

    def _take(self, one: Rendition, source: Path) -> int:
        try:
            theirs = parse_media_playlist(source.read_text(encoding="utf-8"))
        except (OSError, UnicodeError, InvalidPlaylist):
            return 0  # not there yet, or cut off: the next look may find more
        new = theirs.segments[max(0, one.taken - theirs.sequence) :]
        skipped = theirs.sequence - one.taken
        one.broken |= skipped > 0
        one.taken = theirs.sequence + len(theirs.segments)
        return sum(self._list(one, segment) for segment in new)

    def _list(self, one: Rendition, segment: Segment) -> bool:
        size = whole_size(self._folder / segment.uri)
        if not size or segment.duration <= 0:
            self.broken_segments += 1
            one.broken = True
            return False
        playlist = one.playlist
        segment = replace(self._dated(segment), discontinuity=one.broken)
        one.broken = False
        if segment.duration >= playlist.target / 2:  # less is the rest of a run, and no rate to tell players
            one.peak = max(one.peak, round(size * 8 / segment.duration))
        playlist.target = max(playlist.target, round(segment.duration))
        self._served.update(name for name in (segment.uri, segment.init) if name)
        for gone in playlist.append(segment):
            self._leaving.append((time.monotonic() + LINGER * playlist.target, gone.uri))
        return True

    def _dated(self, segment: Segment) -> Segment:
        """FFmpeg counts time from when it began to write, seconds after the first picture came.

        No segment ends after it was written: by as much all of a run are earlier than FFmpeg says.
        """
        if segment.begins is None:
            return segment
        written = datetime.fromtimestamp((self._folder / segment.uri).stat().st_mtime, UTC)
        self._ahead = max(self._ahead, segment.begins + timedelta(seconds=segment.duration) - written)
        return replace(segment, begins=segment.begins - self._ahead)


def whole_size(path: Path) -> int:
    """The size of a segment, or 0 when a part of it is missing."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            if path.suffix == ".ts":
                return size if size % _TS_PACKET == 0 and file.read(1) == b"\x47" else 0
            boxes = _boxes(file, size)
    except OSError:
        return 0
    return size if b"moof" in boxes and boxes[-1] == b"mdat" else 0


def _boxes(file: BinaryIO, size: int) -> list[bytes]:
    """The kinds of the boxes of a fragmented MP4 file; none unless the last ends with the file."""
    kinds, at = [], 0
    while at < size:
        file.seek(at)
        head = file.read(_BOX_HEAD)
        length = int.from_bytes(head[:4], "big")
        if len(head) < _BOX_HEAD or length < _BOX_HEAD or at + length > size:
            return []
        kinds.append(head[4:])
        at += length
    return kinds


_ENOUGH = 3
_HANDOVER = 10
"""Target durations that a run may take until it can be played."""
_TS_PACKET = 188
_BOX_HEAD = 8
LINGER = 3
"""Target durations that a file outlives its place in the window (RFC 8216 section 6.2.2 asks for one)."""
