"""What a viewer sends: messages on data channels of its own, and nothing else."""

from __future__ import annotations

from typing import Any

from headwater.api.channels import messages as m
from headwater.api.channels.held import Held
from headwater.api.channels.transports import Transports
from headwater.channels import Channel, Viewer
from headwater.errors import LimitReached, PublisherNotFound
from headwater.media.data_publisher import DataPublisher
from headwater.media.ortc import OrtcPublishTransport

__all__ = ["Talking"]


class Talking:
    """The data channels of one viewer.

    Args:
        channel: Where to.
        viewer: Its place there.
    """

    def __init__(self, channel: Channel, viewer: Viewer) -> None:
        self.channel = channel
        self.viewer = viewer
        self.transports: Transports[OrtcPublishTransport] = Transports()
        self.data_publishers: Held[DataPublisher] = Held(_no_data_channel)
        self._sent: set[str] = set()

    def sends(self, publisher_id: str) -> bool:
        """Whether this viewer sends that, or did."""
        return publisher_id in self._sent

    async def create_transport(self) -> OrtcPublishTransport:
        """Make a transport to send on."""
        make = self.channel.router.create_ortc_publish_transport
        return await self.transports.create(lambda: make(dtls=self.channel.options.dtls), self.viewer)

    async def produce_data(self, request: m.ProduceData) -> dict[str, Any]:
        """Send a data channel's messages.

        Raises:
            LimitReached: It has as many as a participant may open.
        """
        if len(list(self.data_publishers)) >= self.channel.options.limits.data_channels:
            raise LimitReached("this connection has as many data channels as it may")
        publisher = await self.transports.get(request.transport_id).produce_data(
            request.sctp_stream_parameters, label=request.label, protocol=request.protocol
        )
        self.data_publishers.add(publisher)
        self._sent.add(publisher.id)
        return {"id": publisher.id}


def _no_data_channel() -> PublisherNotFound:
    return PublisherNotFound("this connection sends no such data channel")
