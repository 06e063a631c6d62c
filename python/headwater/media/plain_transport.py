"""The PlainTransport: RTP or SRTP to and from one program that speaks no WebRTC, on ports of its own.

Out, to FFmpeg for example, encrypted with a key that its SDP file carries::

    transport = await router.create_plain_transport(rtcp_mux=False, srtp="AES_CM_128_HMAC_SHA1_80")
    await transport.connect("127.0.0.1", ports.port, ports.rtcp_port)
    track = await transport.consume(publisher.id, paused=True)
    sdp = transport.generate_sdp()       # give this to the program; once it listens:
    await track.resume()

In, from FFmpeg or GStreamer, which need only know where to send::

    transport = await router.create_plain_transport(comedia=True)
    publisher = await transport.produce("video", {"codecs": [...], "encodings": [{"ssrc": 22222222}]})
    print(transport.tuple.local_port)

Without ``srtp`` nothing is encrypted or authenticated: stay on loopback or in a network of your own.
With it, only what the peer's key opens is taken in. Datagrams from elsewhere than the peer's address are
dropped; with ``comedia`` that address is the one of the first valid packet, and believed once.
"""

from __future__ import annotations

import builtins
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from headwater.errors import ConfigurationError, InvalidState
from headwater.ids import TransportId, new_id
from headwater.media.events import Event, PeerFound, TransportClosed
from headwater.media.object import MediaObject
from headwater.media.plain_track import PlainTrack
from headwater.media.publisher import Publisher
from headwater.media.rtp_parameters import RtpParameters
from headwater.media.seam import Seam
from headwater.media.srtp import SrtpParameters
from headwater.media.track import LocalTrack
from headwater.protocols.sdp import MediaSection, SessionDescription

if TYPE_CHECKING:
    from headwater._core import _native
    from headwater.media.router import Router

__all__ = ["PlainTransport", "TransportTuple"]


@dataclass(frozen=True, slots=True)
class TransportTuple:
    """Both ends of a transport's datagrams; the remote one is ``None`` until it is known."""

    local_ip: str
    local_port: int
    remote_ip: str | None = None
    remote_port: int | None = None


class PlainTransport(MediaObject):
    """A way in and out for plain RTP or SRTP; made by `Router.create_plain_transport`."""

    _kind = "transport"
    _prefix = "trn"
    _closed_event = TransportClosed

    def __init__(
        self, seam: Seam, handle: int, router: Router, srtp: SrtpParameters | None, *, comedia: bool
    ) -> None:
        """Use `Router.create_plain_transport`."""
        super().__init__(seam, handle, router)
        self._router = router
        self._srtp = srtp
        self._comedia = comedia
        self._connected = False
        self._local: tuple[str, int] = ("", 0)
        self._rtcp_local: tuple[str, int] | None = None
        self._remote: tuple[str, int] | None = None
        self._rtcp_remote: tuple[str, int] | None = None

    @property
    def id(self) -> TransportId:
        """The transport's id."""
        return TransportId(self._id)

    @property
    def router(self) -> Router:
        """The router it belongs to."""
        return self._router

    @property
    def tuple(self) -> TransportTuple:
        """Where RTP comes in, and where it goes and comes from."""
        return TransportTuple(*self._local, *(self._remote or ()))

    @property
    def rtcp_tuple(self) -> TransportTuple | None:
        """The same for RTCP, where it has a port of its own."""
        if self._rtcp_local is None:
            return None
        return TransportTuple(*self._rtcp_local, *(self._rtcp_remote or ()))

    @property
    def comedia(self) -> bool:
        """Whether the peer's address is taken from its packets."""
        return self._comedia

    @property
    def srtp_parameters(self) -> SrtpParameters | None:
        """What this side seals with; the peer needs it to open what comes."""
        return self._srtp

    @property
    def publishers(self) -> builtins.tuple[Publisher, ...]:
        """What comes in, oldest first."""
        return builtins.tuple(item for item in self._children if isinstance(item, Publisher))

    @property
    def tracks(self) -> builtins.tuple[PlainTrack, ...]:
        """What goes out, oldest first."""
        return builtins.tuple(item for item in self._children if isinstance(item, PlainTrack))

    async def connect(
        self,
        ip: str | None = None,
        port: int | None = None,
        rtcp_port: int | None = None,
        srtp_parameters: SrtpParameters | Mapping[str, str] | None = None,
    ) -> None:
        """Say where the peer is, and what it seals with. Can be done once.

        Args:
            ip: The peer's IP address; not with ``comedia``.
            port: Its port for RTP; not with ``comedia``.
            rtcp_port: Its port for RTCP, ``port`` + 1 by default; not with ``rtcp_mux`` or ``comedia``.
            srtp_parameters: Its key, where this transport has one; without it, nothing that comes is
                taken in. A mapping has the keys ``crypto_suite`` and ``key_base64``.

        Raises:
            ConfigurationError: An argument is missing, too many, or makes no sense.
            InvalidState: The transport is connected already.
        """
        self._check()
        remote, rtcp_remote = self._addresses(ip, port, rtcp_port)
        keys = self._peer_keys(srtp_parameters)
        if self._connected:
            raise InvalidState(f"{self!r} is connected already")

        def done(_reply: None) -> None:
            self._connected = True
            if remote is not None:
                self._remote, self._rtcp_remote = remote, rtcp_remote

        native = self._seam.native
        await self._call(
            lambda: native.connect_plain_transport(
                self._handle, remote=remote, rtcp_remote=rtcp_remote, srtp=keys
            ),
            done,
        )

    async def produce(
        self,
        kind: Literal["audio", "video"],
        rtp_parameters: RtpParameters | Mapping[str, Any],
        *,
        track_id: str | None = None,
    ) -> Publisher:
        """Make a track that comes in available to the router.

        Args:
            kind: Audio or video.
            rtp_parameters: Which packets it is made of; see `headwater.media.rtp_parameters`.
            track_id: A name for the track; one is made up if ``None``.

        Raises:
            ConfigurationError: The parameters make no sense, or are those of another publisher here.
            UnsupportedCodec: The router does not carry the codec.
        """
        self._check()
        wanted = rtp_parameters
        if not isinstance(wanted, RtpParameters):
            wanted = RtpParameters.parse(wanted)
        codec = (
            wanted.codec.mime,
            wanted.codec.payload_type,
            wanted.codec.clock_rate,
            wanted.codec.channels,
            wanted.codec.fmtp,
        )
        native = self._seam.native
        track = LocalTrack("", kind, track_id or new_id("trk"))
        publisher = Publisher(self._seam, native.allocate(self._handle), self, track)
        return await self._create(
            publisher,
            lambda: native.produce(
                self._handle,
                publisher._handle,
                kind,
                codec,
                ssrcs=wanted.ssrcs,
                nack=wanted.nack,
                pli=wanted.pli,
                fir=wanted.fir,
                audio_level=wanted.audio_level,
            ),
            publisher._opened,
        )

    async def consume(self, id_: str, *, paused: bool = False) -> PlainTrack:
        """Send a publisher's packets to the peer, from the next key frame on.

        Args:
            id_: A publisher's id, or a track id that is unique in the router.
            paused: Send nothing before `PlainTrack.resume`: the peer may not listen yet.

        Raises:
            PublisherNotFound, AmbiguousTrack: As for `SubscribeTransport.subscribe`.
        """
        self._check()
        publisher = self._router.publisher(id_)
        native = self._seam.native
        track = PlainTrack(self._seam, native.allocate(self._handle), self, publisher, paused=paused)
        return await self._create(
            track,
            lambda: native.consume(self._handle, track._handle, publisher._handle, paused=paused),
            track._opened,
        )

    def generate_sdp(self, *others: PlainTransport) -> str:
        """Describe what goes out, for the program that is to receive it.

        Each track is an m-line, in the order of `consume`. A program that takes one m-line a port, as
        FFmpeg does, needs a transport for each track, and one description of all of them.

        Args:
            others: Transports to the same program, described after this one.

        Raises:
            InvalidState: A transport's peer is not known yet.
        """
        self._check()
        sections = [section for transport in (self, *others) for section in transport._describe()]
        address, _ = self._peer()
        family = f"IN IP{ipaddress.ip_address(address).version}"
        session = SessionDescription()
        session.add("v", "0")
        session.add("o", f"- 0 0 {family} {self._local[0]}")
        session.add("s", "Headwater")
        session.add("c", f"{family} {address}")
        session.add("t", "0 0")
        session.media.extend(sections)
        return str(session)

    # -- for the other classes of this package ------------------------------------------------------

    def _opened(self, reply: _native.BoundReply) -> None:
        """Take the ports from the reply that made the transport."""
        self._local, self._rtcp_local = reply.local, reply.rtcp_local

    def _handle_event(self, event: Event) -> None:
        """Note where the peer is."""
        if isinstance(event, PeerFound):
            self._remote, self._rtcp_remote = event.remote, event.rtcp_remote
        super()._handle_event(event)

    def _peer(self) -> builtins.tuple[str, int]:
        if self._remote is None:
            raise InvalidState(f"the peer of {self!r} is not known yet: connect first")
        return self._remote

    def _describe(self) -> list[MediaSection]:
        """Make an m-line of each track."""
        _, port = self._peer()
        sections = []
        for track in self.tracks:
            codec = track.codec
            number = str(codec.payload_type)
            protocol = "RTP/AVP" if self._srtp is None else "RTP/SAVP"
            section = MediaSection(kind=codec.kind, port=port, protocol=protocol, formats=[number])
            channels = f"/{codec.channels}" if codec.channels else ""
            section.add("a", f"rtpmap:{number} {codec.encoding}/{codec.clock_rate}{channels}")
            if codec.fmtp:
                section.add("a", f"fmtp:{number} {codec.fmtp}")
            if self._rtcp_local is None:
                section.add("a", "rtcp-mux")
            elif self._rtcp_remote is not None:
                section.add("a", f"rtcp:{self._rtcp_remote[1]}")
            if self._srtp is not None:
                section.add("a", f"crypto:{self._srtp.crypto_line}")
            section.add("a", f"ssrc:{track.ssrc} cname:{self._handle:016x}")
            section.add("a", "recvonly")
            sections.append(section)
        return sections

    def _addresses(
        self, ip: str | None, port: int | None, rtcp_port: int | None
    ) -> builtins.tuple[builtins.tuple[str, int] | None, builtins.tuple[str, int] | None]:
        """Check where the peer is said to be."""
        if self._comedia:
            if ip is not None or port is not None or rtcp_port is not None:
                raise ConfigurationError("with comedia the peer's address comes from its packets")
            return None, None
        if ip is None or port is None:
            raise ConfigurationError("without comedia connect needs the peer's address and port")
        try:
            ipaddress.ip_address(ip)
        except ValueError as error:
            raise ConfigurationError(f"a peer's address is an IP address, not {ip!r}") from error
        if self._rtcp_local is None:
            if rtcp_port is not None:
                raise ConfigurationError("with rtcp_mux there is no port for RTCP")
            ports = [port]
        else:
            ports = [port, port + 1 if rtcp_port is None else rtcp_port]
        if not all(0 < number <= _MAX_PORT for number in ports):
            raise ConfigurationError(f"a peer's port is between 1 and {_MAX_PORT}")
        return (ip, port), ((ip, ports[1]) if len(ports) > 1 else None)

    def _peer_keys(
        self, parameters: SrtpParameters | Mapping[str, str] | None
    ) -> builtins.tuple[str, bytes] | None:
        """Check what the peer is said to seal with."""
        if parameters is None:
            return None
        if self._srtp is None:
            raise ConfigurationError("the transport was made without srtp")
        if not isinstance(parameters, SrtpParameters):
            try:
                suite, key = parameters["crypto_suite"], parameters["key_base64"]
            except KeyError as error:
                raise ConfigurationError(f"SRTP parameters need {error}") from error
            parameters = SrtpParameters(suite, key)  # type: ignore[arg-type]  # checked in there
        if parameters.crypto_suite != self._srtp.crypto_suite:
            raise ConfigurationError(f"the suite of {self!r} is {self._srtp.crypto_suite}")
        return parameters.crypto_suite, parameters.key

    def _send_close(self) -> int:
        return self._seam.native.close_transport(self._handle)


_MAX_PORT = 65535
