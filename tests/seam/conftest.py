"""A Worker of the compiled core per test, and ways to wait for what it says."""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from headwater._core import native

DEADLINE = 60.0
"""Seconds after which something that should have happened is taken not to happen."""


def open_worker(threads: int = 1, port: int = 0) -> native.Worker:
    """Open a Worker on every address of this machine."""
    return native.Worker(threads=threads, port=port, addresses=[], announce=[], announce_only=False, tcp=[])


@pytest.fixture(params=[1, 4], ids=["1-thread", "4-threads"])
def worker(request: pytest.FixtureRequest) -> Iterator[native.Worker]:
    """A Worker that is closed after the test."""
    worker = open_worker(request.param)
    yield worker
    worker.close()


def collect(worker: native.Worker, enough: Callable[[list[Any]], bool], limit: int = 4096) -> list[Any]:
    """Drain events until there are enough, waiting on the descriptor as asyncio does.

    Args:
        worker: Whose events.
        enough: Says of all events so far whether to stop.
        limit: At most so many per drain.

    Raises:
        AssertionError: The deadline passed.
    """
    events: list[Any] = []
    deadline = time.monotonic() + DEADLINE
    while not enough(events):
        left = deadline - time.monotonic()
        readable, _, _ = select.select([worker.fileno()], [], [], max(left, 0))
        assert readable, f"nothing more within {DEADLINE} s; {len(events)} events, the last: {events[-3:]}"
        events += worker.drain_events(limit)
    return events


def outcome(worker: native.Worker, request: int) -> Any:
    """Wait for one command and return its ``Replied`` or ``Failed``."""

    def is_ours(event: Any) -> bool:
        return isinstance(event, native.Replied | native.Failed) and event.request == request

    events = collect(worker, lambda events: any(map(is_ours, events)))
    return next(filter(is_ours, events))
