"""The channels service: making, finding and ending channels. It knows no HTTP.

Channels that are not over survive the process in the store; one that was live when the process ended is
``ended`` when the next begins. Ids are server-made (``chn_…``), or the slug that the owner chose;
meetings and channels share one namespace.

Several nodes may share a store. A channel lives where it is asked for, and a proxy in front sees to it that
all who ask for one ask the same node (docs/how-to/nodes.md): a channel that nobody uses here is read again
from the store whenever it is asked for, one that somebody uses is this node's. A broadcast that the store
says is on another node is over as far as this one is concerned: the proxy would have asked the other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from headwater.channels.channel import Attendant, Channel
from headwater.channels.events import State
from headwater.channels.models import ChannelOptions, ChannelRecord, Visibility, check_slug
from headwater.channels.store import ChannelStore, MemoryStore
from headwater.cluster import Endpoint, EndpointProtocol, Endpoints
from headwater.errors import ChannelNotFound, Closed, LimitReached, NameTaken, StoreAway
from headwater.ids import ChannelId, new_id
from headwater.media.router import Router
from headwater.media.worker import Worker

__all__ = ["Channels"]


class Channels:
    """The channels of one node.

    Args:
        worker: Makes the routers.
        endpoints: Where connections are registered.
        options: Bounds and the DTLS version.
        store: Where records are kept.
        attendants: What runs beside every channel while it is live.
        taken: Whether a name belongs to something that is no channel.
    """

    def __init__(
        self,
        *,
        worker: Worker,
        endpoints: Endpoints,
        options: ChannelOptions | None = None,
        store: ChannelStore | None = None,
        attendants: Sequence[Attendant] = (),
        taken: Callable[[str], bool] = lambda name: False,
    ) -> None:
        self._worker = worker
        self._endpoints = endpoints
        self._options = options or ChannelOptions()
        self._store = store or MemoryStore()
        self._attendants = tuple(attendants)
        self._taken = taken
        self._channels: dict[ChannelId, Channel] = {}
        self._closed = False

    def __contains__(self, channel_id: str) -> bool:
        return channel_id in self._channels

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The channels at hand, oldest first: those not over, and those over not long ago."""
        return tuple(self._channels.values())

    def counts(self) -> dict[str, int]:
        """Gauges for the metrics."""
        channels = self._channels.values()
        return {
            "channels": sum(not channel.over for channel in channels),
            "channels_live": sum(channel.state == "live" for channel in channels),
            "viewers": sum(channel.viewer_count for channel in channels),
        }

    async def load(self) -> None:
        """Take up the channels of the process before; those of a shared store when they are asked for."""
        for record in await self._store.load():
            if record.state == "live" and (not self._store.shared or record.node in ("", self._options.node)):
                # That process ended in the middle of it.
                record.state, record.ended_at = "ended", datetime.now(UTC)
                record.over = not record.reusable
                self._keep(record)
            if not self._store.shared:
                self._channels[record.id] = self._make(record)

    async def create(
        self,
        owner: str,
        *,
        slug: str | None = None,
        title: str | None = None,
        visibility: Visibility = "public",
        reusable: bool | None = None,
    ) -> Channel:
        """Make a channel as `open` does, and keep it before this returns: every node knows it then.

        Raises:
            InvalidSlug, NameTaken, LimitReached, Closed: As `open`.
        """
        at_hand = self._channels.get(ChannelId(slug or ""))
        if at_hand is not None and self._store.shared and not at_hand.occupied:
            del self._channels[at_hand.id]  # the store knows better whether there still is one
        channel = self._open(owner, slug, title, visibility, reusable)
        if not await self._store.add(replace(channel.record)):
            del self._channels[channel.id]
            raise NameTaken(f"a channel is called {slug!r}")
        return channel

    def open(
        self,
        owner: str,
        *,
        slug: str | None = None,
        title: str | None = None,
        visibility: Visibility = "public",
        reusable: bool | None = None,
    ) -> Channel:
        """Make a channel; what is kept of it is written behind the scenes.

        Args:
            owner: Identity of whoever makes it.
            slug: Its public id; ``None`` makes one that nobody can guess.
            title: What viewers read.
            visibility: Whether watching a ``private`` one needs a token.
            reusable: Whether it can go live again; unless said, one with a slug can.

        Raises:
            InvalidSlug: The slug cannot stand in an address.
            NameTaken: A meeting or channel has that slug.
            LimitReached: There are as many as the node may keep.
            Closed: The node is going down.
        """
        channel = self._open(owner, slug, title, visibility, reusable)
        self._keep(channel.record)
        return channel

    def _open(
        self,
        owner: str,
        slug: str | None,
        title: str | None,
        visibility: Visibility,
        reusable: bool | None,
    ) -> Channel:
        self._check_open()
        if slug is not None and (check_slug(slug) in self._channels or self._taken(slug)):
            raise NameTaken(f"a meeting or channel is called {slug!r}")
        self._forget_some()
        record = ChannelRecord(
            id=ChannelId(slug or new_id("chn", node=self._options.node if self._options.named_ids else "")),
            slug=slug,
            title=title or "",
            owner=owner,
            visibility=visibility,
            reusable=slug is not None if reusable is None else reusable,
            created_at=datetime.now(UTC),
        )
        channel = self._channels[record.id] = self._make(record)
        return channel

    async def find(self, channel_id: str) -> Channel:
        """Find a channel, at hand or in a store that other nodes use too.

        Raises:
            ChannelNotFound: There is none of that id.
            StoreAway: It is not at hand, and the store cannot be asked.
        """
        channel = self._channels.get(ChannelId(channel_id))
        if not self._store.shared or (channel is not None and channel.occupied):
            return self.get(channel_id)
        try:
            record = await self._store.find(channel_id)
        except StoreAway:
            if channel is None:
                raise
            return channel
        channel = self._channels.get(ChannelId(channel_id))  # others may have asked meanwhile
        if record is None or (channel is not None and channel.occupied):
            return self.get(channel_id)
        if record.state == "live":  # on a node that is not asked any more
            record = replace(record, state="ended")
        if channel is None:
            channel = self._take_up(record)
        else:
            channel.renew(record)
        return channel

    def get(self, channel_id: str) -> Channel:
        """Find a channel at hand.

        Raises:
            ChannelNotFound: There is none of that id.
        """
        try:
            return self._channels[ChannelId(channel_id)]
        except KeyError:
            raise ChannelNotFound("no such channel") from None

    async def record(self, channel_id: str) -> ChannelRecord:
        """Return what is known of a channel, however long ago it was over.

        Raises:
            ChannelNotFound: There never was one of that id.
        """
        if (channel := self._channels.get(ChannelId(channel_id))) is not None:
            return channel.record
        if (record := await self._store.find(channel_id)) is None:
            raise ChannelNotFound("no such channel")
        return record

    async def browse(
        self, *, state: State | None, listed: bool, limit: int, offset: int
    ) -> Sequence[ChannelRecord]:
        """Return records, newest first: of the channels at hand, or of those that a shared store knows.

        Args:
            state: Only those in this state.
            listed: Only public ones with a slug, which are not over.
            limit: How many.
            offset: How many are left out before.
        """
        if self._store.shared:
            return await self._store.browse(state=state, listed=listed, limit=limit, offset=offset)
        found = [
            channel.record
            for channel in reversed(self.channels)
            if (not listed or _is_listed(channel.record)) and state in (None, channel.state)
        ]
        return found[offset : offset + limit]

    async def history(self, *, limit: int, offset: int = 0) -> Sequence[ChannelRecord]:
        """Return the records of all channels that were ever kept, newest first."""
        return await self._store.history(limit=limit, offset=offset)

    def endpoint(self, channel: Channel, *, peer_id: str, protocol: EndpointProtocol) -> Endpoint:
        """Register a connection to a channel; it is forgotten with the place that is taken with it.

        Raises:
            LimitReached: The node carries as many as it may.
        """
        return self._endpoints.open(room_id=channel.id, peer_id=peer_id, protocol=protocol)

    def release(self, endpoint: Endpoint) -> None:
        """Forget a connection that got no place; idempotent."""
        self._endpoints.close(endpoint.conn_id)

    async def end(self, channel_id: str) -> None:
        """End a channel for good, with whoever is in it.

        Raises:
            ChannelNotFound: There is none of that id.
        """
        await self.get(channel_id).end()

    async def close(self) -> None:
        """End all broadcasts; reusable channels are there again with the next process."""
        self._closed = True
        mine = [channel for channel in self.channels if channel.occupied or not self._store.shared]
        await asyncio.gather(*(channel.close() for channel in mine))
        await self._store.close()

    # --- inside ------------------------------------------------------------------------------------

    def _make(self, record: ChannelRecord) -> Channel:
        return Channel(
            record,
            make_router=self._make_router,
            endpoints=self._endpoints,
            options=self._options,
            save=self._keep,
            attendants=self._attendants,
        )

    async def _make_router(self, router_id: str) -> Router:
        self._check_open()
        router = await self._worker.create_router(router_id=router_id)
        try:
            self._check_open()
        except Closed:
            await router.close()
            raise
        return router

    def _check_open(self) -> None:
        if self._closed:
            raise Closed("this server is going down")

    def _keep(self, record: ChannelRecord) -> None:
        self._store.save(replace(record))

    def _take_up(self, record: ChannelRecord) -> Channel:
        if len(self._channels) >= self._options.limits.channels:
            self._forget_some()
        channel = self._channels[record.id] = self._make(record)
        return channel

    def _forget_some(self) -> None:
        """Make room: the oldest that are over, or that a shared store gives back, are left to the store."""
        over = [channel for channel in self._channels.values() if channel.over]
        spare = len(over) - _REMEMBERED
        if len(self._channels) >= self._options.limits.channels:
            spare = max(spare, 1)
            if self._store.shared:
                over = [channel for channel in self._channels.values() if not channel.occupied]
        for channel in over[: max(spare, 0)]:
            del self._channels[channel.id]
        if len(self._channels) >= self._options.limits.channels:
            raise LimitReached("this server keeps no more channels")


def _is_listed(record: ChannelRecord) -> bool:
    """Whether strangers find it in the list: a public one that its owner named."""
    return record.visibility == "public" and record.slug is not None and not record.over


_REMEMBERED = 100
"""Channels that are over and still at hand."""
