"""The messages of ``/channels``: what mediasoup's applications say, ``{type, ...}`` -> ``{type, data}``.

A request may carry an ``id``, which its reply and its error repeat. Who sends none gets the replies to
``createConsumerTransport`` and ``connectConsumerTransport`` under both names that are in use.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from headwater.errors import InvalidMessage
from headwater.protocols.mediasoup import DtlsParameters, RtpCapabilities, RtpParameters, SctpStreamParameters

__all__ = [
    "Authenticate",
    "CloseConsumer",
    "CloseDataConsumer",
    "CloseDataProducer",
    "CloseProducer",
    "ConnectConsumerTransport",
    "ConnectProducerTransport",
    "Consume",
    "ConsumeData",
    "CreateConsumerTransport",
    "CreateProducerTransport",
    "GetRouterRtpCapabilities",
    "Leave",
    "Pause",
    "PauseProducer",
    "Ping",
    "Produce",
    "ProduceData",
    "Push",
    "Request",
    "RequestId",
    "RequestKeyFrame",
    "RestartIce",
    "Resume",
    "ResumeProducer",
    "SetPreferredLayers",
    "parse_request",
    "read_message",
    "replies_to",
]

RequestId = int | str | None
_Id = Annotated[str, msgspec.Meta(max_length=128)]


class _Request(msgspec.Struct, frozen=True, kw_only=True, rename="camel", tag_field="type"):
    """Base of the requests."""

    id: int | _Id | None = None
    channel_id: _Id | None = None


class Authenticate(_Request, frozen=True, tag="authenticate"):
    """Give a token, as the first message."""

    token: str


class GetRouterRtpCapabilities(_Request, frozen=True, tag="getRouterRtpCapabilities"):
    """Ask what ``Device.load`` takes."""


class CreateProducerTransport(_Request, frozen=True, tag="createProducerTransport"):
    """Take the broadcaster's place, and get a transport to send on.

    ``dataOnly`` takes a viewer's place instead, and sends nothing but data channels.
    """

    data_only: bool = False


class ConnectProducerTransport(_Request, frozen=True, tag="connectProducerTransport"):
    """Tell the certificate of a sending transport."""

    dtls_parameters: DtlsParameters
    transport_id: _Id | None = None


class Produce(_Request, frozen=True, tag="produce"):
    """Send a track."""

    kind: Literal["audio", "video"]
    rtp_parameters: RtpParameters
    transport_id: _Id | None = None
    paused: bool = False


class _OfProducer(_Request, frozen=True):
    producer_id: _Id


class CloseProducer(_OfProducer, frozen=True, tag="closeProducer"):
    """End a track."""


class PauseProducer(_OfProducer, frozen=True, tag="pauseProducer"):
    """Stop forwarding a track to everybody."""


class ResumeProducer(_OfProducer, frozen=True, tag="resumeProducer"):
    """Forward it again."""


class ProduceData(_Request, frozen=True, tag="produceData"):
    """Send a data channel's messages."""

    sctp_stream_parameters: SctpStreamParameters
    label: Annotated[str, msgspec.Meta(max_length=1024)] = ""
    protocol: Annotated[str, msgspec.Meta(max_length=1024)] = ""
    transport_id: _Id | None = None


class CloseDataProducer(_Request, frozen=True, tag="closeDataProducer"):
    """End a data channel."""

    data_producer_id: _Id


class CreateConsumerTransport(_Request, frozen=True, tag="createConsumerTransport"):
    """Take a viewer's place, and get a transport to receive on."""


class ConnectConsumerTransport(_Request, frozen=True, tag="connectConsumerTransport"):
    """Tell the certificate of a receiving transport."""

    dtls_parameters: DtlsParameters
    transport_id: _Id | None = None


class Consume(_Request, frozen=True, tag="consume"):
    """Receive one track, or all that are there.

    ``paused`` says whether it begins paused; unless said, videos do, until ``resume``.
    """

    rtp_capabilities: RtpCapabilities
    transport_id: _Id | None = None
    producer_id: _Id | None = None
    paused: bool | None = None


class _OfConsumers(_Request, frozen=True):
    """About one consumer, or about all."""

    consumer_id: _Id | None = None


class Pause(_OfConsumers, frozen=True, tag="pause"):
    """Stop forwarding to this client."""


class Resume(_OfConsumers, frozen=True, tag="resume"):
    """Forward again."""


class _OfConsumer(_Request, frozen=True):
    consumer_id: _Id


class CloseConsumer(_OfConsumer, frozen=True, tag="closeConsumer"):
    """Receive a track no more."""


class SetPreferredLayers(_OfConsumer, frozen=True, tag="setPreferredLayers"):
    """Receive no higher layers than these."""

    spatial_layer: Annotated[int, msgspec.Meta(ge=0, le=7)]
    temporal_layer: Annotated[int, msgspec.Meta(ge=0, le=7)] | None = None


class RequestKeyFrame(_OfConsumer, frozen=True, tag="requestKeyFrame"):
    """Ask for a key frame."""


class ConsumeData(_Request, frozen=True, tag="consumeData"):
    """Receive one data channel, or all that are there."""

    transport_id: _Id | None = None
    data_producer_id: _Id | None = None


class CloseDataConsumer(_Request, frozen=True, tag="closeDataConsumer"):
    """Receive a data channel no more."""

    data_consumer_id: _Id


class RestartIce(_Request, frozen=True, tag="restartIce"):
    """Get new ICE credentials for a transport."""

    transport_id: _Id | None = None


class Ping(_Request, frozen=True, tag="ping"):
    """Is anybody there?"""


class Leave(_Request, frozen=True, tag="leave"):
    """Say goodbye: what this connection sends ends at once."""


Request = (
    Authenticate
    | GetRouterRtpCapabilities
    | CreateProducerTransport
    | ConnectProducerTransport
    | Produce
    | CloseProducer
    | PauseProducer
    | ResumeProducer
    | ProduceData
    | CloseDataProducer
    | CreateConsumerTransport
    | ConnectConsumerTransport
    | Consume
    | Pause
    | Resume
    | CloseConsumer
    | SetPreferredLayers
    | RequestKeyFrame
    | ConsumeData
    | CloseDataConsumer
    | RestartIce
    | Ping
    | Leave
)


class Push(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What the server says: a reply, an event or an error."""

    type: str
    data: Any
    id: RequestId = None
    channel_id: str | None = None


def read_message(text: str) -> tuple[dict[str, Any], RequestId]:
    """Read a message as far as an error has to know it.

    Returns:
        It, and its id.

    Raises:
        InvalidMessage: It is no JSON object.
    """
    try:
        message = msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidMessage(f"a message is a JSON object: {error}") from None
    id_ = message.get("id")
    return message, id_ if isinstance(id_, int | str) and len(str(id_)) <= _LONGEST_ID else None


def parse_request(message: dict[str, Any]) -> tuple[Request, str]:
    """Check a request.

    Returns:
        It, and the name by which the client called it.

    Raises:
        InvalidMessage: It is none.
    """
    name = message.get("type")
    if not isinstance(name, str):
        raise InvalidMessage("a message has a type")
    try:
        request: Request = msgspec.convert({**message, "type": _ALIASES.get(name, name)}, Request)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidMessage(str(error)) from None
    return request, name


def replies_to(request: Request, name: str) -> tuple[str, ...]:
    """Under which names a request is answered."""
    reply = _REPLIES[type(request)]
    second = _SECOND_NAMES.get(type(request))
    if second is None:
        return (reply,)
    if name in _ALIASES:
        return (second,)
    return (reply, second) if request.id is None else (reply,)


_LONGEST_ID = 128
_REPLIES: dict[type, str] = {
    Authenticate: "authenticated",
    GetRouterRtpCapabilities: "routerCapabilities",
    CreateProducerTransport: "producerTransportCreated",
    ConnectProducerTransport: "producerConnected",
    Produce: "produced",
    CloseProducer: "producerClosed",
    PauseProducer: "producerPaused",
    ResumeProducer: "producerResumed",
    ProduceData: "dataProduced",
    CloseDataProducer: "dataProducerClosed",
    CreateConsumerTransport: "consumerTransportCreated",
    ConnectConsumerTransport: "consumerConnected",
    Consume: "subscribed",
    Pause: "paused",
    Resume: "resumed",
    CloseConsumer: "consumerClosed",
    SetPreferredLayers: "preferredLayersSet",
    RequestKeyFrame: "keyFrameRequested",
    ConsumeData: "dataSubscribed",
    CloseDataConsumer: "dataConsumerClosed",
    RestartIce: "iceRestarted",
    Ping: "pong",
    Leave: "left",
}
_SECOND_NAMES: dict[type, str] = {
    CreateConsumerTransport: "subTransportCreated",
    ConnectConsumerTransport: "subConnected",
}
_ALIASES = {
    "createSubTransport": "createConsumerTransport",
    "connectSubTransport": "connectConsumerTransport",
    "subscribe": "consume",
    "pauseConsumer": "pause",
    "resumeConsumer": "resume",
    "setConsumerPreferredLayers": "setPreferredLayers",
    "requestConsumerKeyFrame": "requestKeyFrame",
}
