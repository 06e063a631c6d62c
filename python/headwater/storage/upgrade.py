"""Running the migrations that the package carries."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection

from headwater.errors import ConfigurationError

__all__ = ["newest", "upgrade"]

_MIGRATIONS = Path(__file__).resolve().parent.parent / "migrations"


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Bring the tables to a revision, in the transaction of this connection.

    Raises:
        ConfigurationError: They are of a version that this one does not know.
    """
    config = _config()
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, revision)
    except CommandError as error:
        raise ConfigurationError(f"the database is of a newer version of Headwater: {error}") from error


def newest() -> str | None:
    """Return the newest revision that the package carries."""
    return ScriptDirectory.from_config(_config()).get_current_head()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
