"""Overload: newcomers are refused and layers given up in time, and both end without flapping."""

from __future__ import annotations

import itertools

import pytest

from headwater import Overloaded, OverloadLimits
from headwater.media import load_monitor
from headwater.media.overload import LoadSample, Overload
from headwater.testing import FakeWorker
from tests.unit.meetings.support import eventually


class Machine:
    """Feeds samples, four a second."""

    def __init__(self, limits: OverloadLimits = OverloadLimits(), threads: int = 1) -> None:  # noqa: B008
        self.overload = Overload(limits, threads)
        self.at = 0.0
        self.sent_bytes = 0
        self.sent = 0
        self.refused = 0

    def reason(self) -> str | None:
        return self.overload.reason

    def run(
        self, seconds: float, *busy: float, bitrate: float = 0, refused: float = 0
    ) -> list[tuple[float, ...]]:
        """Let time pass under a load; ``bitrate`` in bit/s. Returns the shares that were decided."""
        decided = []
        for _ in range(int(seconds * 4)):
            self.at += 0.25
            self.sent_bytes += int(bitrate / 8 / 4)
            self.sent += 1000
            self.refused += int(1000 * refused)
            sample = LoadSample(self.at, busy, self.sent_bytes, self.refused, self.sent)
            if self.overload.add(sample):
                decided.append(self.overload.shares)
        return decided


def test_a_burst_is_no_overload() -> None:
    machine = Machine()
    for _ in range(20):
        machine.run(0.25, 1.0)
        machine.run(0.75, 0.3)
    assert machine.reason() is None
    assert machine.overload.shares == (1.0,)


def test_it_begins_at_the_limit_and_ends_below_recovery() -> None:
    machine = Machine()
    machine.run(3, 0.89)
    assert machine.reason() is None
    machine.run(3, 0.93)
    assert machine.reason() == "it is busy"
    machine.run(10, 0.75)
    assert machine.reason() == "it is busy", "between both it stays as it was"
    machine.run(3, 0.70)
    assert machine.reason() is None
    machine.run(10, 0.85)
    assert machine.reason() is None


def test_layers_go_step_by_step_and_come_back_slower() -> None:
    machine = Machine()
    machine.run(1, 0.5)
    falling = machine.run(3, 0.95)
    assert [round(share, 2) for (share,) in falling] == [0.8, 0.64]
    rising = machine.run(10, 0.5)
    shares = [share for (share,) in rising]
    assert shares == sorted(shares)
    assert len(shares) > 3, "not all at once"
    assert shares[-1] == 1.0
    assert machine.run(10, 0.5) == [], "nothing is told that has not changed"


def test_what_overloads_again_is_tried_less_and_less_often() -> None:
    """The next layer is a step too large: with it there is too much to do, without it plenty of room."""
    machine = Machine()
    machine.run(5, 0.95)
    starts, calm = [], True
    for second in range(600):
        large = machine.overload.shares[0] > 0.8
        machine.run(1, 0.95 if large else 0.5)
        if calm and machine.reason():
            starts.append(second)
        calm = machine.reason() is None
    gaps = [later - earlier for earlier, later in itertools.pairwise(starts)]
    assert gaps[-1] > 110
    assert gaps[-1] > 10 * gaps[0]
    assert len(starts) < 12, "in ten minutes"
    machine.run(300, 0.5)
    machine.run(5, 0.95)
    back = machine.run(20, 0.5)
    assert back[-1] == (1.0,), "long calm is forgiving"


def test_nothing_is_given_back_without_room() -> None:
    """Between recovery and the limit the share stays: giving back would lead to the limit."""
    machine = Machine()
    machine.run(5, 0.95)
    machine.run(2, 0.5)
    machine.run(2, 0.8)
    part = machine.overload.shares
    machine.run(60, 0.8)
    assert machine.reason() is None
    assert machine.overload.shares == part
    assert part[0] < 1.0


def test_something_is_always_sent() -> None:
    machine = Machine()
    machine.run(60, 1.0)
    assert 0 < machine.overload.shares[0] <= 0.1


def test_one_busy_thread_gives_up_layers_and_newcomers_go_to_the_other() -> None:
    machine = Machine(threads=2)
    machine.run(5, 0.97, 0.2)
    assert machine.reason() is None
    busy, idle = machine.overload.shares
    assert busy < 1.0
    assert idle == 1.0
    machine.run(5, 0.97, 0.95)
    assert machine.reason() is not None


def test_a_bound_on_what_is_sent() -> None:
    machine = Machine(OverloadLimits(max_egress=100e6), threads=2)
    machine.run(5, 0.1, 0.1, bitrate=80e6)
    assert machine.reason() is None
    machine.run(5, 0.1, 0.1, bitrate=95e6)
    assert machine.reason() == "it sends as much as it can"
    assert max(machine.overload.shares) < 1.0, "it concerns all threads"
    machine.run(5, 0.1, 0.1, bitrate=50e6)
    assert machine.reason() is None


def test_a_socket_without_room_is_an_overload_whatever_else_is_measured() -> None:
    machine = Machine()
    machine.run(5, 0.3, bitrate=10e6, refused=0.001)
    assert machine.reason() is None
    machine.run(5, 0.3, bitrate=10e6, refused=0.05)
    assert machine.reason() is not None


async def test_the_worker_refuses_tells_its_threads_and_recovers(
    worker: FakeWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load_monitor, "PERIOD", 0.01)
    monkeypatch.setattr("headwater.media.overload.WINDOW", 0.05)
    worker.check_capacity()
    worker.core.busy = 950
    await eventually(lambda: worker.core.shares.get(0, 1.0) < 1.0, "a smaller share")
    with pytest.raises(Overloaded, match="busy"):
        worker.check_capacity()
    stats = await worker.get_stats()
    assert stats["overloaded"] == 1
    assert stats["busy"] == 0.95
    worker.core.busy = 100
    await eventually(lambda: worker.core.shares[0] == 1.0, "all of it again")
    worker.check_capacity()


async def test_a_closed_worker_looks_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load_monitor, "PERIOD", 0.001)
    async with FakeWorker() as worker:
        looks = 0

        def count() -> dict[str, int]:
            nonlocal looks
            looks += 1
            return {}

        monkeypatch.setattr(worker.core, "counters", count)
        await eventually(lambda: looks > 2, "a look")
        monitor = worker._monitor
        assert monitor is not None
    assert monitor._timer is not None
    assert monitor._timer.cancelled()
