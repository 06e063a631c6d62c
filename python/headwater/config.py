"""Every setting of a node, from one source.

Precedence: command-line flags, then ``HEADWATER_*`` environment variables, then the TOML file of
``--config``, then the defaults below. Nested values use two underscores in the environment
(``HEADWATER_LIMITS__ROOMS=50``) and a table in TOML (``[limits]``); lists there are comma-separated
(``HEADWATER_ANNOUNCE=203.0.113.5,2001:db8::5``) or JSON. ``headwater config`` prints the result with
secrets hidden. A ``HEADWATER_*`` variable that is no setting has no effect; `unknown_variables` finds it.
"""

from __future__ import annotations

import ipaddress
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from headwater.errors import ConfigurationError
from headwater.loopback import is_loopback

__all__ = [
    "DEFAULT_PORT",
    "IceServer",
    "Limits",
    "OverloadSettings",
    "Settings",
    "load_settings",
    "unknown_variables",
]

DEFAULT_PORT = 8443
"""One TCP port and the UDP port of the same number."""


def _default_data() -> Path:
    """Where a node keeps its secret and certificate: the XDG data directory."""
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "headwater"


def _listed(value: Any) -> Any:
    """Split what an environment variable lists; other sources bring lists."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        return json.loads(value)
    return [item.strip() for item in value.split(",") if item.strip()]


_HEIGHT_BOUNDS = {"ge": 144, "le": 2160}
_Heights = Annotated[
    list[Annotated[int, Field(multiple_of=2, **_HEIGHT_BOUNDS)]], NoDecode, BeforeValidator(_listed)
]
_TextList = Annotated[list[str], NoDecode, BeforeValidator(_listed)]


class Limits(BaseModel):
    """Bounds on what others may ask for. Sizes in bytes, times in seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    message_bytes: int = Field(
        default=64 * 1024, ge=1024, le=16 * 1024 * 1024, description="one signalling frame"
    )
    sdp_bytes: int = Field(default=64 * 1024, ge=1024, le=1024 * 1024, description="one session description")
    answer_bytes: int = Field(
        default=1024 * 1024, ge=1024, le=16 * 1024 * 1024, description="an answer to an offer of ours"
    )
    media_lines: int = Field(default=512, ge=2, le=4096, description="m-lines of one session description")
    body_bytes: int = Field(default=1024 * 1024, ge=1024, le=1024**3, description="one HTTP request body")
    name_length: int = Field(default=256, ge=1, le=4096, description="characters of a name or identity")
    send_queue: int = Field(default=512, ge=16, le=65536, description="messages waiting for one slow client")
    rooms: int = Field(default=1000, ge=1, description="meetings kept at once")
    participants: int = Field(default=100, ge=1, description="participants in one room")
    tracks: int = Field(default=16, ge=1, le=256, description="tracks one participant publishes")
    data_channels: int = Field(default=16, ge=1, le=256, description="data channels one participant opens")
    channels: int = Field(default=10_000, ge=1, description="channels kept at once")
    viewers: int = Field(default=10_000, ge=1, description="viewers of one channel by WebRTC")
    broadcast_grace_seconds: float = Field(
        default=10.0, ge=0, le=3600, description="a broadcaster whose connection was lost may come back"
    )
    resume_seconds: float = Field(
        default=20.0, ge=0, le=600, description="grace of a lost signalling connection"
    )
    empty_room_seconds: float = Field(default=30.0, ge=0, description="an empty room gives its router back")
    unused_meeting_seconds: float = Field(
        default=24 * 3600.0, ge=1, description="a meeting nobody is in is forgotten"
    )


class OverloadSettings(BaseModel):
    """When the node gives up layers and refuses newcomers: parts of a core, or of ``max_egress``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    busy: float = Field(default=0.90, gt=0, le=1, description="from here on there is too much to do")
    recovery: float = Field(default=0.72, gt=0, le=1, description="below this there is room again")

    @model_validator(mode="after")
    def _ordered(self) -> OverloadSettings:
        if self.recovery > self.busy:
            raise ValueError("recovery must not be above busy")
        return self


class HlsSettings(BaseModel):
    """How live channels are packaged for HLS. Times in seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = Field(default=True, description="package every live channel")
    container: Literal["ts", "cmaf"] = Field(
        default="ts", description="segments as MPEG-TS or fragmented MP4"
    )
    low_latency: bool = Field(
        default=False, description="fragmented MP4 in parts that are served before their segment is whole"
    )
    part_seconds: float = Field(default=0.35, ge=0.1, le=1, description="longest part, with low_latency")
    segment_seconds: float = Field(default=2.0, ge=0.5, le=10, description="length of a segment")
    window: int = Field(default=6, ge=3, le=1000, description="segments in a playlist")
    dvr_seconds: float = Field(default=0, ge=0, le=24 * 3600, description="how far viewers may rewind")
    grace_seconds: float = Field(
        default=30.0, ge=0, le=24 * 3600, description="segments stay this long after a broadcast"
    )
    height: int = Field(default=720, ge=144, le=2160, description="lines of pictures that are transcoded")
    ladder: _Heights = Field(
        default_factory=list,
        max_length=6,
        description="heights in which pictures are encoded besides, such as 720,360; none: no ladder",
    )
    least_free: int = Field(
        default=64 * 1024 * 1024, ge=0, description="bytes of the disk that packaging leaves free"
    )
    cors: str = Field(default="*", description="web origin that may play; empty: none but ours")
    ffmpeg: Path | None = Field(default=None, description="the FFmpeg to use; none: the one that is found")

    @field_validator("ladder")
    @classmethod
    def _different(cls, heights: list[int]) -> list[int]:
        if len(set(heights)) < len(heights):
            raise ValueError("each height once")
        return heights


class IceServer(BaseModel):
    """A STUN or TURN server handed to clients."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    urls: list[str] = Field(min_length=1)
    username: str | None = None
    credential: str | None = None

    @field_validator("urls")
    @classmethod
    def _schemes(cls, urls: list[str]) -> list[str]:
        for url in urls:
            if url.partition(":")[0] not in ("stun", "stuns", "turn", "turns") or any(
                c in url for c in '<>" \r\n'
            ):
                raise ValueError(f"not a STUN or TURN URL: {url!r}")
        return urls


class Settings(BaseSettings):
    """The settings of one node."""

    model_config = SettingsConfigDict(
        env_prefix="HEADWATER_", env_nested_delimiter="__", extra="forbid", frozen=True, toml_file=None
    )

    dev: bool = Field(default=False, description="development: plain HTTP on loopback, no tokens needed")
    host: str = Field(default="", description="address of the TCP port; empty: loopback with --dev, else all")
    port: int = Field(
        default=DEFAULT_PORT, ge=0, le=65535, description="the TCP port and the UDP port; 0: any free one"
    )
    data: Path = Field(default_factory=_default_data, description="directory of secret and certificate")
    database: SecretStr | None = Field(
        default=None,
        description="sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME; none: SQLite in `data`",
    )
    threads: int = Field(default=0, ge=0, le=256, description="media threads; 0: one per core")
    spread: int = Field(
        default=50, ge=0, description="transports of a room on one media thread before it takes another"
    )
    max_participants: int = Field(
        default=4000, ge=1, description="participants on this node; more are refused"
    )
    max_egress: float = Field(
        default=0, ge=0, description="what this node sends at most, Mbit/s; 0: as much as it can"
    )
    hear_all: int = Field(
        default=12, ge=0, description="microphones of a room heard one by one; of more the loudest alone"
    )
    voice_slots: int = Field(
        default=4, ge=1, le=16, description="voices heard at once where only the loudest are"
    )
    dtls: Literal["1.2", "1.3"] = Field(default="1.2", description="DTLS version of media connections")
    announce: _TextList = Field(default_factory=list, description="public addresses in front of this node")
    announce_only: bool = Field(
        default=False, description="announce those addresses instead of the local ones"
    )
    tls_cert: Path | None = Field(default=None, description="PEM certificate chain; none: self-signed")
    tls_key: Path | None = Field(default=None, description="PEM private key")
    node: str = Field(
        default="",
        pattern=r"^[A-Za-z0-9_-]{0,32}$",
        description="name of this node, told by the ids it makes; empty: random, and told by no channel",
    )
    secret: SecretStr | None = Field(
        default=None, description="signs tokens; none: made in the data directory"
    )
    api_key: SecretStr | None = Field(
        default=None, description="for creating meetings; none: made at first start"
    )
    allowed_origins: _TextList = Field(default_factory=list, description="web origins besides our own")
    embed_origins: _TextList = Field(
        default_factory=list, description="web origins besides our own that may show the player; `*`: any"
    )
    ice_servers: list[IceServer] = Field(
        default_factory=list, description="STUN and TURN servers for clients"
    )
    heartbeat: bool = Field(
        default=True, description="four small datagrams a second to clients that ask for a sign of life"
    )
    record_decisions: Path | None = Field(
        default=None, description="file in which all that enters media decisions is written down"
    )
    record_limit: int = Field(
        default=256 * 1024 * 1024, ge=1024 * 1024, description="bytes after which that record ends"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="what is logged"
    )
    log_format: Literal["console", "json"] = Field(default="console", description="how it is logged")
    limits: Limits = Field(default_factory=Limits)
    overload: OverloadSettings = Field(default_factory=OverloadSettings)
    hls: HlsSettings = Field(default_factory=HlsSettings)

    @field_validator("announce")
    @classmethod
    def _addresses(cls, addresses: list[str]) -> list[str]:
        return [str(ipaddress.ip_address(a)) for a in addresses]

    @field_validator("embed_origins")
    @classmethod
    def _origins(cls, origins: list[str]) -> list[str]:
        for origin in origins:
            if origin != "*" and not _ORIGIN.fullmatch(origin):
                raise ValueError(f"not a web origin, such as https://site.example: {origin!r}")
        return [origin.lower() for origin in origins]

    @model_validator(mode="after")
    def _consistent(self) -> Settings:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("tls_cert and tls_key go together")
        if self.announce_only and not self.announce:
            raise ValueError("announce_only needs at least one announce address")
        if self.dev and not is_loopback(self.host or "127.0.0.1"):
            raise ValueError(
                "dev works without tokens, so it serves loopback only; leave --dev out to serve other hosts"
            )
        return self

    @property
    def bind_hosts(self) -> tuple[str, ...]:
        """Addresses of the TCP listener."""
        if self.host:
            return (self.host,)
        return ("127.0.0.1", "::1") if self.dev else ("0.0.0.0", "::")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources; the TOML file comes from ``load_settings``."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)


def load_settings(*, config: Path | None = None, **overrides: Any) -> Settings:
    """Read the settings from all sources.

    Args:
        config: TOML file; also ``HEADWATER_CONFIG``.
        overrides: Values of command-line flags; ``None`` means "not given".

    Raises:
        ConfigurationError: A value is wrong, unknown, or contradicts another.
    """
    if config is None and (named := os.environ.get("HEADWATER_CONFIG")):
        config = Path(named)
    if config is not None and not config.is_file():
        raise ConfigurationError(f"configuration file not found: {config}")

    class _FromFile(Settings):
        model_config = SettingsConfigDict(toml_file=config)

    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        return _FromFile(**given)
    except ValidationError as error:
        raise ConfigurationError(_explain(error)) from error
    except (ValueError, OSError) as error:  # broken TOML, unreadable file, bad JSON in a variable
        raise ConfigurationError(str(error)) from error


def unknown_variables(environment: Mapping[str, str]) -> dict[str, str | None]:
    """Find ``HEADWATER_*`` variables that no part of this program reads.

    Args:
        environment: The process's, as in ``os.environ``.

    Returns:
        The name of each, with the one that was probably meant, if there is one like it.
    """
    prefix = str(Settings.model_config["env_prefix"])
    known = {f"{prefix}{path.replace('.', '__')}".upper() for path in _paths(Settings)} | _OTHER_VARIABLES
    tables = tuple(f"{name}__" for name in known)  # whose entries are checked with the settings
    unknown = [
        name
        for name in sorted(environment)
        if name.upper().startswith(prefix)
        and name.upper() not in known
        and not name.upper().startswith(tables)
    ]
    meant = {
        name: _nearest(name.upper().removeprefix(prefix), (k.removeprefix(prefix) for k in known))
        for name in unknown
    }
    return {name: guess and f"{prefix}{guess}" for name, guess in meant.items()}


def _paths(model: type[BaseModel]) -> Iterator[str]:
    """Every setting, those of tables as ``table.name``."""
    for name, field in model.model_fields.items():
        yield name
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from (f"{name}.{inner}" for inner in _paths(field.annotation))


def _nearest(name: str, known: Iterable[str]) -> str | None:
    return next(iter(get_close_matches(name, sorted(known), n=1, cutoff=_ALIKE)), None)


def _explain(error: ValidationError) -> str:
    lines = []
    for item in error.errors(include_url=False, include_input=False):
        where = ".".join(str(part) for part in item["loc"])
        line = f"{where}: {item['msg']}" if where else item["msg"].removeprefix("Value error, ")
        meant = _nearest(where, _paths(Settings)) if item["type"] == "extra_forbidden" else None
        lines.append(f"{line}; did you mean {meant}?" if meant else line)
    return "; ".join(lines)


_ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?", re.IGNORECASE)
"""What a page's ``Origin`` says, and what may stand in a ``frame-ancestors``."""
_OTHER_VARIABLES = {"HEADWATER_CONFIG", "HEADWATER_LOAD", "HEADWATER_LOAD_TOKEN"}
"""Read elsewhere: the settings file, and what `headwater bench` passes on."""
_ALIKE = 0.7
"""How like each other two names must be, 0 to 1, for one to be a slip of the other."""
