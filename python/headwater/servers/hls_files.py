"""Segments in memory: hundreds of players fetch each new one within the time that it lasts.

A file that is read for each of them goes through a thread in pieces, which costs the one event loop more
than sending it. So a file is read once, by whoever asks first while the others wait, and stays until newer
ones need its room. What is too large for that is not kept; the caller sends it from the disk.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from pathlib import Path

__all__ = ["SegmentMemory"]


class SegmentMemory:
    """Files that never change, whole, the most recently fetched ones.

    Args:
        limit: Bytes of all of them together.
    """

    def __init__(self, limit: int = 64 * 1024 * 1024) -> None:
        self._limit = limit
        self._files: OrderedDict[Path, bytes] = OrderedDict()
        self._reading: dict[Path, asyncio.Task[bytes | None]] = {}
        self._taken = 0

    @property
    def taken(self) -> int:
        """Bytes that are kept now."""
        return self._taken

    async def read(self, path: Path) -> bytes | None:
        """The contents of a file; none when it is too large to be kept.

        Raises:
            FileNotFoundError: It is gone.
        """
        if (known := self._files.get(path)) is not None:
            self._files.move_to_end(path)
            return known
        reading = self._reading.get(path)
        if reading is None:
            reading = self._reading[path] = asyncio.create_task(self._load(path), name="read segment")
            reading.add_done_callback(lambda _: self._reading.pop(path, None))
        return await asyncio.shield(reading)  # the others still wait for it when this one goes

    def forget(self, folder: Path) -> None:
        """Keep nothing of a folder."""
        for path in [path for path in self._files if path.is_relative_to(folder)]:
            self._taken -= len(self._files.pop(path))

    async def _load(self, path: Path) -> bytes | None:
        contents = await asyncio.to_thread(_contents, path, self._limit // _SHARE)
        if contents is not None:
            self._files[path] = contents
            self._taken += len(contents)
            while self._taken > self._limit:
                self._taken -= len(self._files.popitem(last=False)[1])
        return contents


def _contents(path: Path, most: int) -> bytes | None:
    with path.open("rb") as file:
        contents = file.read(most + 1)
    return contents if len(contents) <= most else None


_SHARE = 8
"""One file may take this part of the memory at most."""
