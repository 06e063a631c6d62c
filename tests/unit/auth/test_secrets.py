"""Secrets: made once, private, strong."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from headwater.auth import DEV_SECRET, check_secret, digest, load_api_key_digest, load_secret
from headwater.errors import ConfigurationError


def test_the_first_start_makes_a_private_secret_and_the_second_reads_it(tmp_path: Path) -> None:
    secret, made = load_secret(tmp_path / "data", None)
    assert made
    assert len(bytes.fromhex(secret)) == 32
    assert stat.S_IMODE((tmp_path / "data" / "secret").stat().st_mode) == 0o600
    assert load_secret(tmp_path / "data", None) == (secret, False)


def test_a_secret_that_others_can_read_is_refused(tmp_path: Path) -> None:
    load_secret(tmp_path, None)
    (tmp_path / "secret").chmod(0o644)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        load_secret(tmp_path, None)


@pytest.mark.parametrize(
    "weak",
    [
        "",
        "short",
        "x" * 31,
        "a" * 64,
        "abab" * 16,
        "secret" * 8,
        "changeme" * 5 + "123",
        "password-" * 5,
        DEV_SECRET,
    ],
)
def test_a_weak_or_well_known_secret_is_refused(weak: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        check_secret(weak)
    with pytest.raises(ConfigurationError):
        load_secret(tmp_path, weak)


def test_a_configured_secret_wins_over_the_stored_one(tmp_path: Path) -> None:
    load_secret(tmp_path, None)
    strong = "Zu7!kq0-rW3_vT9.pL2+xD5=nH8/bJ4~"
    assert load_secret(tmp_path, strong) == (strong, False)


def test_the_api_key_is_shown_once_and_kept_as_a_digest(tmp_path: Path) -> None:
    known, key = load_api_key_digest(tmp_path, None)
    assert key is not None
    assert digest(key) == known
    assert key not in (tmp_path / "api-key.sha256").read_text()
    assert load_api_key_digest(tmp_path, None) == (known, None)


def test_a_damaged_api_key_file_says_what_to_do(tmp_path: Path) -> None:
    load_api_key_digest(tmp_path, None)
    (tmp_path / "api-key.sha256").write_text("zz")
    with pytest.raises(ConfigurationError, match="delete it"):
        load_api_key_digest(tmp_path, None)


def test_a_data_directory_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="--data"):
        load_secret(tmp_path / "file" / "data", None)
