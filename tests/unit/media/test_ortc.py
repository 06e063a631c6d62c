"""Transports by parameters: what is told when, and what becomes of m-lines that nobody sees."""

from __future__ import annotations

from typing import Any

import pytest

from headwater import (
    InvalidMessage,
    InvalidState,
    PublisherNotFound,
    Router,
    UnsupportedCodec,
)
from headwater.protocols.mediasoup import (
    DtlsParameters,
    RtpCapabilities,
    RtpParameters,
    SctpStreamParameters,
    parse,
)
from headwater.testing import FakeWorker, client_offer

_DTLS = parse(
    DtlsParameters,
    {"role": "client", "fingerprints": [{"algorithm": "sha-256", "value": ":".join(["CD"] * 32)}]},
)


def video(mid: str | None = "0", **changes: Any) -> RtpParameters:
    """A track as a client sends it."""
    codec = {"mimeType": "video/VP8", "payloadType": 96, "clockRate": 90000}
    value = {"mid": mid, "codecs": [codec], "encodings": [{"ssrc": 7}], **changes}
    return parse(RtpParameters, {name: item for name, item in value.items() if item is not None})


async def test_what_is_told_at_once(router: Router) -> None:
    """ICE, DTLS and SCTP parameters are there before anything is known of the client."""
    transport = await router.create_ortc_publish_transport()
    assert transport.ice_parameters.ice_lite
    assert transport.ice_candidates[0].port == 50000
    assert transport.dtls_parameters.role == "auto"
    assert transport.sctp_parameters.port == 5000
    before = transport.ice_parameters
    assert await transport.renew_ice() == transport.ice_parameters != before


async def test_connecting(router: Router, worker: FakeWorker) -> None:
    """The certificate comes with the first offer, or behind it when the client consumes first; once."""
    publishing = await router.create_ortc_publish_transport()
    await publishing.connect(_DTLS)
    assert ":CD a=setup:active" in (publishing.remote_description or "").replace("\r\n", " ")
    with pytest.raises(InvalidState):
        await publishing.connect(_DTLS)
    publisher = await publishing.produce("video", video())
    subscribing = await router.create_ortc_subscribe_transport()
    await subscribing.consume(publisher.id, router.rtp_capabilities)
    server = parse(DtlsParameters, {"role": "server", "fingerprints": [*_DTLS.fingerprints]})
    with pytest.raises(InvalidMessage):
        await subscribing.connect(server)
    await subscribing.connect(_DTLS)
    assert worker.core.commands[-1] == "set_fingerprint"
    foreign = {"role": "client", "fingerprints": [{"algorithm": "sha-512", "value": "AB:CD"}]}
    other = await router.create_ortc_subscribe_transport()
    with pytest.raises(InvalidMessage):
        await other.connect(parse(DtlsParameters, foreign))


async def test_producing(router: Router) -> None:
    """A publisher knows the client's parameters; a mid is used once at a time."""
    transport = await router.create_ortc_publish_transport()
    encodings = [{"rid": "r0", "scalabilityMode": "L1T3"}, {"rid": "r1", "scalabilityMode": "L1T3"}]
    publisher = await transport.produce("video", video(encodings=encodings), paused=True)
    assert publisher.paused
    assert publisher.scalability_mode == "L2T3"
    assert publisher.rtp_parameters is not None
    with pytest.raises(InvalidMessage):
        await transport.produce("video", video())
    with pytest.raises(InvalidMessage):
        await transport.produce("audio", video("1"))
    free = await transport.produce("video", video(None))
    assert free.track.mid == "1"
    assert free.scalability_mode is None


async def test_places_are_used_again(router: Router) -> None:
    """An m-line whose track ended is told so, and then taken over by the next track."""
    transport = await router.create_ortc_publish_transport()
    for number in range(5):
        publisher = await transport.produce("video", video(str(number)))
        await publisher.close()
    assert (transport.remote_description or "").count("m=video") == 2


async def test_consuming(router: Router) -> None:
    """A client gets the router's numbers, SSRCs and a mid; what it cannot decode it is refused."""
    publishing = await router.create_publish_transport()
    await publishing.get_answer(client_offer(video="cam"))
    publisher = await publishing.publish("cam")
    transport = await router.create_ortc_subscribe_transport()
    subscriber, parameters = await transport.consume(publisher.id, router.rtp_capabilities, paused=True)
    assert subscriber.paused
    assert parameters.mid == subscriber.mid == "0"
    (encoding,) = parameters.encodings
    assert encoding.ssrc is not None
    assert encoding.rtx is not None
    assert encoding.rtx.ssrc == encoding.ssrc + 1
    assert parameters.rtcp.cname == "fake"
    assert router.can_consume(publisher.id, router.rtp_capabilities)
    nothing = RtpCapabilities()
    assert not router.can_consume(publisher.id, nothing)
    with pytest.raises(UnsupportedCodec):
        await transport.consume(publisher.id, nothing)
    with pytest.raises(PublisherNotFound):
        await transport.consume("pub_none", router.rtp_capabilities)
    _, again = await transport.consume(publisher.id, router.rtp_capabilities)
    assert again.mid == "1"


async def test_data_streams(router: Router) -> None:
    """A stream has its label, protocol and reliability from its producer, and a number per consumer."""
    publishing = await router.create_ortc_publish_transport()
    stream = parse(SctpStreamParameters, {"streamId": 3, "ordered": False, "maxRetransmits": 2})
    publisher = await publishing.produce_data(stream, label="chat", protocol="text")
    assert (publisher.label, publisher.protocol) == ("chat", "text")
    transport = await router.create_ortc_subscribe_transport()
    first, parameters = await transport.consume_data(publisher.id)
    assert (parameters.stream_id, parameters.ordered, parameters.max_retransmits) == (0, False, 2)
    _, second = await transport.consume_data(publisher.id)
    assert second.stream_id == 1
    await first.close()
    _, third = await transport.consume_data(publisher.id)
    assert third.stream_id == 0
