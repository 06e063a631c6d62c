"""What every object of the model has in common: an id, one life, events, statistics.

Life of an object::

    opening ──reply──► open ──close(), parent, publisher or remote──► closed

An object is registered with the seam before its create command leaves and closes exactly once.
Closing is decided in one place, `MediaObject._mark_closed`: what hangs on the object closes first,
then the object tells its own streams and those of everything it hangs on.
"""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from types import TracebackType
from typing import Any, ClassVar, Self, TypeVar

from headwater.errors import Closed, HeadwaterError, NotFound, PublisherNotFound
from headwater.ids import new_id
from headwater.media.events import CloseReason, DataChannelOpened, Event, EventStream, ObjectClosed
from headwater.media.seam import Kind, Seam

__all__ = ["MediaObject", "Statistics"]

Statistics = dict[str, int | float | str]
"""Counters by name; names and units are in ``docs/reference/statistics.md``."""

O = TypeVar("O", bound="MediaObject")  # noqa: E741  # the object that `create` made


class MediaObject:
    """Base of all objects; made by the methods of what they hang on, never by hand."""

    _kind: ClassVar[Kind]
    _prefix: ClassVar[str]
    _closed_event: ClassVar[type[ObjectClosed]]

    def __init__(self, seam: Seam, handle: int, parent: MediaObject | None) -> None:
        """Register under ``handle``; for the factory methods only."""
        self._seam = seam
        self._handle = handle
        self._parent = parent
        self._id = new_id(self._prefix)
        self._children: dict[MediaObject, None] = {}
        self._streams: weakref.WeakSet[EventStream[Event]] = weakref.WeakSet()
        self._closed: ObjectClosed | None = None
        self._closed_waiters: list[asyncio.Future[None]] = []
        self._on_close: list[Callable[[], None]] = []
        seam.register(self._kind, handle, self)

    def __repr__(self) -> str:
        """Name the class, the id and whether it is closed."""
        state = f" closed ({self._closed.reason})" if self._closed else ""
        return f"<{type(self).__name__} {self._id}{state}>"

    @property
    def id(self) -> str:
        """Server-made public id: 128 random bits behind a prefix that names the kind."""
        return self._id

    @property
    def closed(self) -> bool:
        """Whether the object has closed."""
        return self._closed is not None

    @property
    def close_reason(self) -> CloseReason | None:
        """Why it closed; ``None`` while it is open."""
        return self._closed.reason if self._closed else None

    def events(self, capacity: int = 256) -> EventStream[Event]:
        """Start a stream of this object's events and of those of everything that hangs on it.

        The stream begins now and ends after the object's closing event. On a closed object it
        yields that event alone.

        Args:
            capacity: Events held for a slow consumer; see `headwater.media.events`.
        """
        stream: EventStream[Event] = EventStream(capacity)
        if self._closed is None:
            self._streams.add(stream)
        else:
            stream.push(self._closed, keep=True)
            stream.end()
        return stream

    async def wait_closed(self) -> CloseReason:
        """Wait until the object has closed, by whomever, and return why."""
        if self._closed is None:
            waiter = asyncio.get_running_loop().create_future()
            self._closed_waiters.append(waiter)
            try:
                await waiter
            finally:
                self._closed_waiters.remove(waiter)
        assert self._closed is not None
        return self._closed.reason

    async def close(self) -> None:
        """Close this and everything that hangs on it; closing twice is fine.

        From the call on nothing new can be asked of the object; the call returns when the media
        thread has let go of it too.
        """
        if self._closed is None and self._seam.open:
            self._seam.check()
            request = self._send_close()
            self._mark_closed("requested")
            with contextlib.suppress(HeadwaterError):  # the other side closed it first
                await self._seam.call(request)

    async def get_stats(self) -> Statistics:
        """Return this object's counters.

        Raises:
            Closed: The object was closed.
        """
        stats: Statistics = await self._call(
            lambda: self._seam.native.get_stats(self._kind, self._handle), _stats_values
        )
        return stats

    async def stats_stream(self, interval: float = 1.0) -> AsyncIterator[Statistics]:
        """Yield this object's counters again and again until it closes; the newest, however slow you are.

        Args:
            interval: Seconds between two samples.
        """
        while not self.closed:
            try:
                sample = await self.get_stats()
            except Closed:
                return
            yield sample
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(interval):
                    await self.wait_closed()

    async def __aenter__(self) -> Self:
        """Return the object; leaving the block closes it."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the object."""
        await self.close()

    # -- for the other classes of this package ------------------------------------------------------

    def _check(self) -> None:
        """Refuse a call on a closed object.

        Raises:
            Closed: The object was closed (`WorkerClosed` with its Worker).
        """
        self._seam.check()
        if self._closed is not None:
            raise Closed(f"{self!r} was closed")

    async def _call(self, send: Callable[[], int], done: Callable[[Any], Any] | None = None) -> Any:
        """Send a command about this object and return what ``done`` makes of the reply.

        Raises:
            Closed: The object was closed, before or while the command was under way.
        """
        self._check()
        try:
            return await self._seam.call(send(), done)
        except NotFound as error:
            if self._kind in ("publisher", "data_publisher") and isinstance(error, PublisherNotFound):
                raise Closed(f"{self!r} was closed") from error
            raise

    async def _create(self, item: O, send: Callable[[], int], done: Callable[[Any], Any] | None = None) -> O:
        """Send the command that makes ``item``; adopt it when it succeeds.

        A caller that is cancelled leaves nothing behind: the close command follows the create
        command to the same media thread.
        """

        def succeed(value: Any) -> None:
            if not item.closed:
                if done is not None:
                    done(value)
                item._adopted()

        try:
            await self._seam.call(send(), succeed)
        except asyncio.CancelledError:
            item._abandon()
            raise
        except BaseException:
            item._discard()
            raise
        return item

    def _adopted(self) -> None:
        """Take a place under the parent; the core has made the object."""
        if self._parent is not None:
            self._parent._children[self] = None

    def _discard(self) -> None:
        """Forget an object that the core did not make."""
        self._seam.unregister(self._kind, self._handle)
        if self._closed is None:
            self._closed = self._closed_event(self._id, "requested")

    def _abandon(self) -> None:
        """Close without waiting, for a caller that was cancelled."""
        if self._closed is None and self._seam.open:
            self._seam.notify(self._send_close())
        self._mark_closed("requested")

    def _handle_event(self, event: Event) -> None:
        """Take an event about this object: note the state in it, then tell the streams."""
        self._tell(event, keep=not isinstance(event, DataChannelOpened))

    def _tell(self, event: Event, *, keep: bool = False) -> None:
        """Put an event on this object's streams, and as news on those of all it hangs on."""
        for stream in list(self._streams):
            stream.push(event, keep=keep)
        if self._parent is not None:
            self._parent._tell(event)

    def _mark_closed(self, reason: CloseReason) -> None:
        """Close on this side, once: first what hangs on this, then this."""
        if self._closed is not None:
            return
        self._closed = self._closed_event(self._id, reason)
        for item, why in self._dependants():
            item._mark_closed(why)
        self._seam.unregister(self._kind, self._handle)
        self._on_closed()
        for then in self._on_close:
            then()
        self._tell(self._closed, keep=True)
        for stream in list(self._streams):
            stream.end()
        self._streams.clear()
        for waiter in self._closed_waiters:
            if not waiter.done():
                waiter.set_result(None)
        if self._parent is not None:
            self._parent._children.pop(self, None)
        self._children.clear()

    def _below_closing(self) -> bool:
        """Whether something that this hangs on has closed or is closing."""
        return self._parent is not None and (self._parent.closed or self._parent._below_closing())

    def _dependants(self) -> Iterator[tuple[MediaObject, CloseReason]]:
        """What closes with this, and the reason it is given."""
        for child in list(self._children):
            yield child, "parent"

    def _on_closed(self) -> None:
        """Leave indexes and wake waiters; for subclasses."""

    def _send_close(self) -> int:
        """Send the close command and return its number."""
        raise NotImplementedError


def _stats_values(reply: Any) -> Statistics:
    return dict(reply.values)
