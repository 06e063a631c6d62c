"""Tasks with an owner: whoever starts them ends them, and no failure goes unseen."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from headwater.telemetry import get_logger

__all__ = ["Tasks"]

_log = get_logger(__name__)


class Tasks:
    """The background tasks of one object. A task that fails is logged and ends alone."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    def __len__(self) -> int:
        return len(self._tasks)

    def spawn(self, work: Coroutine[Any, Any, None], *, name: str) -> asyncio.Task[None] | None:
        """Start a task; after ``close`` the work is dropped."""
        if self._closed:
            work.close()
            return None
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    async def close(self) -> None:
        """Cancel all tasks and wait for their end; the calling task itself is left alone."""
        self._closed = True
        current = asyncio.current_task()
        pending = [task for task in self._tasks if task is not current]
        for task in pending:
            task.cancel()
        if pending:
            await asyncio.wait(pending)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("task failed", task=task.get_name(), exc_info=error)
