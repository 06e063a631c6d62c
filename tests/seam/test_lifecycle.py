"""A Worker gives back everything it took, and its threads do not need the interpreter."""

from __future__ import annotations

import gc
import os
import socket
import threading
import time
from pathlib import Path

import pytest

from headwater._core import native
from tests.seam.conftest import DEADLINE, collect, open_worker, outcome


def resources() -> tuple[int, int]:
    """Open descriptors and threads of this process, as the kernel counts them."""
    return len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task"))


def given_back(before: tuple[int, int]) -> None:
    """Wait until it is so: the kernel lists a thread a moment longer than it can be waited for."""
    deadline = time.monotonic() + DEADLINE
    while resources() != before:
        assert time.monotonic() < deadline, f"{resources()} is not {before}"
        time.sleep(0.01)


def test_close_gives_back_descriptors_and_threads() -> None:
    """After 50 Workers the process holds what it held before."""
    open_worker(threads=4).close()
    before = resources()
    for _ in range(50):
        worker = open_worker(threads=4)
        router = worker.allocate_router()
        worker.create_router(router, ["opus", "vp8"])
        transport = worker.allocate(router)
        worker.create_recording_transport(router, transport, "127.0.0.1", 40_000)
        assert resources()[1] >= before[1] + 4
        worker.close()
    given_back(before)


def test_a_forgotten_worker_gives_everything_back() -> None:
    """Without close, the last reference going away does the same."""
    open_worker().close()
    gc.collect()
    before = resources()
    worker = open_worker(threads=2)
    assert resources() > before
    del worker
    gc.collect()
    given_back(before)


def test_a_failed_open_gives_everything_back() -> None:
    """A port that is taken leaves nothing behind."""
    first = open_worker(threads=2)
    before = resources()
    for _ in range(10):
        with pytest.raises(Exception, match="taken"):
            open_worker(threads=4, port=first.port)
    given_back(before)
    first.close()


def test_new_routers_go_to_the_thread_that_carries_least() -> None:
    """Routers are spread evenly, and a handle names its thread in its top 16 bits."""
    worker = open_worker(threads=4)
    try:
        routers = []
        for _ in range(8):
            routers.append(worker.allocate_router())
            worker.create_router(routers[-1], ["opus"])
        assert sorted(router >> 48 for router in routers) == [0, 0, 1, 1, 2, 2, 3, 3]
        assert all(worker.allocate(router) >> 48 == router >> 48 for router in routers)
        outcome(worker, worker.close_router(routers[5]))
        assert worker.allocate_router() >> 48 == routers[5] >> 48
    finally:
        worker.close()


def test_strangers_get_no_answer(worker: native.Worker) -> None:
    """Datagrams that belong to nobody are counted and not answered."""
    count = 200
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind(("127.0.0.1", 0))
        for number in range(count):
            stranger.sendto(number.to_bytes(2, "big") * 50, ("127.0.0.1", worker.port))
        deadline = time.monotonic() + DEADLINE
        while worker.counters().get("datagrams_unknown", 0) < count:
            assert time.monotonic() < deadline, worker.counters()
            worker.get_stats("thread", 0)  # something to wait for instead of sleeping
            collect(worker, bool)
        counters = worker.counters()
        assert counters["datagrams_received"] == count
        assert counters["datagrams_sent"] == 0
        stranger.setblocking(False)
        with pytest.raises(BlockingIOError):
            stranger.recv(2000)


def test_media_threads_have_names(worker: native.Worker) -> None:
    """An operator sees in /proc which thread spends the time."""
    for thread in range(worker.threads):
        worker.get_stats("thread", thread << 48)
    collect(worker, lambda events: len(events) >= worker.threads)  # all of them run
    names = {task.joinpath("comm").read_text().strip() for task in Path("/proc/self/task").iterdir()}
    assert {f"hw-media-{thread}" for thread in range(worker.threads)} <= names


def test_python_threads_may_share_a_worker() -> None:
    """Commands from several Python threads are all answered, once each."""
    worker = open_worker(threads=2)
    sent: list[int] = []

    def send() -> None:
        sent.extend(worker.get_stats("thread", (number % 2) << 48) for number in range(500))

    senders = [threading.Thread(target=send) for _ in range(4)]
    for sender in senders:
        sender.start()
    events = collect(worker, lambda events: len(events) >= 2000)
    for sender in senders:
        sender.join()
    assert sorted(event.request for event in events) == sorted(sent)
    worker.close()
