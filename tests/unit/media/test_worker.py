"""The Worker: one per process, bound to its loop, closing everything."""

from __future__ import annotations

import asyncio
import errno
from typing import Any

import pytest

from headwater import InvalidState, PortInUse, Worker, WorkerClosed
from headwater.testing import FakeWorker


async def test_second_worker_is_refused(worker: FakeWorker) -> None:
    """A process has one Worker; a second one needs leave, and the place is free after a close."""
    with pytest.raises(InvalidState, match="allow_several"):
        await FakeWorker().open()
    async with FakeWorker(allow_several=True):
        pass
    await worker.close()
    async with FakeWorker() as another:
        assert another.port


async def test_refused_worker_leaves_the_first_alone(worker: FakeWorker) -> None:
    """Refusing a second Worker does not disturb the one that is open."""
    with pytest.raises(InvalidState):
        await FakeWorker().open()
    await worker.create_router()


async def test_use_before_open() -> None:
    """A Worker that was not opened says how to open it."""
    with pytest.raises(InvalidState, match="async with"):
        await Worker().create_router()


async def test_closed_worker_refuses_everything(worker: FakeWorker) -> None:
    """After close every call says so, closing again does nothing, and opening again is refused."""
    router = await worker.create_router()
    await worker.close()
    await worker.close()
    assert worker.closed
    assert router.close_reason == "parent"
    for call in (worker.create_router(), router.create_publish_transport(), worker.open()):
        with pytest.raises(WorkerClosed):
            await call
    with pytest.raises(WorkerClosed):
        worker.counters()
    await router.close()


async def test_close_without_open() -> None:
    """A Worker that was never opened can be closed."""
    await Worker().close()


async def test_taken_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """A taken port is a PortInUse; other system errors pass as they are."""
    worker = FakeWorker(port=5)

    def refuse(code: int) -> Any:
        raise OSError(code, "no")

    monkeypatch.setattr(worker, "_make_core", lambda: refuse(errno.EADDRINUSE))
    with pytest.raises(PortInUse, match="UDP port 5"):
        await worker.open()
    monkeypatch.setattr(worker, "_make_core", lambda: refuse(errno.EACCES))
    with pytest.raises(PermissionError):
        await worker.open()


async def test_other_loop_is_refused(worker: FakeWorker) -> None:
    """A Worker belongs to the loop that opened it."""

    def elsewhere() -> None:
        asyncio.run(worker.create_router())

    with pytest.raises(InvalidState, match="event loop"):
        await asyncio.to_thread(elsewhere)


async def test_waiting_calls_end_with_the_worker(worker: FakeWorker) -> None:
    """Whoever waits for a reply when the Worker goes is told."""
    worker.core.hold()
    task = asyncio.create_task(worker.create_router())
    await worker.core.asked("create_router")
    closing = asyncio.create_task(worker.close())
    with pytest.raises(WorkerClosed):
        await task
    await closing


async def test_facts(worker: FakeWorker) -> None:
    """Port, threads, candidates, counters and routers are at hand."""
    router = await worker.create_router()
    assert worker.routers == (router,)
    assert worker.candidates() == [f"127.0.0.1:{worker.port}"]
    assert (await worker.get_stats())["threads"] == worker.threads == 1
    assert "port 50000" in repr(worker)
    await router.close()
    assert not worker.routers
