"""Segments in memory: read once however many ask, bounded, and none of a broadcast that is over."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from headwater.servers import hls_files
from headwater.servers.hls_files import SegmentMemory


async def test_many_who_ask_at_once_share_one_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever goes away in the middle takes nothing from the others."""
    readings: list[Path] = []
    read = hls_files._contents

    def counted(path: Path, most: int) -> bytes | None:
        readings.append(path)
        return read(path, most)

    monkeypatch.setattr(hls_files, "_contents", counted)
    segment = tmp_path / "one.ts"
    segment.write_bytes(b"G" * 188)
    memory = SegmentMemory()
    asking = [asyncio.create_task(memory.read(segment)) for _ in range(5)]
    await asyncio.sleep(0)
    asking.pop(0).cancel()
    assert await asyncio.gather(*asking) == [b"G" * 188] * 4
    assert await memory.read(segment) == b"G" * 188
    assert len(readings) == 1


async def test_newer_segments_take_the_room_of_those_nobody_asks_for(tmp_path: Path) -> None:
    """The bound holds, and what is fetched again and again stays."""
    memory = SegmentMemory(limit=1000)
    paths = [tmp_path / f"{number}.ts" for number in range(12)]
    for path in paths:
        path.write_bytes(bytes(100))
        await memory.read(path)
        await memory.read(paths[0])
        assert memory.taken <= 1000
    for path in paths:
        path.unlink()
    assert await memory.read(paths[0]) == await memory.read(paths[-1]) == bytes(100)
    with pytest.raises(FileNotFoundError):
        await memory.read(paths[1])


async def test_what_is_large_or_over_is_not_kept(tmp_path: Path) -> None:
    """A file of an eighth of the memory is; a larger one is the disk's business."""
    memory = SegmentMemory(limit=1000)
    small, large = tmp_path / "show" / "small.ts", tmp_path / "show" / "large.ts"
    small.parent.mkdir()
    small.write_bytes(bytes(125))
    large.write_bytes(bytes(126))
    assert (await memory.read(small), await memory.read(large)) == (bytes(125), None)
    assert memory.taken == 125
    memory.forget(tmp_path / "show")
    assert memory.taken == 0
    small.unlink()
    with pytest.raises(FileNotFoundError):
        await memory.read(small)
