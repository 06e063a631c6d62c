"""Session descriptions: cut into sections, looked up, written back; strangers' input is bounded."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.errors import InvalidSdp
from headwater.protocols.sdp import parse_sdp
from headwater.protocols.sdp.session import MAX_LENGTH

OFFER = "\r\n".join(
    [
        "v=0",
        "o=- 1 2 IN IP4 127.0.0.1",
        "a=ice-ufrag:abcd",
        "m=audio 9 UDP/TLS/RTP/SAVPF 111 63",
        "a=ice-pwd:in another section",
        "a=mid:0",
        "a=sendonly",
        "a=rtcp-mux",
        "m=video 7/2 UDP/TLS/RTP/SAVPF 96",
        "a=ice-ufrag:efgh",
        "a=ice-pwd:secret",
        "a=rtcp-fb:96 nack",
        "a=rtcp-fb:96 nack pli",
        "",
    ]
)


def test_sections() -> None:
    """m-lines, attributes, flags and directions are found where they stand."""
    offer = parse_sdp(OFFER)
    audio, video = offer.media
    assert (audio.kind, audio.port, audio.protocol, audio.formats) == (
        "audio",
        9,
        "UDP/TLS/RTP/SAVPF",
        ["111", "63"],
    )
    assert (audio.mid, audio.direction, audio.attribute("rtcp-mux")) == ("0", "sendonly", "")
    assert (video.mid, video.direction, video.port) == (None, "sendrecv", 7)
    assert list(video.attributes("rtcp-fb")) == ["96 nack", "96 nack pli"]


def test_credentials_come_in_pairs() -> None:
    """ICE credentials are those of one section, not mixed from two."""
    assert parse_sdp(OFFER).ice_credentials() == ("efgh", "secret")
    assert parse_sdp("v=0\na=ice-ufrag:abcd\n").ice_credentials() is None


def test_written_back() -> None:
    """What was parsed is written back as it was, and bare LF becomes CRLF."""
    written = str(parse_sdp(OFFER.replace("\r\n", "\n")))
    assert written == OFFER.replace("7/2", "7")


@pytest.mark.parametrize(
    "text",
    ["", "hello", "o=- 1 2", "v=1\r\n", "v=0\r\nm=audio 9\r\n", "v=0\r\nm=audio x RTP/AVP 0\r\n",
     "v=0\r\nm=audio 70000 RTP/AVP 0\r\n", "v=0\r\nm=audio ²3 RTP/AVP 0\r\n", "v=0\r\nab=c\r\n",
     "v=0\r\n=c\r\n", "v=0\r\n" + "a" * MAX_LENGTH],
)  # fmt: skip
def test_not_a_description(text: str) -> None:
    """What is not SDP is the remote's error."""
    with pytest.raises(InvalidSdp):
        parse_sdp(text)


@given(st.text())
def test_any_text(text: str) -> None:
    """Any text is parsed or refused; nothing else is raised."""
    with contextlib.suppress(InvalidSdp):
        parse_sdp("v=0\r\n" + text)


@given(st.text(alphabet="v=0mao \r\n-:/9x"))
def test_parse_and_write_agree(text: str) -> None:
    """What was accepted is accepted again after writing, with the same sections."""
    try:
        session = parse_sdp("v=0\n" + text)
    except InvalidSdp:
        return
    again = parse_sdp(str(session))
    assert (again.lines, again.media) == (session.lines, session.media)
