"""ORTC parameters on the wire: shapes as mediasoup-client has them, and nothing hostile gets in."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.errors import InvalidMessage
from headwater.protocols.mediasoup import (
    DtlsParameters,
    RtpCapabilities,
    RtpParameters,
    SctpStreamParameters,
    Sections,
    host_candidates,
    parse,
    parse_fmtp,
    sending_section,
)
from headwater.protocols.sdp import parse_sdp

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)
_DIGEST = ":".join(["AB"] * 32)


def video(**changes: Any) -> dict[str, Any]:
    """What Chromium produces with mediasoup-client, with `changes`."""
    return {
        "mid": "1",
        "msid": "stream track",
        "codecs": [
            {
                "mimeType": "video/VP8",
                "payloadType": 96,
                "clockRate": 90000,
                "parameters": {},
                "rtcpFeedback": [
                    {"type": "transport-cc", "parameter": ""},
                    {"type": "nack", "parameter": "pli"},
                ],
            },
            {
                "mimeType": "video/rtx",
                "payloadType": 97,
                "clockRate": 90000,
                "parameters": {"apt": 96},
                "rtcpFeedback": [],
            },
        ],
        "headerExtensions": [
            {"uri": "urn:ietf:params:rtp-hdrext:sdes:mid", "id": 4, "encrypt": False, "parameters": {}}
        ],
        "encodings": [
            {"active": True, "rid": "r0", "scalabilityMode": "L1T3", "maxBitrate": 100000, "dtx": False},
            {"active": True, "rid": "r1", "scalabilityMode": "L1T3", "scaleResolutionDownBy": 1},
        ],
        "rtcp": {"cname": "abc", "reducedSize": True},
        **changes,
    }


def test_what_a_browser_produces() -> None:
    """Everything that concerns the server is read, the rest is left out."""
    parameters = parse(RtpParameters, json.dumps(video()))
    assert parameters.codecs[0].mime_type == "video/VP8"
    assert parameters.codecs[1].parameters == {"apt": 96}
    assert [encoding.rid for encoding in parameters.encodings] == ["r0", "r1"]
    assert parameters.rtcp.cname == "abc"
    assert parse(RtpParameters, msgspec.to_builtins(parameters)) == parameters


@pytest.mark.parametrize(
    "hostile",
    [
        {"mid": "1\r\na=fingerprint:x"},
        {"mid": "longer than sixteen"},
        {"msid": "a\nb"},
        {"codecs": []},
        {"codecs": [{"mimeType": "video/VP8\r\n", "payloadType": 96, "clockRate": 90000}]},
        {"codecs": [{"mimeType": "text/html", "payloadType": 96, "clockRate": 90000}]},
        {"codecs": [{"mimeType": "video/VP8", "payloadType": 128, "clockRate": 90000}]},
        {"codecs": [{"mimeType": "video/VP8", "payloadType": 96, "clockRate": 90000}] * 2},
        {"codecs": [{"mimeType": "video/VP8", "payloadType": 96, "clockRate": 9, "parameters": {"a;b": 1}}]},
        {
            "codecs": [
                {"mimeType": "video/VP8", "payloadType": 96, "clockRate": 9, "parameters": {"a": "1;b"}}
            ]
        },
        {"codecs": [{"mimeType": "video/VP8", "payloadType": 96, "clockRate": 9, "parameters": {"a": "\n"}}]},
        {"headerExtensions": [{"uri": "urn:x y", "id": 1}]},
        {"headerExtensions": [{"uri": "urn:x", "id": 1}, {"uri": "urn:y", "id": 1}]},
        {"headerExtensions": [{"uri": "urn:x", "id": 0}]},
        {"encodings": [{"rid": "r0"}, {"rid": "r0"}]},
        {"encodings": [{"rid": "r0;r1"}]},
        {"encodings": [{"ssrc": 1, "rtx": {"ssrc": 1}}]},
        {"encodings": [{"ssrc": 2**32}]},
        {"encodings": [{"rid": f"r{n}"} for n in range(9)]},
        {"encodings": "r0"},
        {"rtcp": {"cname": "a b"}},
    ],
)
def test_hostile_parameters(hostile: dict[str, Any]) -> None:
    """What repeats, is out of range or would break a line of SDP is refused as the client's fault."""
    with pytest.raises(InvalidMessage):
        parse(RtpParameters, video(**hostile))


@given(_JSON)
def test_any_json(value: Any) -> None:
    """Whatever comes is a value or `InvalidMessage`, never another error."""
    for kind in (RtpCapabilities, RtpParameters, DtlsParameters, SctpStreamParameters):
        try:
            parse(kind, json.dumps(value))
        except InvalidMessage:
            continue


_TEXT = st.text(st.characters(codec="utf-8"), max_size=40)


@given(_TEXT, _TEXT, _TEXT, _TEXT, _TEXT)
def test_no_text_breaks_the_description(mid: str, msid: str, cname: str, uri: str, fmtp: str) -> None:
    """What was accepted makes exactly the lines that it should, whatever is in it."""
    codecs = [{"mimeType": "video/VP8", "payloadType": 96, "clockRate": 90000, "parameters": {"x": fmtp}}]
    given_ = video(
        mid=mid,
        msid=msid,
        codecs=codecs,
        encodings=[{"ssrc": 5}],
        rtcp={"cname": cname},
        headerExtensions=[{"uri": uri, "id": 3}],
    )
    try:
        parameters = parse(RtpParameters, given_)
    except InvalidMessage:
        return
    section = sending_section("video", mid, parameters)
    offer = parse_sdp(Sections().offer(None, section))
    assert [media.mid for media in offer.media] == ["data", mid]
    media = offer.media[1]
    assert [name for _, name in media.lines[1:]] == [line[2:] for line in section.lines]
    assert all("\n" not in line and "\r" not in line for line in section.lines)


def test_fingerprints() -> None:
    """Of several digests of a certificate the one that can be computed counts."""
    many = [{"algorithm": "sha-512", "value": "AA:BB"}, {"algorithm": "sha-256", "value": _DIGEST}]
    dtls = parse(DtlsParameters, {"role": "client", "fingerprints": many})
    assert (chosen := dtls.fingerprint()) is not None
    assert chosen.value == _DIGEST
    assert parse(DtlsParameters, {"fingerprints": many[:1]}).fingerprint() is None
    for wrong in (
        [],
        [{"algorithm": "sha-256", "value": "AB\r\nCD"}],
        [{"algorithm": "x y", "value": "AB:CD"}],
    ):
        with pytest.raises(InvalidMessage):
            parse(DtlsParameters, {"fingerprints": wrong})


def test_streams() -> None:
    """A stream is in order unless what it may lose says otherwise; it may not lose in two ways."""
    assert parse(SctpStreamParameters, {"streamId": 0}).is_ordered
    assert not parse(SctpStreamParameters, {"streamId": 0, "maxRetransmits": 1}).is_ordered
    assert parse(SctpStreamParameters, {"streamId": 0, "maxRetransmits": 1, "ordered": True}).is_ordered
    with pytest.raises(InvalidMessage):
        parse(SctpStreamParameters, {"streamId": 0, "maxRetransmits": 1, "maxPacketLifeTime": 1})
    with pytest.raises(InvalidMessage):
        parse(SctpStreamParameters, {"streamId": 65535})


def test_candidates() -> None:
    """UDP comes before TCP, both in the order given; TCP is passive."""
    first, second, third = host_candidates(
        [("192.0.2.1", 8443, "udp"), ("2001:db8::1", 8443, "udp"), ("192.0.2.1", 8443, "tcp")]
    )
    assert first.priority > second.priority > third.priority
    assert (first.protocol, first.tcp_type, third.tcp_type) == ("udp", None, "passive")
    assert len({item.foundation for item in (first, second, third)}) == 3
    assert msgspec.to_builtins(third) == {
        "foundation": "tcp2",
        "priority": third.priority,
        "ip": "192.0.2.1",
        "address": "192.0.2.1",
        "protocol": "tcp",
        "port": 8443,
        "type": "host",
        "tcpType": "passive",
    }


def test_fmtp() -> None:
    """Numbers are numbers, and a level id stays text even when it looks like one."""
    assert parse_fmtp("profile-level-id=420010;packetization-mode=1; x") == {
        "profile-level-id": "420010",
        "packetization-mode": 1,
        "x": "",
    }
    assert parse_fmtp("") == {}
