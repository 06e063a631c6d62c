"""What a router can do, and what of it a client gets: numbering and matching as mediasoup has them.

Payload types are handed out from 100 to 127, then from 96 to 99, a codec's ``rtx`` right after it. A
client uses our numbers for what it takes and its own for what it sends.

A codec fits when MIME type, clock rate and channels are the same, and with H.264 the packetization
mode and the profile (RFC 6184), with VP9 the profile (RFC 9628). Extensions are kept where number and
name are the client's. Of the kinds of congestion feedback one remains: ``transport-cc`` where its
extension is, else ``goog-remb`` where send times are, else none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec

from headwater.protocols.mediasoup.rtp import (
    Kind,
    RtcpFeedback,
    RtpCapabilities,
    RtpCodecCapability,
    RtpCodecParameters,
    RtpHeaderExtension,
    RtpHeaderExtensionParameters,
)

__all__ = ["ConsumerTerms", "can_consume", "consumer_terms", "match_codecs", "router_capabilities"]


@dataclass(frozen=True, slots=True)
class ConsumerTerms:
    """How a track goes to a client: its codec (and ``rtx``) and header extensions."""

    codecs: tuple[RtpCodecParameters, ...]
    header_extensions: tuple[RtpHeaderExtensionParameters, ...]

    @property
    def repairs(self) -> bool:
        """Whether lost packets are sent again on a stream of their own."""
        return any(_is_rtx(codec) for codec in self.codecs)


def router_capabilities(codecs: Sequence[str]) -> RtpCapabilities:
    """What a router with these codecs can do.

    Args:
        codecs: ``opus``, ``vp8``, ``vp9``, ``av1``, ``h264``, in order of preference.
    """
    numbers = _payload_types()
    listed: list[RtpCodecCapability] = []
    for name in codecs:
        for codec in _CODECS[name]:
            number = next(numbers)
            listed.append(msgspec.structs.replace(codec, preferred_payload_type=number))
            if codec.kind == "video":
                listed.append(
                    RtpCodecCapability(
                        kind="video",
                        mime_type="video/rtx",
                        preferred_payload_type=next(numbers),
                        clock_rate=codec.clock_rate,
                        parameters={"apt": number},
                    )
                )
    return RtpCapabilities(codecs=tuple(listed), header_extensions=_EXTENSIONS)


def match_codecs(
    one: RtpCodecCapability | RtpCodecParameters, other: RtpCodecCapability | RtpCodecParameters
) -> bool:
    """Whether two descriptions are of the same codec."""
    mime = one.mime_type.lower()
    if mime != other.mime_type.lower() or one.clock_rate != other.clock_rate:
        return False
    if mime.startswith("audio/") and (one.channels or 1) != (other.channels or 1):
        return False
    if mime == "video/h264":
        return _number(one, "packetization-mode") == _number(other, "packetization-mode") and (
            _h264_profile(one) == _h264_profile(other) is not None
        )
    if mime == "video/vp9":
        return _number(one, "profile-id") == _number(other, "profile-id")
    return True


def can_consume(sent: RtpCodecParameters, client: RtpCapabilities) -> bool:
    """Whether a client can take what is sent."""
    return any(match_codecs(codec, sent) for codec in client.codecs if not _is_rtx(codec))


def consumer_terms(
    router: RtpCapabilities, client: RtpCapabilities, kind: Kind, sent: RtpCodecParameters
) -> ConsumerTerms | None:
    """Work out how a track goes to a client; ``None`` when it cannot.

    Args:
        router: From `router_capabilities`.
        client: What the client can receive.
        kind: Audio or video.
        sent: The codec that is sent, its payload type whatever the sender has.
    """
    ours = next((codec for codec in router.codecs if match_codecs(codec, sent)), None)
    theirs = next((codec for codec in client.codecs if match_codecs(codec, sent)), None)
    if ours is None or theirs is None or ours.preferred_payload_type is None:
        return None
    extensions = _extensions(router, client, kind)
    number, rtx = ours.preferred_payload_type, _rtx_of(router, ours.preferred_payload_type)
    takes_rtx = theirs.preferred_payload_type is not None and (
        _rtx_of(client, theirs.preferred_payload_type) is not None
    )
    feedback = [
        item for item in theirs.rtcp_feedback if _is_kept(item, {extension.uri for extension in extensions})
    ]
    codecs = [
        RtpCodecParameters(
            mime_type=ours.mime_type,
            payload_type=number,
            clock_rate=ours.clock_rate,
            channels=ours.channels,
            parameters=sent.parameters or ours.parameters,
            rtcp_feedback=tuple(feedback),
        )
    ]
    if rtx is not None and takes_rtx:
        codecs.append(
            RtpCodecParameters(
                mime_type=f"{kind}/rtx",
                payload_type=rtx,
                clock_rate=ours.clock_rate,
                parameters={"apt": number},
            )
        )
    return ConsumerTerms(tuple(codecs), extensions)


def _extensions(
    router: RtpCapabilities, client: RtpCapabilities, kind: Kind
) -> tuple[RtpHeaderExtensionParameters, ...]:
    theirs = {(item.preferred_id, item.uri) for item in client.header_extensions if item.kind == kind}
    return tuple(
        RtpHeaderExtensionParameters(uri=item.uri, id=item.preferred_id)
        for item in router.header_extensions
        if item.kind == kind
        and item.direction in ("sendrecv", "sendonly")
        and (item.preferred_id, item.uri) in theirs
    )


def _is_kept(feedback: RtcpFeedback, extensions: set[str]) -> bool:
    counted = _TRANSPORT_CC in extensions
    if feedback.type == "transport-cc":
        return counted
    if feedback.type == "goog-remb":
        return not counted and _SEND_TIME in extensions
    return True


def _rtx_of(capabilities: RtpCapabilities, payload_type: int) -> int | None:
    for codec in capabilities.codecs:
        if _is_rtx(codec) and codec.parameters.get("apt") == payload_type:
            return codec.preferred_payload_type
    return None


def _is_rtx(codec: RtpCodecCapability | RtpCodecParameters) -> bool:
    return codec.mime_type.lower().endswith("/rtx")


def _number(codec: RtpCodecCapability | RtpCodecParameters, name: str) -> int | str:
    value = codec.parameters.get(name, 0)
    return int(value) if isinstance(value, str) and value.isascii() and value.isdecimal() else value


def _h264_profile(codec: RtpCodecCapability | RtpCodecParameters) -> str | None:
    """The profile that a ``profile-level-id`` names (RFC 6184 table 5); ``None`` if it names none."""
    text = str(codec.parameters.get("profile-level-id", "42e01f"))
    try:
        value = int(text, 16) if len(text) == _LEVEL_ID_DIGITS else 0
    except ValueError:
        return None
    idc, flags = value >> 16, value >> 8 & 0xFF
    for profile, first, mask, expected in _H264_PROFILES:
        if idc == first and flags & mask == expected:
            return profile
    return None


def _payload_types() -> Iterator[int]:
    yield from range(100, 128)
    yield from range(96, 100)


def _video(name: str, **parameters: int | str) -> RtpCodecCapability:
    named = {key.replace("_", "-"): value for key, value in parameters.items()}
    return RtpCodecCapability(
        kind="video",
        mime_type=f"video/{name}",
        clock_rate=90_000,
        parameters=named,
        rtcp_feedback=(
            RtcpFeedback(type="nack"),
            RtcpFeedback(type="nack", parameter="pli"),
            RtcpFeedback(type="ccm", parameter="fir"),
            RtcpFeedback(type="goog-remb"),
            RtcpFeedback(type="transport-cc"),
        ),
    )


def _h264(level_id: str, mode: int) -> RtpCodecCapability:
    return _video("H264", level_asymmetry_allowed=1, packetization_mode=mode, profile_level_id=level_id)


_CODECS: dict[str, tuple[RtpCodecCapability, ...]] = {
    "opus": (
        RtpCodecCapability(
            kind="audio",
            mime_type="audio/opus",
            clock_rate=48_000,
            channels=2,
            parameters={"minptime": 10, "useinbandfec": 1},
            rtcp_feedback=(RtcpFeedback(type="nack"), RtcpFeedback(type="transport-cc")),
        ),
    ),
    "vp8": (_video("VP8"),),
    "vp9": (_video("VP9", profile_id=0), _video("VP9", profile_id=2)),
    "av1": (_video("AV1"),),
    "h264": (
        _h264("42e01f", 1), _h264("42001f", 1), _h264("4d001f", 1), _h264("64001f", 1),
        _h264("42e01f", 0), _h264("42001f", 0), _h264("4d001f", 0),
    ),
}  # fmt: skip

_TRANSPORT_CC = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
_SEND_TIME = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
_CAPTURE_TIME = "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time"
_PLAYOUT_DELAY = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"
_DESCRIPTOR = "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension"
_EXTENSIONS = (
    RtpHeaderExtension(kind="audio", uri="urn:ietf:params:rtp-hdrext:sdes:mid", preferred_id=1),
    RtpHeaderExtension(kind="video", uri="urn:ietf:params:rtp-hdrext:sdes:mid", preferred_id=1),
    RtpHeaderExtension(
        kind="video",
        uri="urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
        preferred_id=2,
        direction="recvonly",
    ),
    RtpHeaderExtension(
        kind="video",
        uri="urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id",
        preferred_id=3,
        direction="recvonly",
    ),
    RtpHeaderExtension(kind="audio", uri=_SEND_TIME, preferred_id=4),
    RtpHeaderExtension(kind="video", uri=_SEND_TIME, preferred_id=4),
    RtpHeaderExtension(kind="audio", uri=_TRANSPORT_CC, preferred_id=5, direction="recvonly"),
    RtpHeaderExtension(kind="video", uri=_TRANSPORT_CC, preferred_id=5),
    RtpHeaderExtension(kind="audio", uri="urn:ietf:params:rtp-hdrext:ssrc-audio-level", preferred_id=6),
    # We drop layers inside AV1 streams, and receivers see by the descriptor that nothing is lost.
    RtpHeaderExtension(kind="video", uri=_DESCRIPTOR, preferred_id=7),
    RtpHeaderExtension(kind="video", uri="urn:3gpp:video-orientation", preferred_id=8),
    RtpHeaderExtension(kind="audio", uri=_CAPTURE_TIME, preferred_id=10),
    RtpHeaderExtension(kind="video", uri=_CAPTURE_TIME, preferred_id=10),
    RtpHeaderExtension(kind="video", uri=_PLAYOUT_DELAY, preferred_id=11),
)
"""Numbered as mediasoup numbers them; 9 (toffset) and 12 (packet-id) are not ours."""

_H264_PROFILES = (
    ("constrained baseline", 0x42, 0b0100_1111, 0b0100_0000),
    ("constrained baseline", 0x4D, 0b1000_1111, 0b1000_0000),
    ("constrained baseline", 0x58, 0b1100_1111, 0b1100_0000),
    ("baseline", 0x42, 0b0100_1111, 0b0000_0000),
    ("baseline", 0x58, 0b1100_1111, 0b1000_0000),
    ("main", 0x4D, 0b1010_1111, 0b0000_0000),
    ("high", 0x64, 0b1111_1111, 0b0000_0000),
    ("constrained high", 0x64, 0b1111_1111, 0b0000_1100),
)
"""Profile, ``profile_idc``, and the bits of ``profile_iop`` that decide with their values."""
_LEVEL_ID_DIGITS = 6
