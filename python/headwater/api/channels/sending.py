"""The broadcaster's side of one connection to a channel."""

from __future__ import annotations

from typing import Any

from headwater.api.channels import messages as m
from headwater.api.channels.transports import Transports
from headwater.channels import Broadcast, Channel
from headwater.errors import NotFound, PublisherNotFound
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
        self._publishers: dict[str, Publisher] = {}
        self._data_publishers: dict[str, DataPublisher] = {}

    def sends(self, publisher_id: str) -> bool:
        """Whether this connection sends that."""
        return publisher_id in self._publishers or publisher_id in self._data_publishers

    async def create_transport(self) -> OrtcPublishTransport:
        """Make a transport to send on."""
        transport = await self.channel.router.create_ortc_publish_transport(dtls=self.channel.options.dtls)
        self.broadcast.own(transport)
        self.transports.add(transport)
        return transport

    async def produce(self, request: m.Produce) -> dict[str, Any]:
        """Send a track."""
        transport = self.transports.get(request.transport_id)
        publisher = await transport.produce(request.kind, request.rtp_parameters, paused=request.paused)
        self._publishers[publisher.id] = publisher
        return {"id": publisher.id}

    async def produce_data(self, request: m.ProduceData) -> dict[str, Any]:
        """Send a data channel's messages."""
        publisher = await self.transports.get(request.transport_id).produce_data(
            request.sctp_stream_parameters, label=request.label, protocol=request.protocol
        )
        self._data_publishers[publisher.id] = publisher
        return {"id": publisher.id}

    def publisher(self, id_: str) -> Publisher:
        """Return a track that this connection sends.

        Raises:
            PublisherNotFound: It sends no such track.
        """
        if (publisher := self._publishers.get(id_)) is None or publisher.closed:
            raise PublisherNotFound("this connection sends no such track")
        return publisher

    def data_publisher(self, id_: str) -> DataPublisher:
        """Return a data channel that this connection sends.

        Raises:
            PublisherNotFound: It sends no such data channel.
        """
        if (publisher := self._data_publishers.get(id_)) is None or publisher.closed:
            raise PublisherNotFound("this connection sends no such data channel")
        return publisher

    def heed(self, event: Event) -> bool:
        """Note how its transports fare; returns False when the last one was lost."""
        if isinstance(event, ConnectionStateChanged):
            self.broadcast.silent = event.state in ("disconnected", "failed")
        elif isinstance(event, TransportClosed):
            return bool(self.transports.open) or event.reason == "requested"
        return True

    def pause_of(self, event: Event) -> tuple[str, bool] | None:
        """Whose pause an event tells of."""
        if isinstance(event, PauseChanged) and event.id in self._publishers:
            return event.id, event.paused
        return None


def nothing_sent() -> NotFound:
    """The error of whoever has not begun."""
    return NotFound("createProducerTransport comes first")
