"""WHIP and WHEP on the wire: fragments, header fields, restarts."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.errors import InvalidSdp
from headwater.protocols import whip
from headwater.protocols.sdp import parse_sdp

# RFC 9725 section 4.3.2, in shape.
TRICKLE = """a=group:BUNDLE 0 1\r
m=audio 9 UDP/TLS/RTP/SAVPF 111\r
a=mid:0\r
a=ice-ufrag:EsAw\r
a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r
a=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host generation 0 ufrag EsAw network-id 1\r
a=candidate:3471623853 1 udp 2122194687 198.51.100.2 61765 typ host generation 0 ufrag EsAw network-id 2\r
a=end-of-candidates\r
"""

OFFER = """v=0\r
o=- 1 2 IN IP4 127.0.0.1\r
s=-\r
t=0 0\r
a=group:BUNDLE 0 1\r
m=audio 9 UDP/TLS/RTP/SAVPF 111\r
a=mid:0\r
a=ice-ufrag:EsAw\r
a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r
a=candidate:1 1 udp 1 192.0.2.1 9 typ host\r
a=fingerprint:sha-256 00\r
m=video 9 UDP/TLS/RTP/SAVPF 96\r
a=mid:1\r
a=ice-ufrag:EsAw\r
a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r
a=end-of-candidates\r
"""


def test_a_trickled_fragment_gives_credentials_candidates_and_their_end() -> None:
    fragment = whip.parse_fragment(TRICKLE)
    assert (fragment.ufrag, fragment.pwd) == ("EsAw", "P2uYro0UCOQ4zxjKXaWCBui1")
    assert [c.split()[4] for c in fragment.candidates] == ["192.0.2.1", "198.51.100.2"]
    assert all(c.startswith("candidate:") for c in fragment.candidates)
    assert fragment.end_of_candidates


def test_line_ends_may_be_plain() -> None:
    assert whip.parse_fragment(TRICKLE.replace("\r", "")) == whip.parse_fragment(TRICKLE)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\r\n",
        "hello",
        "{}",
        "m=audio 9 X 0",
        "a=ice-ufrag:x",
        "a=ice-pwd:x\r\na=mid:0",
        "a=candidate:x\n" * 200,
    ],
)
def test_a_fragment_that_says_nothing_or_nonsense_is_invalid(text: str) -> None:
    with pytest.raises(InvalidSdp):
        whip.parse_fragment(text)


@given(st.text())
def test_any_text_is_a_fragment_or_invalid(text: str) -> None:
    with contextlib.suppress(InvalidSdp):
        whip.parse_fragment(text)


def test_a_restart_replaces_credentials_everywhere_and_drops_candidates() -> None:
    pwd = "n" * 24
    restarted = whip.with_credentials(OFFER, ufrag="new1", pwd=pwd)
    description = parse_sdp(restarted)
    assert {m.attribute("ice-ufrag") for m in description.media} == {"new1"}
    assert {m.attribute("ice-pwd") for m in description.media} == {pwd}
    assert "a=candidate" not in restarted
    assert "a=end-of-candidates" not in restarted
    assert description.media[0].attribute("fingerprint") == "sha-256 00"


@pytest.mark.parametrize(
    ("ufrag", "pwd"),
    [("x", "n" * 24), ("good", "short"), ("a b c", "n" * 24), ("good", "n" * 24 + "\r\na=x")],
)
def test_malformed_credentials_never_reach_an_offer(ufrag: str, pwd: str) -> None:
    with pytest.raises(InvalidSdp):
        whip.with_credentials(OFFER, ufrag=ufrag, pwd=pwd)


def test_the_answer_to_a_restart_carries_credentials_and_all_candidates() -> None:
    fragment = whip.fragment_of_answer(OFFER)
    parsed = whip.parse_fragment(fragment)
    assert (parsed.ufrag, len(parsed.candidates), parsed.end_of_candidates) == ("EsAw", 1, True)
    assert "m=audio" in fragment
    assert "a=mid:0" in fragment


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, True),
        ("", True),
        ("*/*", True),
        ("application/sdp", True),
        ("Application/SDP", True),
        ("application/*", True),
        ("text/html, application/sdp;q=0.5", True),
        ("text/html", False),
        ("application/sdp;q=0", False),
        ("application/sdp;q=0, */*", False),
        ("application/json, */*;q=0", False),
        ("application/sdp;q=x", False),
    ],
)
def test_accept_is_read_as_http_says(header: str | None, expected: bool) -> None:
    assert whip.accepts(header, whip.SDP) is expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [("application/sdp", True), ("application/sdp; charset=utf-8", True), ("APPLICATION/SDP", True),
     (None, False), ("", False), ("text/plain", False), ("application/sdpx", False)],
)  # fmt: skip
def test_content_type_is_compared_without_parameters(header: str | None, expected: bool) -> None:
    assert whip.is_media_type(header, whip.SDP) is expected


def test_if_match_compares_strongly() -> None:
    tag = whip.entity_tag("u", "p")
    assert tag == whip.entity_tag("u", "p") != whip.entity_tag("u", "q")
    assert whip.matches(tag, tag) == "current"
    assert whip.matches(f'"x", {tag}', tag) == "current"
    assert whip.matches(f"W/{tag}", tag) == "other"
    assert whip.matches('"x"', tag) == "other"
    assert whip.matches("*", tag) == whip.matches('"*"', tag) == "any"


def test_ice_servers_become_links_and_only_turn_gets_credentials() -> None:
    links = whip.link_header(
        ["stun:s.example", "turn:t.example?transport=udp"], username='u"1', credential="c"
    )
    assert links[0] == '<stun:s.example>; rel="ice-server"'
    assert links[1] == (
        '<turn:t.example?transport=udp>; rel="ice-server"; username="u\\"1"; credential="c"; '
        'credential-type="password"'
    )
