"""What the two who may send have in common: transports to send on, and data channels."""

from __future__ import annotations

from typing import Any

from headwater.api.channels import messages as m
from headwater.api.channels.held import Held
from headwater.api.channels.transports import Transports
from headwater.channels import Broadcast, Channel, Viewer
from headwater.errors import PublisherNotFound
from headwater.media.data_publisher import DataPublisher
from headwater.media.ortc import OrtcPublishTransport

__all__ = ["Speaking"]


class Speaking:
    """What one connection sends, as far as it is no track.

    Args:
        channel: Where to.
        place: Its place there.
    """

    def __init__(self, channel: Channel, place: Broadcast | Viewer) -> None:
        self.channel = channel
        self.transports: Transports[OrtcPublishTransport] = Transports()
        self.data_publishers: Held[DataPublisher] = Held(_no_data_channel)
        self._place = place
        self._sent: set[str] = set()

    def sends(self, publisher_id: str) -> bool:
        """Whether this connection sends that, or did."""
        return publisher_id in self._sent

    async def create_transport(self) -> OrtcPublishTransport:
        """Make a transport to send on."""
        make = self.channel.router.create_ortc_publish_transport
        return await self.transports.create(lambda: make(dtls=self.channel.options.dtls), self._place)

    async def produce_data(self, request: m.ProduceData) -> dict[str, Any]:
        """Send a data channel's messages."""
        publisher = await self.transports.get(request.transport_id).produce_data(
            request.sctp_stream_parameters, label=request.label, protocol=request.protocol
        )
        self.data_publishers.add(publisher)
        self._sent.add(publisher.id)
        return {"id": publisher.id}


def _no_data_channel() -> PublisherNotFound:
    return PublisherNotFound("this connection sends no such data channel")
