"""Signed addresses open what they were made for, until they expire or are revoked."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.auth import PathSigner, TokenAuthority
from headwater.errors import ConfigurationError, Unauthorized

PREFIX = "/hls/chn_x/"
SECRET = "0123456789abcdef0123456789abcdef-test"


class Clock:
    """A clock that stands still until it is moved."""

    now = 1_800_000_000.25

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def signer(clock: Clock) -> PathSigner:
    return PathSigner(b"k" * 32, now=clock)


def signed(signer: PathSigner, ttl: int = 60) -> dict[str, str]:
    return dict(parse_qsl(signer.sign_path(PREFIX, channel="chn_x", ttl=ttl), strict_parsing=True))


def test_a_signed_address_works_until_it_expires(signer: PathSigner, clock: Clock) -> None:
    query = signed(signer)
    signer.check_path(PREFIX, channel="chn_x", query=query | {"_HLS_msn": "7"})
    clock.now += 59
    signer.check_path(PREFIX, channel="chn_x", query=query)
    clock.now += 1
    with pytest.raises(Unauthorized, match="expired"):
        signer.check_path(PREFIX, channel="chn_x", query=query)


def test_it_opens_nothing_else(signer: PathSigner, clock: Clock) -> None:
    """Neither another path nor another channel, nor with another key, nor longer."""
    query = signed(signer)
    later = str(int(query["expires"]) + 1000)
    attempts = [
        (signer, "/hls/chn_y/", "chn_x", query),
        (signer, PREFIX, "chn_y", query),
        (signer, "/", "chn_x", query),
        (signer, PREFIX, "chn_x", query | {"expires": later}),
        (signer, PREFIX, "chn_x", query | {"issued": later}),
        (signer, PREFIX, "chn_x", {}),
        (PathSigner(b"x" * 32, now=clock), PREFIX, "chn_x", query),
    ]
    for who, prefix, channel, wrong in attempts:
        with pytest.raises(Unauthorized, match="not valid"):
            who.check_path(prefix, channel=channel, query=wrong)


@given(st.dictionaries(st.sampled_from(["issued", "expires", "signature"]), st.text(max_size=60)))
def test_nonsense_is_refused_and_nothing_else_happens(query: dict[str, str]) -> None:
    with pytest.raises(Unauthorized):
        PathSigner(b"k" * 32, now=Clock()).check_path(PREFIX, channel="chn_x", query=query)


def test_revoking_ends_what_was_issued_before_and_nothing_after(signer: PathSigner, clock: Clock) -> None:
    before = signed(signer)
    revoked = datetime.fromtimestamp(clock.now, UTC)
    with pytest.raises(Unauthorized, match="revoked"):
        signer.check_path(PREFIX, channel="chn_x", query=before, revoked_at=revoked)
    clock.now += 0.001
    signer.check_path(PREFIX, channel="chn_x", query=signed(signer), revoked_at=revoked)


@pytest.mark.parametrize("ttl", [0, -1, 24 * 3600 + 1])
def test_no_address_lives_for_ever(signer: PathSigner, ttl: int) -> None:
    with pytest.raises(ConfigurationError):
        signer.sign_path(PREFIX, channel="chn_x", ttl=ttl)


def test_its_key_is_not_that_of_tokens() -> None:
    """Each purpose has a key of its own, made from the one secret, the same after a restart."""
    one, two = TokenAuthority(SECRET), TokenAuthority(SECRET)
    assert one.derive_key("signed paths") == two.derive_key("signed paths")
    assert one.derive_key("signed paths") != one.derive_key("something else")
    assert one.derive_key("signed paths") != TokenAuthority(SECRET + "x").derive_key("signed paths")
