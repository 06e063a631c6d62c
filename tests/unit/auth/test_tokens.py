"""Tokens: what is minted verifies, and nothing else does."""

from __future__ import annotations

import base64
import hmac
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.auth import TokenAuthority
from headwater.auth.tokens import LEEWAY, Claims
from headwater.errors import ConfigurationError, Forbidden, Unauthorized

SECRET = "0123456789abcdef0123456789abcdef-test"
NOW = 1_800_000_000


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def sign(header: Any, claims: Any, secret: str = SECRET, digest: str = "sha256") -> str:
    """Write a JWT by hand, so that the library under test is not its own witness."""
    signed = f"{b64(json.dumps(header).encode())}.{b64(json.dumps(claims).encode())}"
    return f"{signed}.{b64(hmac.new(secret.encode(), signed.encode(), digest).digest())}"


HEADER = {"alg": "HS256", "typ": "JWT"}
CLAIMS: dict[str, Any] = {
    "iss": "headwater", "aud": "headwater", "sub": "ada", "room": "r", "role": "participant",
    "grants": ["publish"], "nbf": NOW, "exp": NOW + 600, "jti": "id",
}  # fmt: skip


def without(key: str) -> dict[str, Any]:
    return {k: v for k, v in CLAIMS.items() if k != key}


def unsigned(header: Any) -> str:
    return f"{b64(json.dumps(header).encode())}.{b64(json.dumps(CLAIMS).encode())}."


GOOD = sign(HEADER, CLAIMS)
HEAD, BODY, TAIL = GOOD.split(".")

FORGED: dict[str, str] = {
    "empty": "",
    "blank": "   ",
    "one part": HEAD,
    "two parts": f"{HEAD}.{BODY}",
    "four parts": f"{GOOD}.x",
    "five parts, as JWE": f"{GOOD}.x.y",
    "dots only": "..",
    "not base64": "!!!.???.***",
    "not ascii": "é.ü.ö",
    "nul bytes": "\0.\0.\0",
    "lone surrogate": "\ud800.a.b",
    "signature missing": f"{HEAD}.{BODY}.",
    "signature cut": GOOD[:-4],
    "signature of another secret": sign(HEADER, CLAIMS, "another-secret-another-secret-another"),
    "signature by an empty secret": sign(HEADER, CLAIMS, ""),
    "alg none": unsigned({"alg": "none", "typ": "JWT"}),
    "alg None": unsigned({"alg": "None"}),
    "alg NONE": unsigned({"alg": "NONE"}),
    "alg none with a good signature": sign({"alg": "none"}, CLAIMS),
    "alg missing": sign({"typ": "JWT"}, CLAIMS),
    "alg null": sign({"alg": None}, CLAIMS),
    "alg a number": sign({"alg": 256}, CLAIMS),
    "alg a list": sign({"alg": ["HS256"]}, CLAIMS),
    "alg HS384": sign({"alg": "HS384"}, CLAIMS, digest="sha384"),
    "alg HS512": sign({"alg": "HS512"}, CLAIMS, digest="sha512"),
    "alg RS256": sign({"alg": "RS256"}, CLAIMS),
    "alg ES256": sign({"alg": "ES256"}, CLAIMS),
    "alg in lower case": sign({"alg": "hs256"}, CLAIMS),
    "crit unknown": sign({"alg": "HS256", "crit": ["x"], "x": 1}, CLAIMS),
    "b64 false": sign({"alg": "HS256", "b64": False, "crit": ["b64"]}, CLAIMS),
    "key in header": sign({"alg": "HS256", "jwk": {"kty": "oct", "k": b64(b"x" * 32)}}, CLAIMS, "x" * 32),
    "header a list": sign([], CLAIMS),
    "header a string": sign("HS256", CLAIMS),
    "header no json": f"{b64(b'{')}.{BODY}.{TAIL}",
    "body changed": f"{HEAD}.{b64(json.dumps({**CLAIMS, 'room': 'other'}).encode())}.{TAIL}",
    "body a list": sign(HEADER, []),
    "body a string": sign(HEADER, "x"),
    "body null": sign(HEADER, None),
    "body empty": sign(HEADER, {}),
    "iss missing": sign(HEADER, without("iss")),
    "iss wrong": sign(HEADER, {**CLAIMS, "iss": "livekit"}),
    "aud missing": sign(HEADER, without("aud")),
    "aud wrong": sign(HEADER, {**CLAIMS, "aud": "other"}),
    "aud a list": sign(HEADER, {**CLAIMS, "aud": ["headwater"]}),
    "sub missing": sign(HEADER, without("sub")),
    "sub empty": sign(HEADER, {**CLAIMS, "sub": ""}),
    "sub a number": sign(HEADER, {**CLAIMS, "sub": 7}),
    "sub endless": sign(HEADER, {**CLAIMS, "sub": "x" * 300}),
    "room missing": sign(HEADER, without("room")),
    "room a list": sign(HEADER, {**CLAIMS, "room": ["r"]}),
    "role missing": sign(HEADER, without("role")),
    "role unknown": sign(HEADER, {**CLAIMS, "role": "root"}),
    "role a list": sign(HEADER, {**CLAIMS, "role": ["host"]}),
    "grants missing": sign(HEADER, without("grants")),
    "grants a string": sign(HEADER, {**CLAIMS, "grants": "admin"}),
    "grants unknown": sign(HEADER, {**CLAIMS, "grants": ["everything"]}),
    "grants nested": sign(HEADER, {**CLAIMS, "grants": [["admin"]]}),
    "name a number": sign(HEADER, {**CLAIMS, "name": 1}),
    "jti missing": sign(HEADER, without("jti")),
    "exp missing": sign(HEADER, without("exp")),
    "exp a string": sign(HEADER, {**CLAIMS, "exp": str(NOW + 600)}),
    "exp true": sign(HEADER, {**CLAIMS, "exp": True}),
    "exp infinite": sign(HEADER, {**CLAIMS, "exp": float("inf")}),
    "exp not a number": sign(HEADER, {**CLAIMS, "exp": float("nan")}),
    "exp beyond reason": sign(HEADER, {**CLAIMS, "exp": 10**30}),
    "expired": sign(HEADER, {**CLAIMS, "exp": NOW - LEEWAY}),
    "nbf missing": sign(HEADER, without("nbf")),
    "nbf negative": sign(HEADER, {**CLAIMS, "nbf": -1}),
    "not valid yet": sign(HEADER, {**CLAIMS, "nbf": NOW + LEEWAY + 1}),
    "too long": sign(HEADER, {**CLAIMS, "x": "y" * 10_000}),
    "deep": f"{HEAD}.{b64(b'[' * 5000)}.{TAIL}",
}


@pytest.fixture
def authority() -> TokenAuthority:
    return TokenAuthority(SECRET, now=lambda: NOW)


def test_a_minted_token_verifies_with_all_its_claims(authority: TokenAuthority) -> None:
    token = authority.mint(room="r", identity="ada", name="Ada", role="host", grants=["admin"], ttl=60)
    claims = authority.verify(token)
    assert (claims.room, claims.identity, claims.name, claims.role) == ("r", "ada", "Ada", "host")
    assert claims.grants == {"admin"}
    assert (claims.expires_at, claims.lifetime) == (NOW + 60, 60)


def test_a_token_written_by_another_program_verifies(authority: TokenAuthority) -> None:
    assert authority.verify(GOOD).identity == "ada"


@pytest.mark.parametrize("token", FORGED.values(), ids=FORGED.keys())
def test_a_forged_token_is_unauthorized_and_nothing_worse(authority: TokenAuthority, token: str) -> None:
    with pytest.raises(Unauthorized):
        authority.verify(token)


def test_there_are_at_least_forty_forgeries() -> None:
    assert len(FORGED) >= 40


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(GOOD) - 1), st.characters())
def test_one_changed_character_makes_a_token_invalid_or_leaves_it_the_same(at: int, char: str) -> None:
    changed = GOOD[:at] + char + GOOD[at + 1 :]
    authority = TokenAuthority(SECRET, now=lambda: NOW)
    try:
        claims = authority.verify(changed)
    except Unauthorized:
        return
    # The last base64 digit has unused bits, so another digit there can mean the same signature.
    assert changed == GOOD or at == len(GOOD) - 1
    assert claims == authority.verify(GOOD)


@settings(max_examples=300, deadline=None)
@given(st.text())
def test_any_text_is_unauthorized(text: str) -> None:
    with pytest.raises(Unauthorized):
        TokenAuthority(SECRET, now=lambda: NOW).verify(text)


def test_leeway_forgives_half_a_minute_both_ways(authority: TokenAuthority) -> None:
    assert LEEWAY <= 60
    authority.verify(sign(HEADER, {**CLAIMS, "exp": NOW - LEEWAY + 1}))
    authority.verify(sign(HEADER, {**CLAIMS, "nbf": NOW + LEEWAY}))


def test_another_accepted_secret_verifies_too_but_does_not_sign() -> None:
    both = TokenAuthority("s" * 20 + SECRET, also_accepted=[SECRET], now=lambda: NOW)
    assert both.verify(GOOD).room == "r"
    with pytest.raises(Unauthorized):
        TokenAuthority(SECRET, now=lambda: NOW).verify(both.mint(room="r", identity="i"))


def test_a_refreshed_token_is_the_same_but_newer() -> None:
    now = [float(NOW)]
    authority = TokenAuthority(SECRET, now=lambda: now[0])
    first = authority.verify(authority.mint(room="r", identity="ada", ttl=100))
    now[0] += 90
    second = authority.verify(authority.refresh(first))
    assert second.expires_at == first.expires_at + 90
    assert (second.grants, second.room, second.identity) == (first.grants, first.room, first.identity)
    assert second.token_id != first.token_id


@pytest.mark.parametrize(
    ("role", "grants"),
    [
        ("host", {"publish", "subscribe"}),
        ("participant", {"publish", "subscribe"}),
        ("viewer", {"subscribe"}),
    ],
)
def test_a_role_brings_its_grants_and_never_administration(
    authority: TokenAuthority, role: Any, grants: set[str]
) -> None:
    assert authority.verify(authority.mint(room="r", identity="i", role=role)).grants == grants


@pytest.mark.parametrize(
    "wrong",
    [
        {"role": "root"},
        {"grants": ["fly"]},
        {"ttl": 0},
        {"identity": ""},
        {"room": ""},
        {"name": "x" * 300},
    ],
)
def test_a_token_that_no_verifier_takes_is_not_minted(authority: TokenAuthority, wrong: Any) -> None:
    with pytest.raises(ConfigurationError):
        authority.mint(**{"room": "r", "identity": "i", **wrong})


def test_claims_are_bound_to_their_room(authority: TokenAuthority) -> None:
    claims: Claims = authority.verify(GOOD)
    claims.require_room("r")
    with pytest.raises(Forbidden):
        claims.require_room("other")
    authority.verify(sign(HEADER, {**CLAIMS, "room": "*"})).require_room("other")


def test_a_missing_grant_is_forbidden_not_unauthorized(authority: TokenAuthority) -> None:
    claims = authority.verify(GOOD)
    claims.require("publish")
    with pytest.raises(Forbidden):
        claims.require("admin")
