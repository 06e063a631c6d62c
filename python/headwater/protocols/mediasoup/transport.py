"""ICE, DTLS and SCTP parameters (ORTC, as in mediasoup)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

import msgspec

from headwater.protocols.mediasoup.rtp import _Value

__all__ = [
    "DtlsFingerprint",
    "DtlsParameters",
    "IceCandidate",
    "IceParameters",
    "SctpParameters",
    "SctpStreamParameters",
    "host_candidates",
]

_Digest = Annotated[str, msgspec.Meta(pattern=r"^[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){1,63}\Z")]
_Algorithm = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9-]{1,16}\Z")]
_Unsigned16 = Annotated[int, msgspec.Meta(ge=0, le=65_535)]
_StreamId = Annotated[int, msgspec.Meta(ge=0, le=65_534)]
_Label = Annotated[str, msgspec.Meta(max_length=1024)]


class IceParameters(_Value, frozen=True):
    """How a client authenticates its checks to us.

    Attributes:
        username_fragment: RFC 8445 section 5.3.
        password: RFC 8445 section 5.3.
        ice_lite: We send no checks.
    """

    username_fragment: str
    password: str
    ice_lite: bool


class IceCandidate(_Value, frozen=True):
    """Where we listen.

    Attributes:
        foundation: The same for candidates that fare alike.
        priority: The highest is tried first.
        ip: Address; the older name of ``address``.
        address: Address.
        protocol: ``udp`` or ``tcp``.
        port: Port.
        type: We have no others than ``host``.
        tcp_type: We never connect: ``passive`` (RFC 6544).
    """

    foundation: str
    priority: int
    ip: str
    address: str
    protocol: Literal["udp", "tcp"]
    port: int
    type: Literal["host"]
    tcp_type: Literal["passive"] | None = None


class DtlsFingerprint(_Value, frozen=True):
    """A digest of a certificate (RFC 8122 section 5).

    Attributes:
        algorithm: ``sha-256``, …
        value: Pairs of hex digits with colons between.
    """

    algorithm: _Algorithm
    value: _Digest


class DtlsParameters(_Value, frozen=True, omit_defaults=False):
    """How DTLS is to go.

    Attributes:
        fingerprints: At least one; all are of one certificate.
        role: ``auto`` leaves it to the other side.
    """

    fingerprints: Annotated[tuple[DtlsFingerprint, ...], msgspec.Meta(min_length=1, max_length=8)]
    role: Literal["auto", "client", "server"] = "auto"

    def fingerprint(self) -> DtlsFingerprint | None:
        """The fingerprint to go by: of those we can compute, the last; browsers name one."""
        known = [item for item in self.fingerprints if item.algorithm == "sha-256"]
        return known[-1] if known else None


_OLD_WORDS = {
    "os": "OS",
    "mis": "MIS",
    "max_message_size": "maxMessageSize",
    "max_send_message_size": "maxSendMessageSize",
    "max_receive_message_size": "maxReceiveMessageSize",
}


class SctpParameters(_Value, frozen=True, rename=_OLD_WORDS, omit_defaults=False):
    """What data channels can carry, in the words of new clients and of old ones."""

    port: int = 5000
    os: int = 1024
    mis: int = 1024
    max_message_size: int = 262_144
    max_send_message_size: int = 262_144
    max_receive_message_size: int = 262_144


class SctpStreamParameters(_Value, frozen=True):
    """A data channel that both sides know by its stream (RFC 8831 section 6.4).

    Attributes:
        stream_id: SCTP stream.
        ordered: Whether messages arrive in order.
        max_packet_life_time: For how long a message is sent again, ms.
        max_retransmits: How often a message is sent again.
    """

    stream_id: _StreamId
    ordered: bool | None = None
    max_packet_life_time: _Unsigned16 | None = None
    max_retransmits: _Unsigned16 | None = None
    label: _Label = ""
    protocol: _Label = ""

    def __post_init__(self) -> None:
        """Refuse what contradicts itself."""
        if self.max_packet_life_time and self.max_retransmits:
            raise ValueError("maxPacketLifeTime and maxRetransmits exclude each other")

    @property
    def is_ordered(self) -> bool:
        """``ordered``, which what may be lost is not unless said."""
        if self.ordered is not None:
            return self.ordered
        return self.max_packet_life_time is None and self.max_retransmits is None


def host_candidates(addresses: Iterable[tuple[str, int, str]]) -> tuple[IceCandidate, ...]:
    """Name where we listen, UDP first.

    Args:
        addresses: Address, port and protocol of each, the best first.
    """
    candidates = []
    for place, (address, port, protocol) in enumerate(addresses):
        is_tcp = protocol == "tcp"
        preference = (_TCP_PREFERENCE if is_tcp else _UDP_PREFERENCE) << 24
        candidates.append(
            IceCandidate(
                foundation=f"{protocol}{place}",
                priority=preference | (_LOCAL_PREFERENCE - place) << 8 | _ONE_COMPONENT,
                ip=address,
                address=address,
                protocol="tcp" if is_tcp else "udp",
                port=port,
                type="host",
                tcp_type="passive" if is_tcp else None,
            )
        )
    return tuple(candidates)


_UDP_PREFERENCE = 126
"""RFC 8445 section 5.1.2.2: of a host candidate."""
_TCP_PREFERENCE = 90
"""RFC 6544 section 4.2: below every UDP candidate."""
_LOCAL_PREFERENCE = 65_535
_ONE_COMPONENT = 255
