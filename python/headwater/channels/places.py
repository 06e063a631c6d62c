"""The two places in a channel: the one that sends, and those that watch.

Whoever takes a place (an adapter of WHIP, WHEP or the WebSocket dialect) makes the transports it needs on
``Channel.router`` and hands them to ``own``, so that they close with the place. A place closes by its
holder (``close``), or by the channel: when it ends, or when a newcomer takes over from a silent
broadcaster. ``wait_closed`` tells the holder, and why.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Literal

from headwater.cluster import Endpoint
from headwater.media.object import MediaObject

if TYPE_CHECKING:
    from headwater.channels.channel import Channel

__all__ = ["Broadcast", "LeaveReason", "Place", "Viewer"]

LeaveReason = Literal["left", "lost", "replaced", "ended", "failed", "server_shutdown"]
"""``left``: goodbye was said; ``lost``: the connection went; the rest is the channel's doing."""


class Place:
    """What broadcasters and viewers have in common; made by `Channel`."""

    def __init__(self, channel: Channel, endpoint: Endpoint) -> None:
        """Use `Channel.go_live` or `Channel.watch`."""
        self.channel = channel
        self.endpoint = endpoint
        self._owned: list[MediaObject] = []
        self._closed: asyncio.Future[LeaveReason] = asyncio.get_running_loop().create_future()

    @property
    def closed(self) -> bool:
        """Whether the place was given up, or taken away."""
        return self._closed.done()

    def own(self, transport: MediaObject) -> None:
        """Close this with the place, even when the router goes on."""
        self._owned.append(transport)

    async def wait_closed(self) -> LeaveReason:
        """Wait until the place is gone, by whomever, and return why."""
        return await asyncio.shield(self._closed)

    async def _vacate(self, reason: LeaveReason) -> None:
        """Close what was owned; idempotent."""
        if not self._closed.done():
            self._closed.set_result(reason)
        owned, self._owned = self._owned, []
        for transport in owned:
            await transport.close()


class Broadcast(Place):
    """The place that sends; there is one in a channel. Made by `Channel.go_live`."""

    silent = False
    """Set by its holder while nothing is heard of the broadcaster: a newcomer may then take over."""

    async def close(self, reason: LeaveReason = "left") -> None:
        """Give the place up; idempotent.

        Args:
            reason: ``left`` ends the broadcast at once, ``lost`` keeps the channel live for the grace
                period in which the broadcaster may come back.
        """
        await self.channel._leave(self, reason)


class Viewer(Place):
    """A place that watches; made by `Channel.watch`."""

    async def close(self, reason: LeaveReason = "left") -> None:
        """Give the place up; idempotent."""
        await self.channel._unwatch(self, reason)
