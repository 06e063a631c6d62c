"""Events arrive in order and none is lost, however slowly they are read."""

from __future__ import annotations

import itertools
import select
from typing import Any

import pytest

from headwater import errors
from headwater._core import native
from tests.seam.conftest import collect, open_worker

IN_FLIGHT = 8192
"""Commands that may wait for their reply to be drained, per media thread."""


def requests(events: list[Any]) -> list[int]:
    """Request numbers of replies, in order of arrival."""
    return [event.request for event in events]


def test_no_reply_is_lost_when_events_are_not_read() -> None:
    """A reader that sleeps through thousands of replies gets each once, in order."""
    worker = open_worker()
    try:
        sent = [worker.get_stats("thread", 0) for _ in range(IN_FLIGHT)]
        with pytest.raises(errors.LimitReached):
            worker.get_stats("thread", 0)
        events = collect(worker, lambda events: len(events) >= IN_FLIGHT, limit=100)
        assert requests(events) == sent
        assert worker.drain_events() == []
        worker.get_stats("thread", 0)  # there is room again
        assert len(collect(worker, bool)) == 1
    finally:
        worker.close()


def test_replies_of_several_threads_all_arrive(worker: native.Worker) -> None:
    """Commands spread over all threads are all answered, in order per thread."""
    total = 20_000
    sent: list[list[int]] = [[] for _ in range(worker.threads)]
    got: list[int] = []
    for start in range(0, total, 1000):
        for number in range(start, start + 1000):
            thread = number % worker.threads
            sent[thread].append(worker.get_stats("thread", thread << 48))
        enough = start + 500 if start + 1000 < total else total  # read late, but in the end all
        missing = enough - len(got)
        got += requests(collect(worker, lambda events, n=missing: len(events) >= n))  # type: ignore[misc]
    assert sorted(got) == sorted(itertools.chain(*sent))
    for mine in sent:
        numbers = set(mine)
        assert [request for request in got if request in numbers] == mine


def test_the_descriptor_is_readable_exactly_while_events_wait(worker: native.Worker) -> None:
    """A partial drain leaves it readable; a full one does not, so a loop never spins."""
    sent = [worker.get_stats("thread", 0) for _ in range(10)]
    events = collect(worker, lambda events: len(events) >= 4, limit=1)
    while len(events) < len(sent):
        assert select.select([worker.fileno()], [], [], 5)[0]
        events += worker.drain_events(limit=1)
    worker.drain_events()  # a wake-up that was under way may be left over, but no more than one
    assert select.select([worker.fileno()], [], [], 0)[0] == []


def test_what_was_not_read_can_be_read_after_close() -> None:
    """Close joins the threads and loses no event."""
    worker = open_worker(threads=2)
    sent = [worker.get_stats("thread", (number % 2) << 48) for number in range(100)]
    worker.close()
    events = worker.drain_events()
    assert sorted(requests(events)) == sent
    assert worker.drain_events() == []
