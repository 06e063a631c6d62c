"""What a router can do and what of it a client gets: mediasoup's numbers and rules."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from headwater.protocols.mediasoup import (
    RtpCapabilities,
    RtpCodecParameters,
    can_consume,
    consumer_terms,
    match_codecs,
    parse,
    router_capabilities,
)

_TRANSPORT_CC = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
_ROUTER = router_capabilities(("opus", "vp8", "vp9", "h264", "av1"))


def sent(mime: str, **parameters: int | str) -> RtpCodecParameters:
    """A codec that somebody sends."""
    named: dict[str, int | str] = {name.replace("_", "-"): value for name, value in parameters.items()}
    is_audio = mime.startswith("audio/")
    return RtpCodecParameters(
        mime_type=mime,
        payload_type=45,
        clock_rate=48_000 if is_audio else 90_000,
        channels=2 if is_audio else None,
        parameters=named,
    )


def without(capabilities: RtpCapabilities, what: str) -> RtpCapabilities:
    """Capabilities that lack a codec or an extension."""
    value = msgspec.to_builtins(capabilities)
    value["codecs"] = [codec for codec in value["codecs"] if what not in codec["mimeType"]]
    value["headerExtensions"] = [item for item in value["headerExtensions"] if what not in item["uri"]]
    return parse(RtpCapabilities, value)


def test_numbers() -> None:
    """Payload types go from 100 up, a codec's rtx behind it; extensions have mediasoup's numbers."""
    numbers = [(codec.mime_type, codec.preferred_payload_type) for codec in _ROUTER.codecs]
    assert numbers[:5] == [
        ("audio/opus", 100),
        ("video/VP8", 101),
        ("video/rtx", 102),
        ("video/VP9", 103),
        ("video/rtx", 104),
    ]
    assert len({number for _, number in numbers}) == len(numbers)
    for codec in _ROUTER.codecs:
        if codec.mime_type == "video/rtx":
            assert codec.parameters == {"apt": (codec.preferred_payload_type or 0) - 1}
    extensions = {(item.kind, item.preferred_id): item for item in _ROUTER.header_extensions}
    assert extensions["video", 1].uri.endswith(":mid")
    assert extensions["video", 2].direction == extensions["video", 3].direction == "recvonly"
    assert extensions["audio", 5].direction == "recvonly"
    assert extensions["video", 5].direction == "sendrecv"
    assert extensions["audio", 6].uri.endswith(":ssrc-audio-level")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (sent("video/VP8"), sent("video/vp8"), True),
        (sent("video/VP9"), sent("video/VP9", profile_id=0), True),
        (sent("video/VP9", profile_id=2), sent("video/VP9", profile_id="2"), True),
        (sent("video/VP9", profile_id=2), sent("video/VP9"), False),
        (sent("video/H264", profile_level_id="42e01f"), sent("video/H264", profile_level_id="42e034"), True),
        (sent("video/H264", profile_level_id="42e01f"), sent("video/H264", profile_level_id="42001f"), False),
        (sent("video/H264"), sent("video/H264", profile_level_id="42e01f"), True),
        (sent("video/H264"), sent("video/H264", packetization_mode=1), False),
        (sent("video/H264", profile_level_id="junk"), sent("video/H264", profile_level_id="junk"), False),
    ],
)
def test_matching(one: RtpCodecParameters, other: RtpCodecParameters, same: bool) -> None:
    """Profiles and packetization modes count, levels and spelling do not."""
    assert match_codecs(one, other) is match_codecs(other, one) is same


def test_channels_count() -> None:
    """Stereo Opus is another codec than mono Opus, and no channels are one."""
    stereo = sent("audio/opus")
    mono = msgspec.structs.replace(stereo, channels=1)
    assert not match_codecs(stereo, mono)
    assert match_codecs(mono, msgspec.structs.replace(stereo, channels=None))


def test_terms() -> None:
    """A track goes by the router's numbers, with rtx and transport-cc where the client has them."""
    terms = consumer_terms(_ROUTER, _ROUTER, "video", sent("video/VP8"))
    assert terms is not None
    assert terms.repairs
    assert [codec.payload_type for codec in terms.codecs] == [101, 102]
    kinds = {feedback.type for feedback in terms.codecs[0].rtcp_feedback}
    assert kinds == {"nack", "ccm", "transport-cc"}
    assert {item.id for item in terms.header_extensions} == {1, 4, 5, 7, 8, 10, 11}


def test_a_client_that_can_less() -> None:
    """Without rtx nothing is repaired, without transport-cc REMB remains, without both nothing does."""
    terms = consumer_terms(_ROUTER, without(_ROUTER, "rtx"), "video", sent("video/VP8"))
    assert terms is not None
    assert not terms.repairs
    remb = without(_ROUTER, "transport-wide-cc")
    terms = consumer_terms(_ROUTER, remb, "video", sent("video/VP8"))
    assert terms is not None
    kinds = {feedback.type for feedback in terms.codecs[0].rtcp_feedback}
    assert "goog-remb" in kinds
    assert "transport-cc" not in kinds
    assert _TRANSPORT_CC not in {item.uri for item in terms.header_extensions}
    terms = consumer_terms(_ROUTER, without(remb, "abs-send-time"), "video", sent("video/VP8"))
    assert terms is not None
    assert {feedback.type for feedback in terms.codecs[0].rtcp_feedback} == {"nack", "ccm"}


def test_extensions_by_number_and_name() -> None:
    """An extension that the client numbers otherwise is not sent: it would be taken for another one."""
    value: dict[str, Any] = msgspec.to_builtins(_ROUTER)
    for item in value["headerExtensions"]:
        item["preferredId"] += 1
    terms = consumer_terms(_ROUTER, parse(RtpCapabilities, value), "video", sent("video/VP8"))
    assert terms is not None
    assert terms.header_extensions == ()


def test_cannot_consume() -> None:
    """A client without the codec gets nothing; rtx alone is no codec."""
    no_vp8 = without(_ROUTER, "VP8")
    assert not can_consume(sent("video/VP8"), no_vp8)
    assert consumer_terms(_ROUTER, no_vp8, "video", sent("video/VP8")) is None
    assert can_consume(sent("audio/opus"), no_vp8)
    assert not can_consume(sent("video/rtx"), _ROUTER)
