"""RTP capabilities and parameters (ORTC, as in mediasoup): values that have been checked.

Everything that a client sends passes `parse`: sizes are bounded, numbers are in range, and no text
holds what would end a line of SDP, because these values are written into one. Fields that are not
named here (``maxBitrate``, ``dtx``, …) are the client's own affair and left out.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from headwater.errors import InvalidMessage

__all__ = [
    "Kind",
    "RtcpFeedback",
    "RtcpParameters",
    "RtpCapabilities",
    "RtpCodecCapability",
    "RtpCodecParameters",
    "RtpEncodingParameters",
    "RtpHeaderExtension",
    "RtpHeaderExtensionParameters",
    "RtpParameters",
    "RtxParameters",
    "parse",
    "parse_fmtp",
]

Kind = Literal["audio", "video"]
Direction = Literal["sendrecv", "sendonly", "recvonly", "inactive"]

_Mime = Annotated[str, msgspec.Meta(pattern=r"^([aA]udio|[vV]ideo|AUDIO|VIDEO)/[A-Za-z0-9._-]{1,32}\Z")]
_Word = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._-]{1,32}\Z")]
_Words = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._ -]{0,32}\Z")]
_Text = Annotated[str, msgspec.Meta(pattern=r"^[!-:<-~ ]{0,256}\Z")]
"""A value of ``a=fmtp``: printable, without the semicolon that ends it."""
_Uri = Annotated[str, msgspec.Meta(pattern=r"^[!-~]{1,256}\Z")]
_Name = Annotated[str, msgspec.Meta(pattern=r"^[!-~]{0,256}\Z")]
_Msid = Annotated[str, msgspec.Meta(pattern=r"^[!-~]{1,64}( [!-~]{1,64})?\Z")]
_Mid = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_]{1,16}\Z")]
_Rid = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9]{1,8}\Z")]
_Mode = Annotated[str, msgspec.Meta(pattern=r"^[LS][1-9]\d?T[1-9]\d?(_KEY(_SHIFT)?|h)?\Z")]
_PayloadType = Annotated[int, msgspec.Meta(ge=0, le=127)]
_ClockRate = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
_Channels = Annotated[int, msgspec.Meta(ge=1, le=8)]
_ExtensionId = Annotated[int, msgspec.Meta(ge=1, le=255)]
_Ssrc = Annotated[int, msgspec.Meta(ge=0, le=0xFFFFFFFF)]
_Parameters = Annotated[dict[_Word, int | _Text], msgspec.Meta(max_length=32)]


class _Value(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, kw_only=True):
    """Base: camelCase on the wire, what has its usual value is not said."""


class RtcpFeedback(_Value, frozen=True):
    """One kind of RTCP feedback, as in ``a=rtcp-fb`` (RFC 4585 section 4.2).

    Attributes:
        type: ``nack``, ``ccm``, ``transport-cc``, …
        parameter: ``pli``, ``fir``; empty when there is none.
    """

    type: _Word
    parameter: _Words = ""


class RtpCodecCapability(_Value, frozen=True):
    """A codec that somebody can handle.

    Attributes:
        mime_type: ``audio/opus``, ``video/VP8``, ``video/rtx``, …
        clock_rate: Hz.
        kind: The first half of the MIME type.
        preferred_payload_type: RTP payload type.
        channels: Of audio; 1 unless said.
        parameters: Values of ``a=fmtp`` by name.
        rtcp_feedback: Feedback it takes.
    """

    mime_type: _Mime
    clock_rate: _ClockRate
    kind: Kind | None = None
    preferred_payload_type: _PayloadType | None = None
    channels: _Channels | None = None
    parameters: _Parameters = {}
    rtcp_feedback: Annotated[tuple[RtcpFeedback, ...], msgspec.Meta(max_length=32)] = ()


class RtpHeaderExtension(_Value, frozen=True):
    """A header extension that somebody can handle (RFC 8285).

    Attributes:
        kind: What it is for.
        uri: Its name.
        preferred_id: Its number.
        direction: As seen by whose capabilities these are.
    """

    kind: Kind
    uri: _Uri
    preferred_id: _ExtensionId
    preferred_encrypt: bool = False
    direction: Direction = "sendrecv"


class RtpCapabilities(_Value, frozen=True):
    """What somebody can send or receive."""

    codecs: Annotated[tuple[RtpCodecCapability, ...], msgspec.Meta(max_length=64)] = ()
    header_extensions: Annotated[tuple[RtpHeaderExtension, ...], msgspec.Meta(max_length=64)] = ()


class RtpCodecParameters(_Value, frozen=True):
    """A codec that is sent; fields as in `RtpCodecCapability`."""

    mime_type: _Mime
    payload_type: _PayloadType
    clock_rate: _ClockRate
    channels: _Channels | None = None
    parameters: _Parameters = {}
    rtcp_feedback: Annotated[tuple[RtcpFeedback, ...], msgspec.Meta(max_length=32)] = ()


class RtpHeaderExtensionParameters(_Value, frozen=True):
    """A header extension that is sent."""

    uri: _Uri
    id: _ExtensionId
    encrypt: bool = False


class RtxParameters(_Value, frozen=True):
    """Where retransmissions go (RFC 4588)."""

    ssrc: _Ssrc


class RtpEncodingParameters(_Value, frozen=True):
    """One stream of a track.

    Attributes:
        ssrc: Its SSRC, where it is known beforehand.
        rid: Its name where it is not (RFC 8852).
        rtx: Its retransmissions.
        scalability_mode: ``L1T3``, ``S3T3``, …
    """

    ssrc: _Ssrc | None = None
    rid: _Rid | None = None
    rtx: RtxParameters | None = None
    scalability_mode: _Mode | None = None


class RtcpParameters(_Value, frozen=True):
    """What is said about RTCP.

    Attributes:
        cname: The sender's clock (RFC 3550 section 6.5.1).
        reduced_size: RFC 5506.
    """

    cname: _Name | None = None
    reduced_size: bool = True


class RtpParameters(_Value, frozen=True):
    """All about a track on its way.

    Attributes:
        codecs: The first is in use; each may be followed by its ``rtx``.
        mid: Its m-line.
        msid: Stream id and track id (RFC 8830).
        header_extensions: Its header extensions.
        encodings: Its streams; of a track that a server sends, one.
        rtcp: About RTCP.
    """

    codecs: Annotated[tuple[RtpCodecParameters, ...], msgspec.Meta(min_length=1, max_length=64)]
    mid: _Mid | None = None
    msid: _Msid | None = None
    header_extensions: Annotated[tuple[RtpHeaderExtensionParameters, ...], msgspec.Meta(max_length=32)] = ()
    encodings: Annotated[tuple[RtpEncodingParameters, ...], msgspec.Meta(max_length=8)] = ()
    rtcp: RtcpParameters = RtcpParameters()

    def __post_init__(self) -> None:
        """Refuse what names two things alike."""
        _distinct("payload types", (codec.payload_type for codec in self.codecs))
        _distinct("extension ids", (extension.id for extension in self.header_extensions))
        _distinct("rids", (encoding.rid for encoding in self.encodings if encoding.rid is not None))
        ssrcs = [encoding.ssrc for encoding in self.encodings if encoding.ssrc is not None]
        _distinct("SSRCs", ssrcs + [encoding.rtx.ssrc for encoding in self.encodings if encoding.rtx])


T = TypeVar("T")


def parse(kind: type[T], data: Any) -> T:
    """Check what a client sent.

    Args:
        kind: What it should be.
        data: JSON text, or what was parsed from it.

    Raises:
        InvalidMessage: It is not that, or beyond a bound.
    """
    try:
        if isinstance(data, str | bytes):
            return msgspec.json.decode(data, type=kind)
        return msgspec.convert(data, kind)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise InvalidMessage(f"{kind.__name__}: {error}") from None


def parse_fmtp(value: str) -> dict[str, int | str]:
    """Take an ``a=fmtp`` value apart: ``a=1;b=x`` -> ``{"a": 1, "b": "x"}``."""
    parameters: dict[str, int | str] = {}
    for item in value.split(";"):
        name, _, text = item.strip().partition("=")
        if name:
            # A level id is hexadecimal even when it has no letters.
            is_number = text.isascii() and text.isdecimal() and name != "profile-level-id"
            parameters[name] = int(text) if is_number else text
    return parameters


def _distinct(what: str, values: Iterable[object]) -> None:
    listed = list(values)
    if len(set(listed)) != len(listed):
        raise ValueError(f"{what} repeat")
