"""Whether a child hangs: told from one that is busy, or starved of CPU, by what the kernel says of it.

Stopped by a signal, it hangs. Silent, it is suspected; it hangs if packets go to it, look after look, and
meanwhile it neither runs nor would if it could: whoever takes packets needs CPU for it. A child that
waits for a processor on a loaded machine is ready to run, and is left alone.
"""

from __future__ import annotations

from dataclasses import dataclass

from headwater.pipelines.feeding import Feeding
from headwater.pipelines.process_state import ProcessState, is_stopped, read_process_state

__all__ = ["Hanging"]


@dataclass(slots=True)
class _Calm:
    """A stretch in which it did nothing."""

    since: float
    cpu_seconds: float
    fed: int = 0
    """Looks that found more packets sent to it than the look before."""


class Hanging:
    """One child.

    Args:
        pid: Its process.
        feeding: What goes to it.
    """

    def __init__(self, pid: int, feeding: Feeding) -> None:
        self._pid = pid
        self._feeding = feeding
        self._stopped: float | None = None
        self._calm: _Calm | None = None

    async def look(self, now: float, worked: float) -> bool:
        """Look at it, a few times a second; whether it hangs.

        Args:
            now: `time.monotonic`.
            worked: When it last told of work done, or began.

        Raises:
            Closed: What goes to it has closed.
        """
        if self._is_stopped(now):
            return True
        if now - worked < SILENT_SECONDS or self._feeding.since is None:
            self._calm = None
            return False
        await self._feeding.look(now, at_once=True)
        return self._is_calm(now, read_process_state(self._pid))

    def _is_stopped(self, now: float) -> bool:
        if not is_stopped(self._pid):
            self._stopped = None
            return False
        self._stopped = self._stopped or now
        return now - self._stopped >= STOPPED_SECONDS

    def _is_calm(self, now: float, state: ProcessState | None) -> bool:
        """Whether it has been calm, and fed, for long enough."""
        calm = self._calm
        if state is None or state.ready:
            self._calm = None
            return False
        elapsed = now - calm.since if calm else 0.0
        # A stretch that is too long for its few packets says nothing: they may just be few.
        over = elapsed > 2 * CALM_SECONDS
        if calm is None or over or state.cpu_seconds - calm.cpu_seconds > SHARE * elapsed:
            self._calm = _Calm(now, state.cpu_seconds)
            return False
        calm.fed += self._feeding.grew_at == now
        return elapsed >= CALM_SECONDS and calm.fed >= FED_LOOKS


STOPPED_SECONDS = 0.3
"""Who stops it for a moment, to look at it, continues it sooner."""
SILENT_SECONDS = 0.6
"""It reports twice a second, or more often."""
CALM_SECONDS = 0.8
FED_LOOKS = 3
SHARE = 0.001
"""CPU seconds a second. Fifty packets of sound a second cost FFmpeg three times as much while it finds out
what they are, ten times as much afterwards; its reports alone cost a third."""
