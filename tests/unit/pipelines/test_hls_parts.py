"""What the child reports is listed when it is whole, and whoever waits for it is told."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from headwater.errors import Overloaded
from headwater.pipelines import hls_parts
from headwater.pipelines.hls_parts import PartShelf
from headwater.protocols.hls import PartPlaylist
from tests.support.part_writer import PIECE, Writer


@pytest.fixture
def shelf(tmp_path: Path) -> PartShelf:
    return PartShelf(tmp_path, target=2, window=4, part_seconds=0.35)


def playlist(shelf: PartShelf) -> PartPlaylist:
    found = shelf.renditions["video"]
    assert isinstance(found, PartPlaylist)
    return found


async def test_a_part_is_listed_and_awaited(shelf: PartShelf, tmp_path: Path) -> None:
    """Whoever waits for it goes on in the moment in which it is reported."""
    writer = Writer(shelf, tmp_path, "r1")
    writer.whole()
    waiting = asyncio.create_task(shelf.wait_until(lambda: playlist(shelf).has(1, 0), 30))
    await asyncio.sleep(0)
    assert not waiting.done()
    name = writer.part(first=True)
    assert await waiting
    assert shelf.file(name) == tmp_path / name
    assert shelf.is_hinted("r1_video_p7.m4s")
    assert not await shelf.wait_until(lambda: playlist(shelf).has(9, 0), 0.01)


async def test_those_who_wait_are_answered_at_the_end(shelf: PartShelf, tmp_path: Path) -> None:
    """The broadcast is over: nobody waits for what never comes."""
    writer = Writer(shelf, tmp_path, "r1")
    writer.whole()
    waiting = [
        asyncio.create_task(shelf.wait_until(lambda: playlist(shelf).ended, 30)),
        asyncio.create_task(shelf.wait_until(lambda: not shelf.is_hinted("r1_video_p6.m4s"), 30)),
    ]
    await asyncio.sleep(0)
    shelf.finish_run()
    shelf.end()
    assert await asyncio.gather(*waiting) == [True, True]


async def test_only_so_many_wait(shelf: PartShelf, monkeypatch: pytest.MonkeyPatch) -> None:
    """One more is told to come later; who gave up makes room."""
    monkeypatch.setattr(hls_parts, "MOST_WAITING", 2)
    waiting = [asyncio.create_task(shelf.wait_until(lambda: False, 30)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await shelf.wait_until(lambda: False, 30)
    for task in waiting:
        task.cancel()
    await asyncio.wait(waiting)
    assert not await shelf.wait_until(lambda: False, 0.01)


def test_a_child_that_dies_leaves_a_short_segment(shelf: PartShelf, tmp_path: Path) -> None:
    """Players who have its parts go on behind it, with a discontinuity and another initialisation section."""
    first = Writer(shelf, tmp_path, "r1")
    first.whole()
    first.part(first=True)
    first.part()
    (tmp_path / "r1_video_p9.m4s.aside").write_bytes(b"half")
    shelf.finish_run()
    assert playlist(shelf).hint is None
    short = playlist(shelf).segments[-1]
    assert short.duration == pytest.approx(0.66)
    assert (tmp_path / short.uri).read_bytes() == PIECE * 2
    assert not list(tmp_path.glob("*.aside"))
    second = Writer(shelf, tmp_path, "r2")
    second.part(first=True)
    assert playlist(shelf).has(2, 0)
    lines = playlist(shelf).render().splitlines()
    at = lines.index("#EXT-X-DISCONTINUITY")
    assert lines[at + 1] == '#EXT-X-MAP:URI="r2_video_1.mp4"'
    for index in range(5):
        assert index == second.parts - 1
        second.part()
    second.segment()
    assert [one.discontinuity for one in playlist(shelf).segments] == [False, False, True]


@pytest.mark.parametrize("data", [b"", PIECE[:-1], b"\x00\x00\x00\x08moof"])
def test_half_a_part_is_never_listed(shelf: PartShelf, tmp_path: Path, data: bytes) -> None:
    """It is reported, but what is there does not look like a part."""
    writer = Writer(shelf, tmp_path, "r1")
    writer.whole()
    name = writer.part(first=True, data=data)
    assert shelf.broken_segments == 1
    assert name not in playlist(shelf).render()
    assert shelf.file(name) is None


@pytest.mark.parametrize(
    "line", ["", "frame=1", "{}", '{"type":"part"}', "[" * 5000, '{"type":"segment","rendition":"x"}']
)
def test_what_is_no_report_changes_nothing(shelf: PartShelf, tmp_path: Path, line: str) -> None:
    """A child is not believed."""
    Writer(shelf, tmp_path, "r1").whole()
    before = playlist(shelf).render()
    shelf.heard(line)
    assert playlist(shelf).render() == before


def test_files_go_in_time(shelf: PartShelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts long before segments; both later than their place in the playlist."""
    now = 100.0
    monkeypatch.setattr("headwater.pipelines.hls_segments.time.monotonic", lambda: now)
    writer = Writer(shelf, tmp_path, "r1")
    for _ in range(12):
        now += 2
        writer.whole()
        shelf.collect()
    parts = sorted(int(path.stem.rpartition("p")[2]) for path in tmp_path.glob("*_p*"))
    assert parts[0] >= 6 * (12 - 3 - 3 - 2), "three targets listed, three more kept"
    assert parts[-1] == 71
    assert len(list(tmp_path.glob("r1_video_0*"))) <= 4 + 4
    assert len(playlist(shelf).segments) == 4
