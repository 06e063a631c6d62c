"""Observers: who is loud, who speaks, of the publishers that one cares about (as in mediasoup).

They read the events of one router and hold nothing that must be closed with care: an observer that is
left alone ends with its router. Levels cost the media thread a little; they are told as often as the
observer that wants them most often says, and no more once the last one has closed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import TracebackType
from typing import TYPE_CHECKING, Self

from headwater.errors import ConfigurationError
from headwater.media.events import ActiveSpeaker, AudioLevels, Event, EventStream

if TYPE_CHECKING:
    from headwater.media.publisher import Publisher
    from headwater.media.router import Router

__all__ = ["ActiveSpeakerObserver", "AudioLevelObserver"]


class _Observer:
    """What both have in common."""

    def __init__(self, router: Router) -> None:
        self._router = router
        self._only: set[str] = set()
        self._events: EventStream[Event] = router.events()
        self._stopped = False

    @property
    def router(self) -> Router:
        """What it listens to."""
        return self._router

    @property
    def closed(self) -> bool:
        """Whether it, or its router, was closed."""
        return self._stopped or self._router.closed

    def add_publisher(self, publisher_id: str) -> None:
        """Listen to this publisher; to all of the router as long as none is named.

        Raises:
            PublisherNotFound: The router has no such publisher.
        """
        self._only.add(self._router.publisher(publisher_id).id)

    def remove_publisher(self, publisher_id: str) -> None:
        """Listen to this publisher no more; one that was not named is fine."""
        self._only.discard(publisher_id)

    async def close(self) -> None:
        """Stop; twice is fine."""
        self._stopped = True
        self._events.end()

    async def __aenter__(self) -> Self:
        """Return the observer; leaving the block closes it."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        await self.close()

    def _publisher(self, publisher_id: str | None) -> Publisher | None:
        """The publisher, when it is there and one that is listened to."""
        if publisher_id is None or (self._only and publisher_id not in self._only):
            return None
        return self._router._publishers.get(publisher_id)


class ActiveSpeakerObserver(_Observer):
    """Tells who speaks; made by `Router.create_active_speaker_observer`.

    ::

        async for publisher in observer:
            ...
    """

    @property
    def dominant_speaker(self) -> Publisher | None:
        """Who speaks, or spoke last; ``None`` before anybody has."""
        return self._publisher(self._router.active_speaker)

    async def __aiter__(self) -> AsyncIterator[Publisher]:
        """Yield who speaks from now on, each time it is somebody else."""
        async for event in self._events:
            if isinstance(event, ActiveSpeaker) and (publisher := self._publisher(event.publisher_id)):
                yield publisher


class AudioLevelObserver(_Observer):
    """Tells who is loudest; made by `Router.create_audio_level_observer`.

    ::

        async for volumes in observer:       # ((publisher, -31), ...), or () once it is quiet
            ...
    """

    def __init__(self, router: Router, *, max_entries: int, threshold: int, interval: float) -> None:
        """Use `Router.create_audio_level_observer`."""
        if max_entries < 1:
            raise ConfigurationError(f"max_entries is a number from 1, not {max_entries}")
        if not -127 <= threshold <= 0:
            raise ConfigurationError(f"threshold is a level from -127 to 0 dBov, not {threshold}")
        super().__init__(router)
        self._max_entries = max_entries
        self._threshold = threshold
        self._interval = interval

    @property
    def max_entries(self) -> int:
        """How many are told of at once."""
        return self._max_entries

    @property
    def threshold(self) -> int:
        """Who is less loud makes no sound, dBov."""
        return self._threshold

    @property
    def interval(self) -> float:
        """Seconds between two looks."""
        return self._interval

    async def __aiter__(self) -> AsyncIterator[tuple[tuple[Publisher, int], ...]]:
        """Yield the loudest publishers with their levels in dBov, the loudest first; nothing once quiet."""
        loud = False
        async for event in self._events:
            if not isinstance(event, AudioLevels):
                continue
            volumes = self._loudest(event)
            if volumes or loud:
                yield volumes
            loud = bool(volumes)

    async def close(self) -> None:
        """Stop; levels are told less often, or no more, when nobody else wants them."""
        if not self._stopped:
            await super().close()
            await self._router._drop_level_observer(self)

    def _loudest(self, event: AudioLevels) -> tuple[tuple[Publisher, int], ...]:
        heard = ((self._publisher(id_), -level) for id_, level in event.levels)
        loud = [(item, level) for item, level in heard if item is not None and level >= self.threshold]
        return tuple(loud[: self.max_entries])

    async def _start(self) -> Self:
        await self._router._add_level_observer(self)
        return self
