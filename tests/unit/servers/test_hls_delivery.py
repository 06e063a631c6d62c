"""Players are answered when what they ask for is there, and no later than three target durations on."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, cast

import pytest

from headwater.errors import InvalidQuery, NotFound, ResourceError
from headwater.pipelines.hls import HlsPackager
from headwater.pipelines.hls_parts import PartShelf
from headwater.protocols.hls import Delivery
from headwater.servers.hls_delivery import HlsDelivery
from tests.support.part_writer import PIECE, Writer
from tests.support.virtual_time import run


class Stage:
    """A writer, and what its players get."""

    def __init__(self, folder: Path) -> None:
        self.shelf = PartShelf(folder, target=2, window=30, part_seconds=0.35)
        self.shapes: dict[str, object] = {}
        self.writer = Writer(self.shelf, folder, "r1")
        for _ in range(10):
            self.writer.whole()
        self.delivery = HlsDelivery(cast(HlsPackager, self))

    async def ask(self, msn: int, part: int | None = None, *, skip: bool = False) -> str:
        return await self.delivery.playlist("index.m3u8", "", Delivery(msn, part, skip))


async def timed(asked: Coroutine[Any, Any, object]) -> float:
    """Seconds until something was answered, or refused."""
    begun = asyncio.get_running_loop().time()
    with contextlib.suppress(ResourceError, InvalidQuery, NotFound):
        await asked
    return asyncio.get_running_loop().time() - begun


def test_a_part_is_answered_when_it_comes(tmp_path: Path) -> None:
    """A hundred wait for the same one; all have it in that moment, none before."""

    async def story() -> None:
        stage = Stage(tmp_path)
        waiting = [asyncio.create_task(timed(stage.ask(10, 1))) for _ in range(100)]
        texts = asyncio.create_task(stage.ask(10, 1))
        await asyncio.sleep(0.3)
        stage.writer.part(first=True)
        await asyncio.sleep(0.4)
        assert not any(task.done() for task in waiting)
        stage.writer.part()
        assert await asyncio.gather(*waiting) == [pytest.approx(0.7)] * 100
        assert "r1_video_p61.m4s" in (await texts)

    run(story())


def test_what_does_not_come_is_refused_in_time(tmp_path: Path) -> None:
    """Three target durations, for playlists and for files; what is there or senseless costs no time."""

    async def story() -> None:
        stage = Stage(tmp_path)
        assert await timed(stage.ask(10, 0)) == pytest.approx(6)
        with pytest.raises(ResourceError):
            await stage.ask(10)
        assert await timed(stage.delivery.file("r1_video_p60.m4s")) == pytest.approx(6)
        for asked in (stage.ask(9), stage.ask(3, 200), stage.ask(12), stage.ask(10, 50)):
            assert await timed(asked) == 0
        assert await timed(stage.delivery.file("r1_video_p61.m4s")) == 0

    run(story())


def test_the_hinted_file_comes_with_its_part(tmp_path: Path) -> None:
    """It is whole when it is handed out."""

    async def story() -> None:
        stage = Stage(tmp_path)
        asked = asyncio.create_task(stage.delivery.file("r1_video_p60.m4s"))
        await asyncio.sleep(0.3)
        assert not asked.done()
        stage.writer.part(first=True)
        assert (await asked).read_bytes() == PIECE

    run(story())


def test_nobody_waits_for_a_child_that_has_died(tmp_path: Path) -> None:
    """Its next part never comes; who waits for the playlist goes on with the next child."""

    async def story() -> None:
        stage = Stage(tmp_path)
        file = asyncio.create_task(timed(stage.delivery.file("r1_video_p60.m4s")))
        text = asyncio.create_task(stage.ask(10, 0))
        await asyncio.sleep(1)
        stage.shelf.finish_run()
        assert await file == pytest.approx(1)
        await asyncio.sleep(2)
        Writer(stage.shelf, tmp_path, "r2").part(first=True)
        assert "r2_video_p0.m4s" in await text

    run(story())


def test_the_end_answers_all(tmp_path: Path) -> None:
    """Also those who ask afterwards, whatever they ask for."""

    async def story() -> None:
        stage = Stage(tmp_path)
        waiting = [asyncio.create_task(stage.ask(11)), asyncio.create_task(stage.ask(10, 3))]
        await asyncio.sleep(1)
        stage.shelf.finish_run()
        stage.shelf.end()
        answers = [*await asyncio.gather(*waiting), await stage.ask(99, 99)]
        assert all(text.endswith("#EXT-X-ENDLIST\n") for text in answers)

    run(story())


def test_a_delta_is_given_to_those_who_ask(tmp_path: Path) -> None:
    """And the whole to the others, of the same moment."""

    async def story() -> None:
        stage = Stage(tmp_path)
        for _ in range(6):
            stage.writer.whole()
        whole, delta = await stage.ask(15), await stage.ask(15, skip=True)
        assert "#EXT-X-SKIP:SKIPPED-SEGMENTS=" in delta
        assert "#EXT-X-SKIP" not in whole
        with pytest.raises(NotFound):
            await stage.delivery.playlist("video7.m3u8", "", Delivery())

    run(story())
