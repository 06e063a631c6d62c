"""An event loop whose clock jumps to the next timer when nothing else is to be done: hours in no time."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

__all__ = ["VirtualLoop", "run"]

T = TypeVar("T")


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end in time of its own; `asyncio`'s timers and timeouts keep it."""
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(coroutine)
    finally:
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


class _Selector(selectors.SelectSelector):
    """Waits for nothing, and says how long it would have waited."""

    waited = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready:
            assert timeout is not None, "everybody waits, and no timer runs"
            self.waited += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """For what neither network nor threads take part in: it would not wait for them."""

    def __init__(self) -> None:
        self._time = _Selector()
        super().__init__(self._time)

    def time(self) -> float:
        """Seconds that were waited, had anybody waited."""
        return self._time.waited
