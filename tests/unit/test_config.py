"""Settings: one source made of four, in order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from headwater.config import load_settings, unknown_variables
from headwater.errors import ConfigurationError


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in list(os.environ):
        if name.startswith("HEADWATER_"):
            monkeypatch.delenv(name)


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    path = tmp_path / "headwater.toml"
    path.write_text('port = 1001\nnode = "file"\nthreads = 3\n[limits]\nrooms = 5\n')
    return path


def test_flags_win_over_environment_over_file_over_defaults(
    toml: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADWATER_PORT", "1002")
    monkeypatch.setenv("HEADWATER_NODE", "environment")
    settings = load_settings(config=toml, port=1003, host=None)
    assert (settings.port, settings.node, settings.threads) == (1003, "environment", 3)
    assert (settings.limits.rooms, settings.limits.participants) == (5, 100)


def test_nested_settings_come_from_the_environment_with_two_underscores(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HEADWATER_LIMITS__ROOMS", "7")
    monkeypatch.setenv("HEADWATER_ICE_SERVERS", '[{"urls": ["stun:example.org"]}]')
    settings = load_settings()
    assert settings.limits.rooms == 7
    assert settings.ice_servers[0].urls == ["stun:example.org"]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("203.0.113.5", ["203.0.113.5"]),
        ("203.0.113.5, 2001:db8::5", ["203.0.113.5", "2001:db8::5"]),
        ('["203.0.113.5"]', ["203.0.113.5"]),
        ("", []),
    ],
)
def test_lists_in_the_environment_are_written_plainly_or_as_json(
    monkeypatch: pytest.MonkeyPatch, text: str, meant: list[str]
) -> None:
    monkeypatch.setenv("HEADWATER_ANNOUNCE", text)
    assert load_settings().announce == meant


@pytest.mark.parametrize(("text", "meant"), [("", []), ("720,360", [720, 360]), ("[480]", [480])])
def test_a_ladder_in_the_environment(monkeypatch: pytest.MonkeyPatch, text: str, meant: list[int]) -> None:
    monkeypatch.setenv("HEADWATER_HLS__LADDER", text)
    assert load_settings().hls.ladder == meant


@pytest.mark.parametrize("text", ["example", "[203.0.113.5"])
def test_a_wrong_list_in_the_environment_names_its_setting(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("HEADWATER_ANNOUNCE", text)
    with pytest.raises(ConfigurationError, match="announce"):
        load_settings()


def test_the_file_may_be_named_in_the_environment(toml: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADWATER_CONFIG", str(toml))
    assert load_settings().port == 1001


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"port": 70000}, "port"),
        ({"port": "many"}, "port"),
        ({"announce": ["example.org"]}, "announce"),
        ({"announce_only": True}, "announce"),
        ({"tls_cert": "a.pem"}, "tls_key"),
        ({"dev": True, "host": "0.0.0.0"}, "loopback"),
        ({"node": "a.b"}, "node"),
        ({"ice_servers": [{"urls": ["http://x"]}]}, "ice_servers"),
        ({"ice_servers": [{"urls": ['stun:x>; rel="next"']}]}, "ice_servers"),
        ({"limits": {"rooms": 0}}, "rooms"),
        ({"limits": {"unknown": 1}}, "unknown"),
        ({"hls": {"ladder": "720,many"}}, "hls.ladder"),
        ({"hls": {"ladder": [720, 100]}}, "hls.ladder"),
        ({"hls": {"ladder": [361]}}, "hls.ladder"),
        ({"hls": {"ladder": [720, 720]}}, "each height once"),
        ({"colour": "blue"}, "colour"),
    ],
)
def test_a_wrong_setting_is_one_error_that_names_it(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        load_settings(**wrong)


def test_a_file_that_is_missing_or_broken_or_unknown_is_one_error(tmp_path: Path) -> None:
    for name, text in (("broken.toml", "port = = 1"), ("unknown.toml", "colour = 1")):
        (tmp_path / name).write_text(text)
        with pytest.raises(ConfigurationError):
            load_settings(config=tmp_path / name)
    with pytest.raises(ConfigurationError, match="not found"):
        load_settings(config=tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("HEADWATER_PROT", "HEADWATER_PORT"),
        ("HEADWATER_SECERT", "HEADWATER_SECRET"),
        ("headwater_announces", "HEADWATER_ANNOUNCE"),
        ("HEADWATER_LIMIT__ROOMS", "HEADWATER_LIMITS__ROOMS"),
        ("HEADWATER_CONFG", "HEADWATER_CONFIG"),
        ("HEADWATER_SERVICE_HOST", None),
    ],
)
def test_a_mistyped_variable_is_found_with_what_was_meant(written: str, meant: str | None) -> None:
    assert unknown_variables({written: "1", "PATH": "/bin"}) == {written: meant}


def test_a_variable_that_is_read_is_not_taken_for_a_slip() -> None:
    read = ["HEADWATER_PORT", "headwater_port", "HEADWATER_LIMITS", "HEADWATER_LIMITS__ROOMS"]
    assert unknown_variables(dict.fromkeys([*read, "HEADWATER_CONFIG", "HEADWATER_LOAD"], "1")) == {}


def test_a_slip_inside_a_table_is_one_error_with_what_was_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADWATER_LIMITS__ROOM", "5")
    with pytest.raises(ConfigurationError, match=r"limits\.room: .*; did you mean limits\.rooms\?"):
        load_settings()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1", "::ffff:127.0.0.1", "dev.localhost"])
def test_development_serves_every_name_of_this_machine(host: str) -> None:
    assert load_settings(dev=True, host=host).host == host


def test_development_serves_loopback_and_production_every_address() -> None:
    assert load_settings(dev=True).bind_hosts == ("127.0.0.1", "::1")
    assert load_settings().bind_hosts == ("0.0.0.0", "::")
    assert load_settings(dev=True, host="localhost").bind_hosts == ("localhost",)


def test_secrets_do_not_show_when_settings_are_printed() -> None:
    settings = load_settings(secret="Zu7!kq0-rW3_vT9.pL2+xD5=nH8/bJ4~")
    assert "Zu7" not in repr(settings)
    assert "Zu7" not in settings.model_dump_json()
