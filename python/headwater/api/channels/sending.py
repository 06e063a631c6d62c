"""The broadcaster's side of one connection to a channel."""

from __future__ import annotations

from typing import Any

from headwater.api.channels import messages as m
from headwater.api.channels.held import Held
from headwater.api.channels.speaking import Speaking
from headwater.channels import Broadcast, Channel
from headwater.errors import PublisherNotFound
from headwater.media.events import ConnectionStateChanged, Event, PauseChanged, TransportClosed
from headwater.media.publisher import Publisher

__all__ = ["Sending"]


class Sending(Speaking):
    """What one connection sends.

    Args:
        channel: Where to.
        broadcast: Its place there.
    """

    def __init__(self, channel: Channel, broadcast: Broadcast) -> None:
        super().__init__(channel, broadcast)
        self.broadcast = broadcast
        self.publishers: Held[Publisher] = Held(_no_track)

    async def produce(self, request: m.Produce) -> dict[str, Any]:
        """Send a track."""
        transport = self.transports.get(request.transport_id)
        publisher = await transport.produce(request.kind, request.rtp_parameters, paused=request.paused)
        self.publishers.add(publisher)
        self._sent.add(publisher.id)
        return {"id": publisher.id}

    def heed(self, event: Event) -> bool:
        """Note how its transports fare; returns False when the last one was lost."""
        if isinstance(event, ConnectionStateChanged):
            self.broadcast.silent = event.state in ("disconnected", "failed")
        elif isinstance(event, TransportClosed):
            return bool(self.transports.open) or event.reason == "requested"
        return True

    def pause_of(self, event: Event) -> tuple[str, bool] | None:
        """Whose pause an event tells of."""
        if isinstance(event, PauseChanged) and event.id in self.publishers:
            return event.id, event.paused
        return None


def _no_track() -> PublisherNotFound:
    return PublisherNotFound("this connection sends no such track")
