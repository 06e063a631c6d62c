"""Media flows on while Python stands still, and ends at once when the Worker closes."""

from __future__ import annotations

import ctypes
import itertools
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from headwater._core import native
from tests.seam.conftest import DEADLINE, collect, outcome
from tests.support.pace import slowdown

BLOCK = 0.5
"""Seconds for which the interpreter lock is held."""
ENOUGH = 25
"""Frames that show that audio flows."""
FRAME = 0.02
"""Seconds between audio frames."""


class Peer:
    """The process of `media_peer.py`."""

    def __init__(self) -> None:
        script = Path(__file__).with_name("media_peer.py")
        self._process = subprocess.Popen(
            [sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def hear(self, key: str) -> Any:
        """Wait for the next line, which must carry ``key``."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"the peer ended with {self._process.wait()}"
        return json.loads(line)[key]

    def tell(self, **message: Any) -> None:
        """Write one line."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message) + "\n")
        self._process.stdin.flush()

    def close(self) -> None:
        """End the process."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@pytest.fixture
def peer() -> Iterator[Peer]:
    """A peer that ends with the test."""
    peer = Peer()
    yield peer
    peer.close()


def value(worker: native.Worker, request: int) -> Any:
    """Wait for a command that must succeed."""
    reply = outcome(worker, request)
    assert isinstance(reply, native.Replied), reply
    return reply.value


def connect(worker: native.Worker, peer: Peer) -> int:
    """Route the peer's audio through the Worker back to it; the router."""
    router = worker.allocate_router()
    publishing, watching, publisher, subscriber = (worker.allocate(router) for _ in range(4))
    value(worker, worker.create_router(router, ["opus"]))
    value(worker, worker.create_publish_transport(router, publishing, dtls="1.2"))
    value(worker, worker.create_subscribe_transport(router, watching, dtls="1.2"))
    answer = value(worker, worker.accept_offer(publishing, peer.hear("offer")))
    value(worker, worker.publish(publishing, publisher, answer.tracks[0].mid))
    peer.tell(answer=answer.sdp)
    offer = value(worker, worker.subscribe(watching, [(subscriber, publisher)]))
    peer.tell(offer=offer.sdp)
    value(worker, worker.accept_answer(watching, peer.hear("answer")))
    assert peer.hear("flowing")
    return router


def hold_the_interpreter(seconds: float) -> tuple[float, float]:
    """Do nothing without giving up the interpreter lock; when it began and ended."""
    libc = ctypes.PyDLL(None)  # unlike CDLL, keeps the lock during the call
    start = time.monotonic()
    libc.usleep(int(seconds * 1e6))
    return start, time.monotonic()


def test_media_flows_while_the_interpreter_is_held(worker: native.Worker, peer: Peer) -> None:
    """For 500 ms no Python runs in this process; the peer's audio arrives as before.

    Once in five times: the peer is a process that others may keep from running, too.
    """
    connect(worker, peer)
    seen = []
    for _ in range(5):
        start, end = hold_the_interpreter(BLOCK)
        assert end - start >= BLOCK
        peer.tell(report=True)
        arrivals = [moment for moment in peer.hear("arrivals") if start <= moment <= end]
        gaps = [later - earlier for earlier, later in itertools.pairwise([start, *arrivals, end])]
        seen.append((len(arrivals), max(gaps)))
        if len(arrivals) >= BLOCK / FRAME * 0.8 and max(gaps) < 0.2:
            return
    raise AssertionError(f"frames of {BLOCK / FRAME:.0f} while blocked, and the longest silence in s: {seen}")


def test_a_panic_inside_a_session_closes_that_session_alone(worker: native.Worker, peer: Peer) -> None:
    """A bug that one peer runs into ends its transport; media beside it flows on."""
    router = connect(worker, peer)
    doomed = worker.allocate(router)
    value(worker, worker.create_publish_transport(router, doomed, dtls="1.2"))
    worker.inject_panic(doomed)
    closed = collect(worker, lambda events: any(isinstance(event, native.Closed) for event in events))
    ended = [(event.kind, event.handle, event.reason) for event in closed if isinstance(event, native.Closed)]
    assert ended == [("transport", doomed, "panic")]
    peer.tell(await_frames=ENOUGH)
    assert peer.hear("flowing")
    assert worker.counters()["thread_panics"] == 0


def test_closing_a_router_leaves_nothing_behind(worker: native.Worker, peer: Peer) -> None:
    """When everything is closed, neither core nor worker holds an object or an address."""
    router = connect(worker, peer)
    assert worker.counters()["objects"] > 0
    value(worker, worker.close_router(router))
    left = {"objects", "open_commands", "known_ufrags", "known_addresses"}
    deadline = time.monotonic() + DEADLINE
    while any((counters := worker.counters())[name] for name in left):
        assert time.monotonic() < deadline, {name: counters[name] for name in left}
        value(worker, worker.get_stats("thread", router))


def test_closing_the_worker_tells_the_peers(worker: native.Worker, peer: Peer) -> None:
    """Peers see the end by DTLS close_notify, long before ICE would give up."""
    connect(worker, peer)
    peer.tell(await_end=True)
    start = time.monotonic()
    worker.close()
    assert peer.hear("ended")
    assert time.monotonic() - start < 3 * slowdown()
    closed = [event for event in worker.drain_events() if isinstance(event, native.Closed)]
    kinds = sorted(event.kind for event in closed)
    assert kinds == ["publisher", "router", "subscriber", "transport", "transport"]
