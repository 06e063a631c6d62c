"""A child that hangs is told from one that is busy, starved, or has nothing to do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import cast

import pytest

from headwater.media.plain_track import PlainTrack
from headwater.pipelines import hanging
from headwater.pipelines.feeding import Feeding
from headwater.pipelines.hanging import Hanging
from headwater.pipelines.process_state import ProcessState, is_stopped, read_process_state
from tests.support.children import end_with_parent
from tests.unit.pipelines.test_feeding import Track

LOOK = 0.2


class Child:
    """What the kernel would say of one, and packets that go to it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.stopped, self.ready, self.cpu = False, False, 1.0
        self.worked = self.now = 100.0
        self.track = Track()
        self.feeding = Feeding([cast(PlainTrack, self.track)])
        self.hanging = Hanging(1, self.feeding)
        monkeypatch.setattr(hanging, "is_stopped", lambda pid: self.stopped)
        monkeypatch.setattr(hanging, "read_process_state", lambda pid: ProcessState(self.ready, self.cpu))

    async def noticed_after(
        self, seconds: float, *, packets: int = 10, cpu: float = 0.0, reports: bool = False
    ) -> float | None:
        """Look for so long; when it was found to hang, in seconds from now.

        Args:
            seconds: How long.
            packets: That go to it from look to look.
            cpu: Seconds that it uses from look to look.
            reports: It tells of work done twice a second.
        """
        begun = self.now
        for _ in range(round(seconds / LOOK)):
            self.now += LOOK
            self.track.sent += packets
            self.cpu += cpu
            if reports and self.now - self.worked >= 0.5:
                self.worked = self.now
            await self.feeding.look(self.now)
            if await self.hanging.look(self.now, self.worked):
                return self.now - begun
        return None


@pytest.fixture
async def child(monkeypatch: pytest.MonkeyPatch) -> Child:
    """A child that has worked for some seconds."""
    made = Child(monkeypatch)
    assert await made.noticed_after(4, cpu=0.002, reports=True) is None
    return made


async def test_a_stopped_child_is_noticed_at_the_third_look(child: Child) -> None:
    """Once would do, but for those who stop it for a moment to look at it."""
    child.stopped = True
    assert await child.noticed_after(0.2) is None
    child.stopped = False
    assert await child.noticed_after(2, cpu=0.002, reports=True) is None
    child.stopped = True
    assert await child.noticed_after(2) == pytest.approx(0.6)


async def test_a_child_that_takes_no_packet_is_noticed_within_two_seconds(child: Child) -> None:
    """Also when a thread of it goes on to report that nothing has been done."""
    assert cast(float, await child.noticed_after(5, cpu=0.00005)) <= 1.7


@pytest.mark.parametrize(
    "state",
    [
        pytest.param({"packets": 0}, id="paused"),
        pytest.param({"cpu": 0.0006}, id="finds out what comes"),
        pytest.param({"packets": 10, "cpu": 0.1}, id="busy and silent"),
    ],
)
async def test_a_child_that_is_only_silent_is_left_alone(child: Child, state: dict[str, float]) -> None:
    """Silence says little: it may have nothing to do, or more than it can."""
    assert await child.noticed_after(30, **state) is None  # type: ignore[arg-type]


async def test_a_child_that_waits_for_a_processor_is_left_alone(child: Child) -> None:
    """On a loaded machine it does nothing for seconds, but it would."""
    child.ready = True
    assert await child.noticed_after(30) is None


async def test_a_few_packets_prove_nothing(child: Child) -> None:
    """One picture a second costs too little CPU to be told from none."""
    for _ in range(20):
        assert await child.noticed_after(0.8, packets=0) is None
        assert await child.noticed_after(0.2, packets=4, cpu=0.0002) is None


def test_the_kernel_tells_who_sleeps_works_and_is_stopped() -> None:
    """Of real processes."""
    for script, ready in (("import time; time.sleep(60)", False), ("while True: pass", True)):
        program = [sys.executable, "-S", "-c", f"print(flush=True)\n{script}"]
        process = subprocess.Popen(program, stdout=subprocess.PIPE, preexec_fn=end_with_parent)
        try:
            assert process.stdout
            process.stdout.readline()
            seen = _look_until(process.pid, ready=ready)
            assert seen.cpu_seconds > 0
            assert not is_stopped(process.pid)
            process.send_signal(signal.SIGSTOP)
            os.waitid(os.P_PID, process.pid, os.WSTOPPED)
            assert is_stopped(process.pid)
        finally:
            process.kill()
            process.communicate()
        assert read_process_state(process.pid) is None


def _look_until(pid: int, *, ready: bool) -> ProcessState:
    for _ in range(1_000_000):
        seen = read_process_state(pid)
        assert seen
        if seen.ready == ready:
            return seen
    raise AssertionError("never seen so")
