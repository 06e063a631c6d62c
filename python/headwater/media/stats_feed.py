"""A StatsFeed: the statistics of everything that a Worker holds, one sample after the other.

It looks at every open object once in ``interval`` seconds, some at a time, and asks for the next ones only
when those before have been read. So nothing piles up for a slow reader, what is read is never old, and a
media thread is asked for a few samples at once, never for all. What was due meanwhile is not made up for:
``lost`` counts it.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Literal, Protocol, Self

from headwater.errors import Closed, ConfigurationError
from headwater.media.object import Statistics
from headwater.media.seam import Kind, Seam

__all__ = ["Sampled", "StatsFeed", "StatsSample"]

SampleKind = Kind | Literal["worker"]


@dataclass(frozen=True, slots=True)
class StatsSample:
    """The statistics of one object at one moment."""

    at: float
    """Seconds since 1970."""
    kind: SampleKind
    id: str
    """Of the object; of the Worker itself ``worker``."""
    values: Statistics
    """What its ``get_stats`` returns; ``docs/reference/statistics.md`` names them."""


class Sampled(Protocol):
    """What has statistics."""

    async def get_stats(self) -> Statistics:
        """Return its counters."""
        ...


class StatsFeed(AsyncIterator[StatsSample]):
    """An async iterator of samples; made by `Worker.stats_feed`. It ends when the Worker closes."""

    def __init__(
        self,
        seam: Seam,
        objects: Callable[[], Iterable[tuple[SampleKind, str, Sampled]]],
        *,
        interval: float,
        kinds: Collection[SampleKind] | None,
    ) -> None:
        """Use `Worker.stats_feed`."""
        if interval <= 0:
            raise ConfigurationError(f"an interval is a number of seconds above 0, not {interval}")
        self._seam = seam
        self._objects = objects
        self._interval = interval
        self._kinds = kinds
        self._ready: deque[StatsSample] = deque()
        self._due: deque[tuple[SampleKind, str, Sampled]] = deque()
        self._next_round: float | None = None
        self._lost = 0

    @property
    def lost(self) -> int:
        """Samples that were never taken, because those before them were not read in time."""
        return self._lost

    def __aiter__(self) -> Self:
        """Return the feed."""
        return self

    async def __anext__(self) -> StatsSample:
        """Wait for the next sample."""
        while not self._ready:
            if not self._due:
                await self._begin_round()
            if not self._seam.open:
                raise StopAsyncIteration
            await self._take()
        return self._ready.popleft()

    async def _begin_round(self) -> None:
        """Wait until everything is to be looked at again, and note what there is."""
        loop = asyncio.get_running_loop()
        due = loop.time() if self._next_round is None else self._next_round
        await self._seam.wait_stopped(due - loop.time())
        missed = int((loop.time() - due) / self._interval)
        self._due.extend(each for each in self._objects() if self._kinds is None or each[0] in self._kinds)
        self._lost += missed * len(self._due)
        self._next_round = due + (missed + 1) * self._interval

    async def _take(self) -> None:
        """Ask for the next samples; what has closed meanwhile has none."""
        asked = [self._due.popleft() for _ in range(min(_AT_ONCE, len(self._due)))]
        told = await asyncio.gather(*(item.get_stats() for _, _, item in asked), return_exceptions=True)
        now = time.time()
        for (kind, id_, _), values in zip(asked, told, strict=True):
            if isinstance(values, BaseException):
                if not isinstance(values, Closed):
                    raise values
            else:
                self._ready.append(StatsSample(now, kind, id_, values))


_AT_ONCE = 32
"""Objects asked at once: a media thread answers within a fraction of a millisecond."""
