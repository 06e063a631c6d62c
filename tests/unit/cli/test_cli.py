"""The command line: what it prints, and how it fails."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from headwater.auth import DEV_SECRET, TokenAuthority, load_secret
from headwater.cli import main
from headwater.cli.schema import main as schema
from headwater.cli.token import parse_duration
from headwater.config import load_settings
from headwater.errors import ConfigurationError


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ending:
        main(arguments)
    return int(ending.value.code or 0)


def test_token_prints_a_token_of_the_secret_in_force_alone_on_its_last_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    secret, _ = load_secret(tmp_path, None)
    arguments = ("--room", "r", "--identity", "ada", "--name", "Ada", "--role", "viewer", "--ttl", "2m")
    assert run("token", *arguments, "--grant", "subscribe,admin", "--data", str(tmp_path)) == 0
    claims = TokenAuthority(secret).verify(capsys.readouterr().out.splitlines()[-1])
    assert (claims.room, claims.identity, claims.name, claims.role) == ("r", "ada", "Ada", "viewer")
    assert claims.grants == {"subscribe", "admin"}
    assert claims.lifetime == 120


def test_token_makes_the_secret_that_the_first_start_will_use(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("token", "--room", "*", "--identity", "i", "--grant", "admin", "--data", str(tmp_path))
    printed = capsys.readouterr()
    assert "made" in printed.err
    secret, made = load_secret(tmp_path, None)
    assert not made
    assert TokenAuthority(secret).verify(printed.out.strip()).room == "*"


def test_token_signs_with_the_development_secret_when_asked(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run("token", "--dev", "--room", "r", "--identity", "i")
    TokenAuthority(DEV_SECRET).verify(capsys.readouterr().out.strip())


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["token", "--room", "r", "--identity", "i", "--ttl", "soon", "--dev"], "duration"),
        (["token", "--room", "r", "--identity", "i", "--grant", "fly", "--dev"], "grant"),
        (["config", "--port", "99999"], "port"),
        (["serve", "--dev", "--host", "0.0.0.0"], "loopback"),
        (["serve", "--config", "/nowhere.toml"], "not found"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*arguments) == 2
    error = capsys.readouterr().err.strip()
    assert error.startswith("headwater: ")
    assert says in error
    assert len(error.splitlines()) == 1


def test_config_prints_toml_that_config_takes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HEADWATER_LIMITS__ROOMS", "9")
    monkeypatch.setenv("HEADWATER_ICE_SERVERS", '[{"urls": ["turn:t"], "username": "u", "credential": "c"}]')
    assert run("config", "--port", "1234", "--announce", "192.0.2.1", "192.0.2.2") == 0
    text = capsys.readouterr().out
    assert tomllib.loads(text)["limits"]["rooms"] == 9
    path = tmp_path / "again.toml"
    path.write_text(text)
    monkeypatch.delenv("HEADWATER_LIMITS__ROOMS")
    monkeypatch.delenv("HEADWATER_ICE_SERVERS")
    again = load_settings(config=path)
    assert (again.port, again.limits.rooms) == (1234, 9)
    assert again.announce == ["192.0.2.1", "192.0.2.2"]
    assert again.ice_servers[0].username == "u"


@pytest.mark.parametrize("command", [["config"], ["token", "--dev", "--room", "r", "--identity", "i"]])
def test_a_variable_without_effect_is_told_beside_the_output(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*command) == 0
    before = capsys.readouterr()
    monkeypatch.setenv("HEADWATER_PROT", "9000")
    assert run(*command) == 0
    after = capsys.readouterr()
    line = "HEADWATER_PROT is no setting and has no effect; did you mean HEADWATER_PORT?"
    assert line in after.err.splitlines()
    assert line not in before.err + after.out


def test_config_hides_secrets(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("HEADWATER_SECRET", "Zu7!kq0-rW3_vT9.pL2+xD5=nH8/bJ4~")
    run("config")
    printed = capsys.readouterr()
    assert "Zu7" not in printed.out + printed.err
    assert "stars" in printed.err


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("10m", 600), ("2h", 7200), ("7d", 604800), ("5", 5)]
)
def test_durations_have_units(text: str, seconds: int) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "0s", "-1m", "1w", "m", "1.5h", "9999999999s"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError):
        parse_duration(text)


def test_the_published_interfaces_are_those_of_the_code() -> None:
    assert schema(["--check"]) == 0


def test_a_changed_interface_is_noticed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert schema(["--directory", str(tmp_path)]) == 0
    assert schema(["--directory", str(tmp_path), "--check"]) == 0
    for name, word in (
        ("schema/signaling.schema.json", "participant_id"),
        ("docs/reference/settings.md", "8443"),
    ):
        path = tmp_path / name
        before = path.read_text()
        path.write_text(before.replace(word, "x"))
        assert schema(["--directory", str(tmp_path), "--check"]) == 1
        assert f"{name} differs" in capsys.readouterr().err
        path.write_text(before)
