"""A viewer's side of one connection to a channel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from headwater.api.channels import messages as m
from headwater.api.channels.held import Held
from headwater.api.channels.transports import Transports
from headwater.channels import Channel, Viewer
from headwater.errors import NotFound, PublisherNotFound, UnsupportedCodec
from headwater.media.data_subscriber import DataSubscriber
from headwater.media.events import DataSubscriberClosed, Event, LayerChanged, SubscriberClosed
from headwater.media.ortc import OrtcSubscribeTransport
from headwater.media.subscriber import Subscriber

__all__ = ["Receiving"]


class Receiving:
    """What one connection receives.

    Args:
        channel: Where from.
        viewer: Its place there.
    """

    def __init__(self, channel: Channel, viewer: Viewer) -> None:
        self.channel = channel
        self.viewer = viewer
        self.transports: Transports[OrtcSubscribeTransport] = Transports()
        self.subscribers: Held[Subscriber] = Held(_no_consumer)
        self.data_subscribers: Held[DataSubscriber] = Held(_no_data_consumer)

    async def create_transport(self) -> OrtcSubscribeTransport:
        """Make a transport to receive on."""
        make = self.channel.router.create_ortc_subscribe_transport
        return await self.transports.create(lambda: make(dtls=self.channel.options.dtls), self.viewer)

    async def consume(self, request: m.Consume) -> list[dict[str, Any]]:
        """Receive one track, or all that are there and that the client can take."""
        transport = self.transports.get(request.transport_id)
        if request.producer_id is not None:
            return [await self._consume(transport, request.producer_id, request)]
        consumed, refused = [], None
        for publisher_id in self.channel.router.publisher_ids:
            try:
                consumed.append(await self._consume(transport, publisher_id, request))
            except UnsupportedCodec as error:
                refused = error
        if not consumed:
            raise refused or PublisherNotFound("nothing is sent on this channel yet")
        return consumed

    async def _consume(
        self, transport: OrtcSubscribeTransport, publisher_id: str, request: m.Consume
    ) -> dict[str, Any]:
        publisher = self.channel.router.publisher(publisher_id)
        paused = publisher.kind == "video" if request.paused is None else request.paused
        subscriber, parameters = await transport.consume(
            publisher_id, request.rtp_capabilities, paused=paused
        )
        self.subscribers.add(subscriber)
        mode = publisher.scalability_mode
        layered = mode is not None and not mode.startswith("L1T1")
        kind = "simulcast" if len(publisher.track.rids) > 1 else "svc" if layered else "simple"
        return {
            "id": subscriber.id,
            "producerId": publisher.id,
            "kind": subscriber.kind,
            "rtpParameters": parameters,
            "type": kind,
            "producerPaused": publisher.paused,
        }

    async def consume_data(
        self, request: m.ConsumeData, is_own: Callable[[str], bool]
    ) -> list[dict[str, Any]]:
        """Receive one data channel, or all that others send.

        Args:
            request: Which.
            is_own: Whether the client itself sends one.
        """
        transport = self.transports.get(request.transport_id)
        wanted = [request.data_producer_id]
        if request.data_producer_id is None:
            wanted = [id_ for id_ in self.channel.router.data_publisher_ids if not is_own(id_)]
        consumed = []
        for publisher_id in wanted:
            assert publisher_id is not None
            subscriber, parameters = await transport.consume_data(publisher_id)
            self.data_subscribers.add(subscriber)
            consumed.append(
                {
                    "id": subscriber.id,
                    "dataProducerId": publisher_id,
                    "sctpStreamParameters": parameters,
                    "label": subscriber.label,
                    "protocol": subscriber.publisher.protocol,
                }
            )
        if not consumed:
            raise PublisherNotFound("no data channel is sent on this channel yet")
        return consumed

    def named(self, id_: str | None) -> list[Subscriber]:
        """Return the one of that id, or all."""
        return list(self.subscribers) if id_ is None else [self.subscribers.get(id_)]

    def of_publisher(self, publisher_id: str) -> list[Subscriber]:
        """Its consumers of one producer."""
        return [item for item in self.subscribers if item.publisher_id == publisher_id]

    def told(self, event: Event) -> tuple[str, dict[str, Any]] | None:
        """What a client has to hear of an event: mediasoup's name of it, and the data."""
        match event:
            case LayerChanged(subscriber_id=id_, after=after) if id_ in self.subscribers:
                layers = None if after is None else (after.spatial, after.temporal)
                spatial, temporal = layers or (None, None)
                return "layerschange", {
                    "consumerId": id_, "spatialLayer": spatial, "temporalLayer": temporal,
                }  # fmt: skip
            case SubscriberClosed(id=id_, reason=reason):
                if (gone := self.subscribers.pop(id_)) is None or reason == "requested":
                    return None
                data = {"consumerId": id_, "producerId": gone.publisher_id, "reason": reason}
                return ("producerclose" if reason == "publisher_closed" else "consumerclose"), data
            case DataSubscriberClosed(id=id_, reason=reason):
                if (lost := self.data_subscribers.pop(id_)) is None or reason == "requested":
                    return None
                data = {"dataConsumerId": id_, "dataProducerId": lost.publisher_id, "reason": reason}
                return ("dataproducerclose" if reason == "publisher_closed" else "dataconsumerclose"), data
        return None


def _no_consumer() -> NotFound:
    return NotFound("this connection has no such consumer")


def _no_data_consumer() -> NotFound:
    return NotFound("this connection has no such data consumer")
