"""A live channel: at most one broadcaster, any number of viewers, one router while somebody broadcasts.

::

    broadcast = await channel.go_live(endpoint)     # ChannelBusy when somebody does
    router = channel.router                         # the adapter makes its transports there
    await broadcast.close()

The router is made for a broadcaster and closes when the broadcast is over, with all that hangs on it.
A broadcaster whose connection is lost has ``limits.broadcast_grace_seconds`` to come back; until then the
router, the viewers and what attends the channel stay. *Attendants* (packaging for HLS) run while the
channel is live; they are cancelled, and awaited for a bounded time, before the router closes.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

from headwater.channels.events import (
    ChannelEvent,
    ChannelState,
    MediaKind,
    PublisherClosed,
    PublisherOpened,
    State,
    ViewerCount,
)
from headwater.channels.models import ChannelOptions, ChannelRecord
from headwater.channels.places import Broadcast, LeaveReason, Viewer
from headwater.cluster import Endpoint, Endpoints
from headwater.errors import ChannelBusy, ChannelEnded, ChannelNotLive, LimitReached
from headwater.ids import ChannelId
from headwater.media import events as media
from headwater.media.events import Event, EventStream
from headwater.media.router import Router
from headwater.tasks import Tasks
from headwater.telemetry import get_logger

__all__ = ["Attendant", "Channel"]

_log = get_logger(__name__)


class Attendant(Protocol):
    """Something that runs beside a channel while it is live, and cleans up when it is cancelled."""

    def __call__(self, channel: Channel) -> Awaitable[None]:
        """Attend one broadcast."""


class Channel:
    """One channel; made by `Channels.open`.

    Args:
        record: What is kept of it.
        make_router: Makes its router, under its id.
        endpoints: Where connections are registered.
        options: Bounds and the DTLS version.
        save: Keeps the record as it is now.
        attendants: What runs while it is live.
    """

    def __init__(
        self,
        record: ChannelRecord,
        *,
        make_router: Callable[[str], Awaitable[Router]],
        endpoints: Endpoints,
        options: ChannelOptions,
        save: Callable[[ChannelRecord], None],
        attendants: Sequence[Attendant] = (),
    ) -> None:
        self.record = record
        self.thumbnail: bytes | None = None
        """The newest picture of the broadcast, JPEG; set by what makes it."""
        self.rewind_seconds = 0.0
        """How far back viewers can go; set by what keeps the past."""
        self._make_router = make_router
        self._endpoints = endpoints
        self._options = options
        self._save = save
        self._attendants = attendants
        self._router: Router | None = None
        self._broadcast: Broadcast | None = None
        self._viewers: dict[Viewer, None] = {}
        self._publishers: dict[str, MediaKind] = {}
        self._streams: weakref.WeakSet[EventStream[ChannelEvent]] = weakref.WeakSet()
        self._turn = asyncio.Lock()
        self._tasks = Tasks()
        self._attending = Tasks()
        self._grace: asyncio.TimerHandle | None = None
        self._counting: asyncio.TimerHandle | None = None
        self._told = 0

    def __repr__(self) -> str:
        """Name the id and the state."""
        return f"<Channel {self.id} {self.state}>"

    @property
    def id(self) -> ChannelId:
        """Its public id, which its router has too."""
        return self.record.id

    @property
    def state(self) -> State:
        """Whether somebody broadcasts."""
        return self.record.state

    @property
    def over(self) -> bool:
        """Whether it has ended for good."""
        return self.record.over

    @property
    def options(self) -> ChannelOptions:
        """Bounds and the DTLS version."""
        return self._options

    @property
    def router(self) -> Router:
        """Its media.

        Raises:
            ChannelNotLive: Nobody broadcasts, so there is none.
        """
        if self._router is None:
            raise ChannelNotLive("nobody broadcasts on this channel now")
        return self._router

    @property
    def broadcast(self) -> Broadcast | None:
        """Who broadcasts; ``None`` also while a lost broadcaster may come back."""
        return self._broadcast

    @property
    def publishers(self) -> Mapping[str, MediaKind]:
        """What is sent now: publisher ids and kinds, oldest first."""
        return self._publishers

    @property
    def viewer_count(self) -> int:
        """How many watch."""
        return len(self._viewers)

    @property
    def occupied(self) -> bool:
        """Whether anybody sends, watches or waits here: then this node alone says what becomes of it."""
        return bool(self._router or self._viewers or self._streams) or self._turn.locked()

    def check_live(self) -> None:
        """Refuse whoever comes to watch nothing.

        Raises:
            ChannelEnded: The channel is over for good.
            ChannelNotLive: Nobody broadcasts.
        """
        self._check_open()
        if self.state != "live":
            raise ChannelNotLive("nobody broadcasts on this channel now")

    def events(self, capacity: int = 64) -> EventStream[ChannelEvent]:
        """Start a stream of what happens to the channel; it ends when the channel ends for good.

        Args:
            capacity: Events held for a slow consumer.
        """
        stream: EventStream[ChannelEvent] = EventStream(capacity)
        self._streams.add(stream)
        if self.over:
            stream.push(ChannelState(self.id, "ended"), keep=True)
            stream.end()
        return stream

    async def go_live(self, endpoint: Endpoint) -> Broadcast:
        """Take the place of the broadcaster; the channel is live with the first track.

        Args:
            endpoint: The broadcaster's; closed with the place.

        Raises:
            ChannelBusy: Somebody broadcasts, and is heard of.
            ChannelEnded: The channel is over for good.
            Overloaded: The machine has too much to do.
        """
        async with self._turn:
            self._check_open()
            if (present := self._broadcast) is not None:
                if not present.silent:
                    raise ChannelBusy("somebody else broadcasts on this channel")
                await self._drop(present, "replaced")
            if self._router is None:
                self._options.check_capacity()
                await self._open_router()
            self._stop_grace()
            self._broadcast = Broadcast(self, endpoint)
            return self._broadcast

    def renew(self, record: ChannelRecord) -> None:
        """Take over what was kept by another node, while nobody is here."""
        self.record = record

    def revoke_links(self) -> None:
        """Make all signed links void that were issued until now."""
        self.record.links_revoked_at = datetime.now(UTC)
        self._save(self.record)

    def watch(self, endpoint: Endpoint) -> Viewer:
        """Take a viewer's place; also before anybody broadcasts.

        Args:
            endpoint: The viewer's; closed with the place.

        Raises:
            ChannelEnded: The channel is over for good.
            LimitReached: It has as many viewers as it may.
            Overloaded: The machine has too much to do.
        """
        self._check_open()
        self._options.check_capacity()
        if len(self._viewers) >= self._options.limits.viewers:
            raise LimitReached("this channel is full")
        viewer = Viewer(self, endpoint)
        self._viewers[viewer] = None
        if self.state == "live" and len(self._viewers) > self.record.peak_viewers:
            self.record.peak_viewers = len(self._viewers)  # kept with the next change of state
        self._count()
        return viewer

    async def end(self, reason: LeaveReason = "ended") -> None:
        """End the channel for good, with whoever is in it; idempotent."""
        await self._to_its_end(self._end(reason))

    async def close(self, reason: LeaveReason = "server_shutdown") -> None:
        """Let go of everything; the record stays as it is, so that a later process goes on with it."""
        async with self._turn:
            if self.state == "live":
                self.record.over = not self.record.reusable
            await self._go_dark(reason)
        await self._tasks.close()

    # --- for places --------------------------------------------------------------------------------

    async def _leave(self, broadcast: Broadcast, reason: LeaveReason) -> None:
        await self._to_its_end(self._left(broadcast, reason))

    async def _left(self, broadcast: Broadcast, reason: LeaveReason) -> None:
        async with self._turn:
            if self._broadcast is not broadcast:
                return
            grace = self._options.limits.broadcast_grace_seconds if reason == "lost" else 0
            if grace <= 0 or self.state != "live":
                self.record.over = self.over or not self.record.reusable
                await self._go_dark(reason)
                return
            await self._drop(broadcast, reason)
            self._grace = asyncio.get_running_loop().call_later(grace, self._grace_over)

    async def _unwatch(self, viewer: Viewer, reason: LeaveReason) -> None:
        if viewer in self._viewers:
            del self._viewers[viewer]
            self._endpoints.close(viewer.endpoint.conn_id)
            self._count()
        await viewer._vacate(reason)

    # --- inside ------------------------------------------------------------------------------------

    async def _to_its_end(self, work: Coroutine[Any, Any, None]) -> None:
        """Wait for work that goes on when whoever waits is cancelled: half an end leaves things behind."""
        if (task := self._tasks.spawn(work, name="channel")) is not None:
            await asyncio.shield(task)

    async def _end(self, reason: LeaveReason) -> None:
        async with self._turn:
            if not self.over:
                self.record.over = True
                await self._go_dark(reason)

    def _check_open(self) -> None:
        if self.over:
            raise ChannelEnded("this channel has ended")

    async def _open_router(self) -> None:
        router = await self._make_router(self.id)
        self._router = router
        # The stream starts here, before a transport can be made.
        self._tasks.spawn(self._follow(router, router.events(_CAPACITY)), name="channel router")

    async def _drop(self, broadcast: Broadcast, reason: LeaveReason) -> None:
        """Take the broadcaster's place away; the router stays."""
        self._broadcast = None
        self._endpoints.close(broadcast.endpoint.conn_id)
        await broadcast._vacate(reason)

    def _stop_grace(self) -> None:
        grace, self._grace = self._grace, None
        if grace is not None:
            grace.cancel()

    def _grace_over(self) -> None:
        self._tasks.spawn(self._end_broadcast(), name="end of broadcast")

    async def _end_broadcast(self) -> None:
        async with self._turn:
            if self._broadcast is None and self._router is not None:
                self.record.over = self.over or not self.record.reusable
                await self._go_dark("lost")

    async def _go_dark(self, reason: LeaveReason) -> None:
        """End what is on the air: attendants, viewers, broadcaster, router, in this order."""
        self._stop_grace()
        before, was_live = self.state, self.state == "live"
        if was_live or self.over:
            self.record.state = "ended"
        if was_live:
            self.record.ended_at = datetime.now(UTC)
        await self._dismiss_attendants()
        if was_live or self.over or reason == "server_shutdown":
            for viewer in list(self._viewers):
                await self._unwatch(viewer, "ended" if reason in ("left", "lost") else reason)
        if self._broadcast is not None:
            await self._drop(self._broadcast, reason)
        router, self._router = self._router, None
        for publisher_id in list(self._publishers):
            self._gone(publisher_id)
        if router is not None:
            await router.close()
        if was_live or self.over:  # else nothing changed, and another node may have changed it
            self._save(self.record)
        if self.state != before:
            self._tell(ChannelState(self.id, self.state), keep=True)
        if self.over:
            self._end_streams()

    async def _dismiss_attendants(self) -> None:
        attending, self._attending = self._attending, Tasks()
        try:
            async with asyncio.timeout(_DISMISS_SECONDS):
                await attending.close()
        except TimeoutError:
            _log.error("an attendant of a channel does not end", channel=self.id)

    def _end_streams(self) -> None:
        for stream in list(self._streams):
            stream.end()
        self._streams.clear()

    # --- what the router tells -----------------------------------------------------------------------

    async def _follow(self, router: Router, stream: AsyncIterator[Event]) -> None:
        async for event in stream:
            if router is not self._router:
                return
            match event:
                case media.PublisherAdded(publisher_id=publisher_id, kind=kind):
                    self._opened(publisher_id, kind)
                case media.DataPublisherAdded(data_publisher_id=publisher_id):
                    self._opened(publisher_id, "data")
                case media.PublisherClosed(id=publisher_id) | media.DataPublisherClosed(id=publisher_id):
                    self._gone(publisher_id)
                case media.EventsLost():
                    self._resynchronise(router)
                case media.RouterClosed(reason="panic"):
                    self._tasks.spawn(self._router_lost(router), name="router lost")

    def _opened(self, publisher_id: str, kind: MediaKind) -> None:
        if publisher_id in self._publishers:
            return
        self._publishers[publisher_id] = kind
        if self.state != "live":
            self._become_live()
        self._tell(PublisherOpened(self.id, publisher_id, kind))

    def _gone(self, publisher_id: str) -> None:
        if (kind := self._publishers.pop(publisher_id, None)) is not None:
            self._tell(PublisherClosed(self.id, publisher_id, kind))

    def _become_live(self) -> None:
        self.record.state, self.record.node = "live", self._options.node
        self.record.went_live_at = datetime.now(UTC)
        self.record.ended_at = None
        self.record.peak_viewers = max(self.record.peak_viewers, len(self._viewers))
        self.thumbnail, self.rewind_seconds = None, 0.0
        self._save(self.record)
        self._tell(ChannelState(self.id, "live"), keep=True)
        for attendant in self._attendants:
            self._attending.spawn(_attend(attendant, self), name="channel attendant")

    def _resynchronise(self, router: Router) -> None:
        """Events were lost: what is there now is read off the router."""
        there: dict[str, MediaKind] = {id_: router.publisher(id_).kind for id_ in router.publisher_ids}
        there |= dict.fromkeys(router.data_publisher_ids, "data")
        for publisher_id in [id_ for id_ in self._publishers if id_ not in there]:
            self._gone(publisher_id)
        for publisher_id, kind in there.items():
            self._opened(publisher_id, kind)

    async def _router_lost(self, router: Router) -> None:
        async with self._turn:
            if self._router is router:
                self.record.over = self.over or not self.record.reusable
                await self._go_dark("failed")

    # --- telling -------------------------------------------------------------------------------------

    def _tell(self, event: ChannelEvent, *, keep: bool = False) -> None:
        for stream in list(self._streams):
            stream.push(event, keep=keep)

    def _count(self) -> None:
        """Tell how many watch: at once, then at most every second, so that a rush costs little."""
        if self._counting is None and self._told != len(self._viewers):
            self._told = len(self._viewers)
            self._tell(ViewerCount(self.id, self._told), keep=True)
            self._counting = asyncio.get_running_loop().call_later(_COUNT_SECONDS, self._count_again)

    def _count_again(self) -> None:
        self._counting = None
        self._count()


async def _attend(attendant: Attendant, channel: Channel) -> None:
    await attendant(channel)


_CAPACITY = 1024
"""Events of the router that may wait: everything that happens to its viewers is among them."""
_DISMISS_SECONDS = 10.0
_COUNT_SECONDS = 1.0
