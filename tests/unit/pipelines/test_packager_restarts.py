"""How soon a packager has a new child when its child dies or hangs, in time of its own."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from headwater.media.router import Router
from headwater.pipelines import hanging, hls
from headwater.pipelines.feeding import Feeding
from headwater.pipelines.hanging import Hanging
from headwater.pipelines.hls import HlsOptions, HlsPackager
from headwater.pipelines.process_state import ProcessState
from tests.support import virtual_time

Harm = Callable[["Child"], None]


class Child:
    """An FFmpeg that works until it is harmed."""

    def __init__(self) -> None:
        self.begun = self.worked_at = asyncio.get_running_loop().time()
        self.heard_at: float | None = None
        self.pid = 1
        self.log = ""
        self.stopped = self.asleep = self.killed = False
        self.ended = asyncio.Event()

    async def wait(self) -> int:
        await self.ended.wait()
        return 0

    def kill(self) -> None:
        self.killed = True

    async def work(self) -> None:
        """Report twice a second, as long as it runs."""
        while not (self.stopped or self.asleep or self.ended.is_set()):
            self.worked_at = self.heard_at = asyncio.get_running_loop().time()
            await asyncio.sleep(0.5)


class Packager(HlsPackager):
    """One whose children are not processes."""

    def __init__(self, folder: Path) -> None:
        track = SimpleNamespace(rids=())
        publishers = {
            kind: SimpleNamespace(
                kind=kind, active=True, closed=False, track=track, codec=SimpleNamespace(encoding="H264")
            )
            for kind in ("audio", "video")
        }
        router = SimpleNamespace(publisher_ids=list(publishers), publisher=publishers.get, closed=False)
        super().__init__(cast(Router, router), HlsOptions(Path()), folder)
        self.children: list[Child] = []

    @contextlib.asynccontextmanager
    async def _started(self, source: Any) -> AsyncIterator[Any]:
        child = Child()
        self.children.append(child)

        async def get_stats() -> dict[str, int]:
            return {"packets_sent": round(asyncio.get_running_loop().time() * 50)}

        feeding = Feeding([cast(Any, SimpleNamespace(get_stats=get_stats))])
        working = asyncio.create_task(child.work())
        try:
            yield hls._Run(cast(Any, None), cast(Any, child), [], feeding, Hanging(1, feeding))
        finally:
            working.cancel()


def dies(child: Child) -> None:
    child.ended.set()


def is_stopped(child: Child) -> None:
    child.stopped = True


def takes_nothing(child: Child) -> None:
    child.asleep = True


@pytest.mark.parametrize("harm", [dies, is_stopped, takes_nothing])
def test_a_new_child_runs_within_two_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, harm: Harm
) -> None:
    """Whenever it happens, and again."""

    async def restarts() -> list[float]:
        packager = Packager(tmp_path / "hls")
        monkeypatch.setattr(hanging, "is_stopped", lambda pid: packager.children[-1].stopped)
        monkeypatch.setattr(hanging, "read_process_state", lambda pid: ProcessState(False, 0.0))
        running = asyncio.create_task(packager.run())
        took = []
        for moment in (2.0, 5.13, 4.27, 9.5):
            await asyncio.sleep(moment)
            child, count = packager.children[-1], len(packager.children)
            assert not child.killed
            packager.shelf.taken += 1
            harm(child)
            harmed = asyncio.get_running_loop().time()
            await asyncio.sleep(4)
            assert len(packager.children) == count + 1
            assert child.killed == (harm is not dies), "nothing is asked of whoever hangs"
            took.append(packager.children[-1].begun - harmed)
        running.cancel()
        await asyncio.wait([running])
        return took

    assert max(virtual_time.run(restarts())) <= 2.0
