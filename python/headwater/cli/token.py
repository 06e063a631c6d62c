"""``headwater token``: print a token for the secret in force."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console

from headwater.auth import DEV_SECRET, Role, TokenAuthority, load_secret
from headwater.cli.flags import warn_of_unknown_variables
from headwater.config import load_settings
from headwater.errors import ConfigurationError

__all__ = ["parse_duration", "token"]

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def token(
    *,
    room: str,
    identity: str,
    name: str | None = None,
    role: Role = "participant",
    grant: Annotated[list[str] | None, Parameter(negative=())] = None,
    ttl: str = "10m",
    data: Path | None = None,
    config: Path | None = None,
    dev: Annotated[bool | None, Parameter(negative=())] = None,
) -> None:
    """Print a token alone on the last line.

    Args:
        room: Id of a meeting or channel, or '*' for administrative grants.
        identity: Who it is for.
        name: What others see.
        role: What the person is in the room.
        grant: Comma-separated: publish, subscribe, view, data, admin, record; default: those of the role.
        ttl: How long it is valid, such as 90s, 10m, 2h or 7d.
        data: The node's data directory.
        config: The node's TOML file.
        dev: Sign with the development secret.
    """
    settings = load_settings(config=config, data=data, dev=dev)
    warn_of_unknown_variables()
    if settings.dev:
        secret = DEV_SECRET
    else:
        configured = settings.secret.get_secret_value() if settings.secret else None
        secret, made = load_secret(settings.data, configured)
        if made:
            Console(stderr=True, emoji=False).print(
                f"No secret was there yet; one was made in {settings.data / 'secret'}.", highlight=False
            )
    grants = None if grant is None else [g.strip() for item in grant for g in item.split(",") if g.strip()]
    print(
        TokenAuthority(secret).mint(
            room=room, identity=identity, name=name, role=role, grants=grants, ttl=parse_duration(ttl)
        )
    )


def parse_duration(text: str) -> int:
    """Read a duration such as ``90s``, ``10m``, ``2h``, ``7d`` or plain seconds.

    Raises:
        ConfigurationError: It is none.
    """
    found = re.fullmatch(r"([0-9]{1,9})([smhd]?)", text.strip())
    if found is None or int(found[1]) == 0:
        raise ConfigurationError(f"not a duration: {text!r}; write it as 90s, 10m, 2h or 7d")
    return int(found[1]) * _UNITS.get(found[2] or "s", 1)
