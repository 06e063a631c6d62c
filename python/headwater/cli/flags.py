"""The flags that ``serve``, ``config`` and ``doctor`` share; what is not given comes from elsewhere."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from rich.console import Console

from headwater.config import Settings, load_settings, unknown_variables

__all__ = ["NodeFlags", "warn_of_unknown_variables"]

Repeated = Annotated[list[str] | None, Parameter(negative=(), consume_multiple=True)]
Switch = Annotated[bool | None, Parameter(negative=())]


@Parameter(name="*")
@dataclass(frozen=True)
class NodeFlags:
    """Settings of a node; each also as HEADWATER_* in the environment and in the TOML file."""

    host: str | None = None
    """Address of the TCP port; default: every address, with --dev loopback."""
    port: int | None = None
    """The one TCP port and UDP port; default 8443, 0 picks a free one."""
    dev: Switch = None
    """Development: plain HTTP on loopback, no tokens needed, a demo room."""
    data: Path | None = None
    """Directory of the secret and the certificate."""
    database: str | None = None
    """sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME; default: SQLite in the data directory."""
    config: Path | None = None
    """TOML file with settings."""
    threads: int | None = None
    """Media threads; default one per core."""
    max_participants: int | None = None
    """Participants on this node before it refuses; default 4000."""
    max_egress: float | None = None
    """What this node sends at most, Mbit/s: before that, pictures get smaller and newcomers wait."""
    announce: Repeated = None
    """Public address in front of this node; repeatable."""
    announce_only: Switch = None
    """Announce those addresses instead of the local ones."""
    tls_cert: Path | None = None
    """PEM certificate chain; default: self-signed."""
    tls_key: Path | None = None
    """PEM private key."""
    dtls: Literal["1.2", "1.3"] | None = None
    """DTLS version of media connections."""
    heartbeat: Annotated[bool | None, Parameter(name="--heartbeat")] = None
    """Signs of life to clients that ask for them; without, they notice a dead path after seconds."""
    record_decisions: Path | None = None
    """File for what enters media decisions; see `headwater replay`."""
    node: str | None = None
    """Name of this node, part of the ids of its connections and channels; default: one it makes."""
    log_level: Literal["debug", "info", "warning", "error"] | None = None
    """What is logged."""
    log_format: Literal["console", "json"] | None = None
    """How it is logged."""

    def load(self) -> Settings:
        """Read all sources; flags win. What the environment says in vain is told on stderr.

        Raises:
            ConfigurationError: A setting is wrong.
        """
        settings = load_settings(**{field.name: getattr(self, field.name) for field in fields(self)})
        warn_of_unknown_variables()
        return settings


def warn_of_unknown_variables() -> None:
    """Say on stderr which ``HEADWATER_*`` variables have no effect, and what was probably meant.

    A warning, not a mistake: others put such names into the environment too, as Kubernetes does for a
    service that is called headwater.
    """
    for name, meant in unknown_variables(os.environ).items():
        guess = f"; did you mean {meant}?" if meant else ""
        Console(stderr=True, emoji=False).print(
            f"{name} is no setting and has no effect{guess}",
            style="yellow",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )
