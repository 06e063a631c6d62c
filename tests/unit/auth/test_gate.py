"""The gate: who passes with what."""

from __future__ import annotations

import pytest

from headwater.auth import Gate, TokenAuthority, digest, parse_bearer
from headwater.errors import Forbidden, Unauthorized

AUTHORITY = TokenAuthority("0123456789abcdef0123456789abcdef-test")
KEY = "hwk_key"


@pytest.fixture
def gate() -> Gate:
    return Gate(authority=AUTHORITY, api_key_digest=digest(KEY))


@pytest.fixture
def open_house() -> Gate:
    return Gate(authority=AUTHORITY, api_key_digest=None, open_house=True)


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic abc", "abc", "Bearer a b", "bearer\tx y"])
def test_a_header_that_is_no_bearer_token_is_unauthorized(header: str) -> None:
    with pytest.raises(Unauthorized):
        parse_bearer(header)


def test_the_scheme_is_case_insensitive() -> None:
    assert parse_bearer("bEaReR abc") == "abc"
    assert parse_bearer(None) is None


def test_without_a_token_nobody_passes_but_in_an_open_house(gate: Gate, open_house: Gate) -> None:
    with pytest.raises(Unauthorized):
        gate.claims(None)
    assert open_house.claims(None) is None


def test_a_wrong_token_does_not_pass_even_in_an_open_house(open_house: Gate) -> None:
    with pytest.raises(Unauthorized):
        open_house.claims("x.y.z")


def test_a_token_for_another_room_is_forbidden(gate: Gate) -> None:
    token = AUTHORITY.mint(room="a", identity="i")
    gate.room_claims(f"Bearer {token}", "a")
    with pytest.raises(Forbidden):
        gate.room_claims(f"Bearer {token}", "b")


def test_administration_takes_the_api_key_or_an_admin_token_for_all_rooms(gate: Gate) -> None:
    gate.require_admin(f"Bearer {KEY}")
    gate.require_admin(f"Bearer {AUTHORITY.mint(room='*', identity='i', grants=['admin'])}")
    for room, grants in (("*", ["publish"]), ("a", ["admin"])):
        with pytest.raises(Forbidden):
            gate.require_admin(f"Bearer {AUTHORITY.mint(room=room, identity='i', grants=grants)}")
    for header in (None, "Bearer wrong", "Bearer "):
        with pytest.raises(Unauthorized):
            gate.require_admin(header)


def test_an_open_house_has_no_api_key(open_house: Gate) -> None:
    open_house.require_admin(None)
    assert not open_house.is_api_key("")
    assert not open_house.is_api_key(KEY)
