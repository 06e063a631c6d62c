"""Whether packets go to a child: asked of the core once a second, for whoever judges the child's work.

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
    """

    def __init__(self, tracks: Sequence[PlainTrack]) -> None:
        self.since: float | None = None
        self._tracks = tracks
        self._sent = 0
        self._asked: float | None = None

    async def look(self, now: float) -> None:
        """Ask, when the last answer is old.

        Args:
            now: `time.monotonic`.

        Raises:
            Closed: One of the tracks has closed.
        """
        if self._asked is not None and now - self._asked < INTERVAL:
            return
        self._asked = now
        sent = 0
        for track in self._tracks:
            sent += int((await track.get_stats()).get("packets_sent", 0))
        if sent <= self._sent:
            self.since = None
        elif self.since is None:
            self.since = now
        self._sent = sent


INTERVAL = 1.0
"""Seconds between two questions; less than half of any patience with a child."""
