"""The broadcaster's side of one connection to a channel."""

from __future__ import annotations

from typing import Any

from headwater.api.channels import messages as m
from headwater.api.channels.held import Held
from headwater.api.channels.transports import Transports
from headwater.channels import Broadcast, Channel
from headwater.errors import PublisherNotFound
from headwater.media.data_publisher import DataPublisher
from headwater.media.events import ConnectionStateChanged, Event, PauseChanged, TransportClosed
from headwater.media.ortc import OrtcPublishTransport
from headwater.media.publisher import Publisher

__all__ = ["Sending"]


class Sending:
    """What one connection sends.

    Args:
        channel: Where to.
        broadcast: Its place there.
    """

    def __init__(self, channel: Channel, broadcast: Broadcast) -> None:
        self.channel = channel
        self.broadcast = broadcast
        self.transports: Transports[OrtcPublishTransport] = Transports()
        self.publishers: Held[Publisher] = Held(_no_track)
        self.data_publishers: Held[DataPublisher] = Held(_no_data_channel)
        self._sent: set[str] = set()

    def sends(self, publisher_id: str) -> bool:
        """Whether this connection sends that, or did."""
        return publisher_id in self._sent

    async def create_transport(self) -> OrtcPublishTransport:
        """Make a transport to send on."""
        make = self.channel.router.create_ortc_publish_transport
        return await self.transports.create(lambda: make(dtls=self.channel.options.dtls), self.broadcast)

    async def produce(self, request: m.Produce) -> dict[str, Any]:
        """Send a track."""
        transport = self.transports.get(request.transport_id)
        publisher = await transport.produce(request.kind, request.rtp_parameters, paused=request.paused)
        self.publishers.add(publisher)
        self._sent.add(publisher.id)
        return {"id": publisher.id}

    async def produce_data(self, request: m.ProduceData) -> dict[str, Any]:
        """Send a data channel's messages."""
        publisher = await self.transports.get(request.transport_id).produce_data(
            request.sctp_stream_parameters, label=request.label, protocol=request.protocol
        )
        self.data_publishers.add(publisher)
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


def _no_data_channel() -> PublisherNotFound:
    return PublisherNotFound("this connection sends no such data channel")
