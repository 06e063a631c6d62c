"""Looks at the media threads a few times a second, and tells them what they may send."""

from __future__ import annotations

import asyncio
import logging

from headwater.errors import Overloaded
from headwater.media.overload import LoadSample, Overload, OverloadLimits, busy_parts
from headwater.media.seam import Seam

__all__ = ["LoadMonitor"]

logger = logging.getLogger(__name__)
PERIOD = 0.25
"""Seconds between two looks; the media threads publish what they count as often."""


class LoadMonitor:
    """The load of one Worker.

    Args:
        seam: The way to its media threads.
        limits: When there is too much to do.
    """

    def __init__(self, seam: Seam, limits: OverloadLimits) -> None:
        self._seam = seam
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self.overload = Overload(limits, seam.native.threads)

    def start(self) -> None:
        """Begin to look."""
        self._timer = self._loop.call_later(PERIOD, self._look)

    def stop(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()

    def check(self) -> None:
        """Refuse a newcomer when there is too much to do already.

        Raises:
            Overloaded: There is.
        """
        if (reason := self.overload.reason) is not None:
            raise Overloaded(f"this server takes nobody in at the moment: {reason}")

    def values(self) -> dict[str, float]:
        """The load by name, for statistics."""
        return {
            "busy": round(max(self.overload.busy), 3),
            "egress": round(self.overload.egress),
            "share": round(min(self.overload.shares), 3),
            "overloaded": int(self.overload.reason is not None),
        }

    def _look(self) -> None:
        if not self._seam.open:
            return
        self._timer = self._loop.call_later(PERIOD, self._look)
        native = self._seam.native
        counters = native.counters()
        before = self.overload.reason
        changed = self.overload.add(
            LoadSample(
                at=self._loop.time(),
                busy=busy_parts(native.loads()),
                sent_bytes=counters.get("bytes_out", 0),
                refused=counters.get("send_buffer_full", 0) + counters.get("tcp_dropped", 0),
                sent=counters.get("datagrams_sent", 0),
            )
        )
        if changed:
            for thread, share in enumerate(self.overload.shares):
                self._seam.notify(native.set_share(thread, share))
        if (self.overload.reason is None) != (before is None):
            logger.warning(
                "overload %s: busy %s, sending %.1f Mbit/s",
                "is over" if before else "begins",
                " ".join(f"{busy:.2f}" for busy in self.overload.busy),
                self.overload.egress / 1e6,
            )
