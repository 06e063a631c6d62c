"""What each request of ``/channels`` does, and what its reply says."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

from headwater.api.channels import messages as m
from headwater.api.channels.connection import Connection
from headwater.api.channels.sending import Sending
from headwater.api.channels.talking import Talking
from headwater.api.channels.transports import describe
from headwater.errors import InvalidState, NotFound
from headwater.media.worker import DEFAULT_CODECS
from headwater.protocols.mediasoup import router_capabilities

__all__ = ["answer"]


async def answer(connection: Connection, request: m.Request) -> Any:
    """Do what a request asks for; returns what its reply says."""
    return await _HANDLERS[type(request)](connection, request)


async def _authenticate(connection: Connection, request: m.Authenticate) -> Any:
    connection.visitor.show(request.token)
    return {}


async def _capabilities(connection: Connection, request: m.GetRouterRtpCapabilities) -> Any:
    channel = await connection.find(request)
    try:
        return channel.router.rtp_capabilities
    except InvalidState:  # nobody broadcasts yet: a router has these
        return router_capabilities(DEFAULT_CODECS)


async def _ping(connection: Connection, request: m.Ping) -> Any:
    return {}


async def _leave(connection: Connection, request: m.Leave) -> Any:
    connection.left = True
    return {}


async def _restart_ice(connection: Connection, request: m.RestartIce) -> Any:
    for side in (connection.sending, connection.talking, connection.receiving):
        if side is not None:
            with contextlib.suppress(NotFound):
                transport = side.transports.get(request.transport_id)
                return {
                    "transportId": transport.id,
                    "iceParameters": await transport.renew_ice(),
                }
    raise NotFound("this connection has no such transport")


async def _create_producer_transport(connection: Connection, request: m.CreateProducerTransport) -> Any:
    channel = await connection.find(request)
    side: Sending | Talking
    if request.data_only:
        connection.visitor.require_data(channel)
        side = connection.take_floor(channel)
    else:
        connection.visitor.require_publish(channel)
        side = await connection.take_place(channel)
    transport = await side.create_transport()
    connection.follow(transport)
    return describe(transport)


async def _connect_producer_transport(connection: Connection, request: m.ConnectProducerTransport) -> Any:
    transport = connection.speaker(request.transport_id).transports.get(request.transport_id)
    await transport.connect(request.dtls_parameters)
    return {"transportId": transport.id}


async def _produce(connection: Connection, request: m.Produce) -> Any:
    return await connection.sender.produce(request)


async def _produce_data(connection: Connection, request: m.ProduceData) -> Any:
    return await connection.speaker(request.transport_id).produce_data(request)


async def _close_producer(connection: Connection, request: m.CloseProducer) -> Any:
    await connection.sender.publishers.get(request.producer_id).close()
    return {"producerId": request.producer_id}


async def _pause_producer(connection: Connection, request: m.PauseProducer) -> Any:
    await connection.sender.publishers.get(request.producer_id).pause()
    return {"producerId": request.producer_id}


async def _resume_producer(connection: Connection, request: m.ResumeProducer) -> Any:
    await connection.sender.publishers.get(request.producer_id).resume()
    return {"producerId": request.producer_id}


async def _close_data_producer(connection: Connection, request: m.CloseDataProducer) -> Any:
    talking, id_ = connection.talking, request.data_producer_id
    side = talking if talking is not None and talking.sends(id_) else connection.sender
    await side.data_publishers.get(id_).close()
    return {"dataProducerId": request.data_producer_id}


async def _create_consumer_transport(connection: Connection, request: m.CreateConsumerTransport) -> Any:
    channel = await connection.find(request)
    connection.visitor.require_view(channel)
    transport = await connection.take_seat(channel).create_transport()
    connection.follow(transport)
    return describe(transport)


async def _connect_consumer_transport(connection: Connection, request: m.ConnectConsumerTransport) -> Any:
    transport = connection.receiver.transports.get(request.transport_id)
    await transport.connect(request.dtls_parameters)
    return {"transportId": transport.id}


async def _consume(connection: Connection, request: m.Consume) -> Any:
    return await connection.receiver.consume(request)


async def _consume_data(connection: Connection, request: m.ConsumeData) -> Any:
    return await connection.receiver.consume_data(request, connection.is_own)


async def _pause(connection: Connection, request: m.Pause) -> Any:
    for subscriber in connection.receiver.named(request.consumer_id):
        await subscriber.pause()
    return {"consumerId": request.consumer_id}


async def _resume(connection: Connection, request: m.Resume) -> Any:
    for subscriber in connection.receiver.named(request.consumer_id):
        await subscriber.resume()
    return {"consumerId": request.consumer_id}


async def _close_consumer(connection: Connection, request: m.CloseConsumer) -> Any:
    await connection.receiver.subscribers.get(request.consumer_id).close()
    return {"consumerId": request.consumer_id}


async def _close_data_consumer(connection: Connection, request: m.CloseDataConsumer) -> Any:
    await connection.receiver.data_subscribers.get(request.data_consumer_id).close()
    return {"dataConsumerId": request.data_consumer_id}


async def _set_preferred_layers(connection: Connection, request: m.SetPreferredLayers) -> Any:
    subscriber = connection.receiver.subscribers.get(request.consumer_id)
    await subscriber.set_preferred_layer(request.spatial_layer, request.temporal_layer)
    return {
        "consumerId": subscriber.id,
        "spatialLayer": request.spatial_layer,
        "temporalLayer": request.temporal_layer,
    }


async def _request_key_frame(connection: Connection, request: m.RequestKeyFrame) -> Any:
    subscriber = connection.receiver.subscribers.get(request.consumer_id)
    await subscriber.publisher.request_key_frame()
    return {"consumerId": subscriber.id}


_HANDLERS: dict[type, Callable[[Connection, Any], Awaitable[Any]]] = {
    m.Authenticate: _authenticate,
    m.GetRouterRtpCapabilities: _capabilities,
    m.Ping: _ping,
    m.Leave: _leave,
    m.RestartIce: _restart_ice,
    m.CreateProducerTransport: _create_producer_transport,
    m.ConnectProducerTransport: _connect_producer_transport,
    m.Produce: _produce,
    m.ProduceData: _produce_data,
    m.CloseProducer: _close_producer,
    m.PauseProducer: _pause_producer,
    m.ResumeProducer: _resume_producer,
    m.CloseDataProducer: _close_data_producer,
    m.CreateConsumerTransport: _create_consumer_transport,
    m.ConnectConsumerTransport: _connect_consumer_transport,
    m.Consume: _consume,
    m.ConsumeData: _consume_data,
    m.Pause: _pause,
    m.Resume: _resume,
    m.CloseConsumer: _close_consumer,
    m.CloseDataConsumer: _close_data_consumer,
    m.SetPreferredLayers: _set_preferred_layers,
    m.RequestKeyFrame: _request_key_frame,
}
