"""Whether packets go to a child, asked of the core once a second, for whoever judges the child's work.

What gets nothing cannot be late. A child is therefore judged by what it does from the moment on when
packets began to go to it without a pause.
"""

from __future__ import annotations

from collections.abc import Sequence

from headwater.media.plain_track import PlainTrack

__all__ = ["Feeding"]


class Feeding:
    """The tracks that go to one child.

    Args:
        tracks: All of them.

    Attributes:
        since: `time.monotonic` when packets were first seen to go after none had; none while none go.
        grew_at: When a look last found that packets had gone since the look before.
    """

    def __init__(self, tracks: Sequence[PlainTrack]) -> None:
        self.since: float | None = None
        self.grew_at: float | None = None
        self._tracks = tracks
        self._sent = 0
        self._asked: float | None = None

    async def look(self, now: float, *, at_once: bool = False) -> None:
        """Ask, when the last answer is old.

        Args:
            now: `time.monotonic`.
            at_once: Ask in any case.

        Raises:
            Closed: One of the tracks has closed.
        """
        if self._asked is not None and now - self._asked < INTERVAL and not at_once:
            return
        self._asked = now
        sent = 0
        for track in self._tracks:
            sent += int((await track.get_stats()).get("packets_sent", 0))
        if sent > self._sent:
            self.grew_at = now
            self.since = now if self.since is None else self.since
        elif self.grew_at is None or now - self.grew_at >= INTERVAL:
            self.since = None
        self._sent = sent


INTERVAL = 1.0
"""Seconds between two questions; less than half of any patience with a child."""
