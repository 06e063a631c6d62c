"""The address of a database, as people write it, and as SQLAlchemy wants it."""

from __future__ import annotations

from pathlib import Path

from headwater.errors import ConfigurationError

__all__ = ["database_address", "is_sqlite"]


def database_address(given: str, data: Path) -> str:
    """Return the address of the database in use.

    Args:
        given: ``sqlite:///relative.db``, ``sqlite:////absolute.db`` or ``postgresql://user:password@host/name``;
            empty for SQLite in the data directory.
        data: The data directory.

    Raises:
        ConfigurationError: It is neither.
    """
    if not given:
        return f"{_SQLITE}:///{(data / FILE).absolute()}"
    scheme, separator, rest = given.partition("://")
    driver = _DRIVERS.get(scheme)
    if not separator or driver is None:
        raise ConfigurationError("a database is sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME")
    if driver == _SQLITE and (not rest.strip("/") or ":memory:" in rest):
        raise ConfigurationError(
            "a SQLite database is a file: sqlite:///relative.db or sqlite:////absolute.db"
        )
    return f"{driver}://{rest}"


def is_sqlite(address: str) -> bool:
    """Whether the database is a file of ours, which we keep up to date ourselves."""
    return address.startswith(_SQLITE)


FILE = "headwater.db"
_SQLITE = "sqlite+aiosqlite"
_POSTGRESQL = "postgresql+asyncpg"
_DRIVERS = {
    "sqlite": _SQLITE, _SQLITE: _SQLITE,
    "postgresql": _POSTGRESQL, "postgres": _POSTGRESQL, _POSTGRESQL: _POSTGRESQL,
}  # fmt: skip
