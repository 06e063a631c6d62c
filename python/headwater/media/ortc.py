"""Transports negotiated by parameters instead of SDP (ORTC, what mediasoup calls a WebRtcTransport).

Such a transport tells `ice_parameters`, `ice_candidates`, `dtls_parameters` and `sctp_parameters` before
anything is known of its client. The client tells its certificate with `connect`, and what it sends or
takes with `OrtcPublishTransport.produce` and `OrtcSubscribeTransport.consume`::

    producing = await router.create_ortc_publish_transport()
    ...                                     # the client gets producing.ice_parameters and the others
    await producing.connect(dtls_parameters)
    publisher = await producing.produce("video", rtp_parameters)

    consuming = await router.create_ortc_subscribe_transport()
    subscriber, rtp_parameters = await consuming.consume(publisher.id, rtp_capabilities)

The values are those of `headwater.protocols.mediasoup`. Publishers and subscribers are the ones that SDP
makes too: whoever sends by one way can be watched by the other.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING

from headwater.errors import InvalidMessage, InvalidSdp, InvalidState, UnsupportedCodec
from headwater.media.data_publisher import DataPublisher
from headwater.media.data_subscriber import DataSubscriber
from headwater.media.object import MediaObject
from headwater.media.publish_transport import PublishTransport
from headwater.media.publisher import Publisher
from headwater.media.subscribe_transport import SubscribeTransport
from headwater.media.subscriber import Subscriber
from headwater.media.transport import WebRtcTransport
from headwater.protocols.mediasoup import (
    ConsumerTerms,
    DtlsFingerprint,
    DtlsParameters,
    IceCandidate,
    IceParameters,
    RtcpParameters,
    RtpCapabilities,
    RtpCodecParameters,
    RtpEncodingParameters,
    RtpParameters,
    RtxParameters,
    SctpParameters,
    SctpStreamParameters,
    Sections,
    consumer_terms,
    host_candidates,
    parse_fmtp,
    receiving_section,
    sending_section,
)
from headwater.protocols.mediasoup.description import Section
from headwater.protocols.mediasoup.rtp import Kind
from headwater.protocols.sdp import parse_sdp

if TYPE_CHECKING:
    from headwater._core import _native

__all__ = ["OrtcPublishTransport", "OrtcSubscribeTransport", "codec_parameters"]


class OrtcTransport(WebRtcTransport):
    """What both directions have in common."""

    _ice: IceParameters
    _candidates: tuple[IceCandidate, ...]
    _dtls: DtlsParameters

    def _prepare(self) -> None:
        """Start without anything negotiated."""
        self._sections = Sections()
        self._client: DtlsParameters | None = None
        self._turn = asyncio.Lock()

    @property
    def ice_parameters(self) -> IceParameters:
        """How the client authenticates its checks; the newest after `renew_ice`."""
        return self._ice

    @property
    def ice_candidates(self) -> tuple[IceCandidate, ...]:
        """Where the server listens, the best first."""
        return self._candidates

    @property
    def dtls_parameters(self) -> DtlsParameters:
        """The server's certificate; the client chooses the roles."""
        return self._dtls

    @property
    def sctp_parameters(self) -> SctpParameters:
        """What data channels can carry."""
        return SctpParameters()

    async def connect(self, dtls_parameters: DtlsParameters) -> None:
        """Take the client's certificate and role; the connection can come up from now on.

        Raises:
            InvalidState: It was called before.
            InvalidMessage: The certificate is named by no digest that the server can compute, or the
                client, which takes media already, wants to be the DTLS server.
        """
        fingerprint = dtls_parameters.fingerprint()
        if fingerprint is None:
            raise InvalidMessage("a fingerprint by sha-256 is needed")
        async with self._turn:
            self._check()
            if self._client is not None:
                raise InvalidState(f"{self!r} is connected already")
            if not self._sections.begun:
                await self._negotiate(None, dtls_parameters)
            elif dtls_parameters.role == "server":
                raise InvalidMessage("a client that consumes before it connects is the DTLS client")
            else:
                text = f"{fingerprint.algorithm} {fingerprint.value}"
                await self._call(lambda: self._seam.native.set_fingerprint(self._handle, text))
            self._client = dtls_parameters

    async def renew_ice(self) -> IceParameters:
        """Make new ICE credentials, for a client whose network changed (mediasoup's ``restartIce``).

        Those in force stay good until the client uses the new.
        """
        await self._call(lambda: self._seam.native.renew_ice(self._handle), self._described)
        return self._ice

    # -- inside -------------------------------------------------------------------------------------

    async def _describe(self) -> None:
        """Ask the core how the transport can be reached."""
        await self._call(lambda: self._seam.native.describe_transport(self._handle), self._described)

    def _described(self, reply: _native.ParametersReply) -> None:
        algorithm, _, value = reply.fingerprint.partition(" ")
        self._ice = IceParameters(username_fragment=reply.ufrag, password=reply.password, ice_lite=True)
        self._candidates = host_candidates(reply.candidates)
        self._dtls = DtlsParameters(fingerprints=(DtlsFingerprint(algorithm=algorithm, value=value),))

    async def _negotiate(self, section: Section | None, dtls: DtlsParameters | None = None) -> str:
        """Bring the core to the state with this m-line; returns its answer."""
        offer = self._sections.offer(dtls or self._client, section)
        try:
            answer = await self._accept(offer)
        except InvalidSdp as error:  # made of what the client has said
            raise InvalidMessage(str(error)) from error
        self._sections.commit()
        return answer

    async def _accept(self, offer: str) -> str:
        raise NotImplementedError

    async def _begin(self) -> None:
        """Have a description at all."""
        if not self._sections.begun:
            await self._negotiate(None)


class OrtcPublishTransport(OrtcTransport, PublishTransport):
    """A sending client's connection; made by `Router.create_ortc_publish_transport`."""

    async def produce(self, kind: Kind, rtp_parameters: RtpParameters, *, paused: bool = False) -> Publisher:
        """Make a track that the client sends available to the router.

        Args:
            kind: Audio or video.
            rtp_parameters: As the client sends it, by its own payload types and extension ids.
            paused: Whether to start paused.

        Raises:
            InvalidMessage: The parameters contradict themselves, or an earlier track's.
            UnsupportedCodec: The router carries none of the codecs.
            LimitReached: The transport carries as many tracks as it may.
        """
        async with self._turn:
            self._check()
            mid = rtp_parameters.mid or self._free_mid()
            section = sending_section(kind, mid, rtp_parameters)
            await self._negotiate(section)
            try:
                publisher = await self.publish(self._tracks[mid])
            except BaseException:
                self._sections.end(mid)
                raise
            publisher._rtp_parameters = rtp_parameters
            _when_closed(publisher, lambda: self._sections.end(mid))
        if paused:
            await publisher.pause()
        return publisher

    async def produce_data(
        self, sctp_stream_parameters: SctpStreamParameters, *, label: str = "", protocol: str = ""
    ) -> DataPublisher:
        """Make a data channel that the client has as this stream available to the router.

        Args:
            sctp_stream_parameters: The stream, and how reliable it is.
            label: The channel's label.
            protocol: Its sub-protocol.

        Raises:
            DataChannelNotFound: The stream is another channel's.
            LimitReached: The transport carries as many channels as it may.
        """
        given = sctp_stream_parameters
        label, protocol = label or given.label, protocol or given.protocol
        stream = (
            given.stream_id,
            given.is_ordered,
            given.max_retransmits,
            given.max_packet_life_time,
            protocol,
        )
        async with self._turn:
            self._check()
            await self._begin()
            native = self._seam.native
            publisher = DataPublisher(self._seam, native.allocate(self._handle), self, label)
            publisher._stream = given
            publisher._protocol = protocol
            return await self._create(
                publisher, lambda: native.publish_data(self._handle, publisher._handle, label, stream)
            )

    async def _accept(self, offer: str) -> str:
        return await self.get_answer(offer)

    def _free_mid(self) -> str:
        taken = self._sections.mids
        return next(mid for mid in map(str, itertools.count()) if mid not in taken)


class OrtcSubscribeTransport(OrtcTransport, SubscribeTransport):
    """A receiving client's connection; made by `Router.create_ortc_subscribe_transport`."""

    def _prepare(self) -> None:
        super()._prepare()
        self._mids = itertools.count()
        self._streams_used: set[int] = set()

    async def consume(
        self, publisher_id: str, rtp_capabilities: RtpCapabilities, *, paused: bool = False
    ) -> tuple[Subscriber, RtpParameters]:
        """Send a publisher's track to the client.

        Args:
            publisher_id: A publisher's id, or a track id that is unique in the router.
            rtp_capabilities: What the client can receive.
            paused: Whether to start paused, until the client is ready.

        Returns:
            The subscriber, and what the client has to know of the track.

        Raises:
            PublisherNotFound, AmbiguousTrack: As for `SubscribeTransport.subscribe`.
            UnsupportedCodec: The client cannot receive what the publisher sends.
            LimitReached: The transport carries as many tracks as it may.
        """
        async with self._turn:
            self._check()
            publisher = self.router.publisher(publisher_id)
            sent = codec_parameters(publisher)
            terms = consumer_terms(self.router.rtp_capabilities, rtp_capabilities, publisher.kind, sent)
            if terms is None:
                raise UnsupportedCodec(f"the client does not receive {publisher.codec.mime}")
            mid = str(next(self._mids))
            section = receiving_section(publisher.kind, mid, terms.codecs, terms.header_extensions)
            answer = await self._negotiate(section)
            try:
                subscriber = await self.attach(publisher.id, mid=mid)
            except BaseException:
                self._sections.end(mid)
                raise
            _when_closed(subscriber, lambda: self._sections.end(mid))
        if paused:
            await subscriber.pause()
        return subscriber, _sent_parameters(publisher, terms, mid, answer)

    async def consume_data(self, data_publisher_id: str) -> tuple[DataSubscriber, SctpStreamParameters]:
        """Send a data publisher's messages to the client.

        Args:
            data_publisher_id: A data publisher's id.

        Returns:
            The data subscriber, and the stream that the client opens its channel as.

        Raises:
            PublisherNotFound: The router has no such data publisher.
            LimitReached: The transport carries as many channels as it may.
        """
        async with self._turn:
            self._check()
            await self._begin()
            publisher = self.router.data_publisher(data_publisher_id)
            native = self._seam.native
            stream_id = next(n for n in itertools.count() if n not in self._streams_used)
            item = DataSubscriber(self._seam, native.allocate(self._handle), self, publisher)
            await self._create(
                item,
                lambda: native.subscribe_data(self._handle, item._handle, publisher._handle, stream_id),
            )
            self._streams_used.add(stream_id)
            _when_closed(item, lambda: self._streams_used.discard(stream_id))
        given = publisher._stream or SctpStreamParameters(stream_id=stream_id)
        return item, SctpStreamParameters(
            stream_id=stream_id,
            ordered=given.is_ordered,
            max_packet_life_time=given.max_packet_life_time,
            max_retransmits=given.max_retransmits,
        )

    async def _accept(self, offer: str) -> str:
        return await self.get_answer(offer)


def codec_parameters(publisher: Publisher) -> RtpCodecParameters:
    """Describe what a publisher sends."""
    codec = publisher.codec
    return RtpCodecParameters(
        mime_type=codec.mime,
        payload_type=codec.payload_type,
        clock_rate=codec.clock_rate,
        channels=codec.channels,
        parameters=parse_fmtp(codec.fmtp),
    )


def _sent_parameters(publisher: Publisher, terms: ConsumerTerms, mid: str, answer: str) -> RtpParameters:
    """What a client has to know of a track: the SSRCs are in the core's answer."""
    section = next(media for media in parse_sdp(answer).media if media.mid == mid)
    ssrc, rtx, cname = None, None, None
    for value in section.attributes("ssrc"):
        number, _, attribute = value.partition(" ")
        name, _, text = attribute.partition(":")
        ssrc = ssrc or int(number)
        cname = text if name == "cname" else cname
    if (group := section.attribute("ssrc-group")) is not None and terms.repairs:
        rtx = int(group.split()[2])
    encoding = RtpEncodingParameters(
        ssrc=ssrc,
        rtx=None if rtx is None else RtxParameters(ssrc=rtx),
        scalability_mode=publisher.scalability_mode,
    )
    return RtpParameters(
        mid=mid,
        codecs=terms.codecs,
        header_extensions=terms.header_extensions,
        encodings=(encoding,),
        rtcp=RtcpParameters(cname=cname),
    )


def _when_closed(item: MediaObject, then: Callable[[], None]) -> None:
    if item.closed:
        then()
    else:
        item._on_close.append(then)
