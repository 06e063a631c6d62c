"""The database of a node: one engine, sessions, and whether its tables are those of this version.

SQLite is a file of the node's own and is brought up to date at start; a new one gets the tables as they are
now, because Alembic takes longer to load than all the rest of opening it. PostgreSQL may be shared and is
upgraded by ``headwater db upgrade``; a node refuses to start on tables of another version, because it
would find out in the middle of a show.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, MetaData, event, inspect, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from headwater.errors import ConfigurationError
from headwater.storage.address import is_sqlite
from headwater.storage.version import HEAD

__all__ = ["Database"]


class Database:
    """One database.

    Args:
        address: As `database_address` gives it.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._engine = create_async_engine(address, pool_pre_ping=not is_sqlite(address), **_pool(address))
        self._sessions = async_sessionmaker(self._engine, expire_on_commit=False)
        if is_sqlite(address):
            event.listen(self._engine.sync_engine, "connect", _prepare_sqlite)

    def __repr__(self) -> str:
        """Name the database, without its password."""
        return f"<Database {self._engine.url.render_as_string(hide_password=True)}>"

    @property
    def shared(self) -> bool:
        """Whether other nodes may use it too: a PostgreSQL server, but no file of ours."""
        return not is_sqlite(self._address)

    async def open(self, tables: MetaData | None = None) -> None:
        """Connect, and see to it that the tables are those of this version.

        Args:
            tables: Those of this version, for a new file; without them migrations make them.

        Raises:
            ConfigurationError: It cannot be reached, or its tables are of another version.
        """
        found = await self.reach()
        if found is None and tables is not None and is_sqlite(self._address):
            found = await self._create(tables)
        if found != HEAD and is_sqlite(self._address):
            found = await self.upgrade()
        if found != HEAD:
            state = f"has tables of version {found}" if found else "has no tables of ours"
            raise ConfigurationError(f"{self!r} {state}; run: headwater db upgrade --database URL")

    async def reach(self) -> str | None:
        """Connect, and return the version of the tables; ``None`` when there are none.

        Raises:
            ConfigurationError: It cannot be reached.
        """
        try:
            if is_sqlite(self._address):
                _create_private(self._address)
            async with asyncio.timeout(_CONNECT_SECONDS), self._engine.connect() as connection:
                return await connection.run_sync(_version)
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            raise ConfigurationError(f"{self!r} cannot be used: {_first_line(error)}") from error

    async def _create(self, tables: MetaData) -> str | None:
        """Fill a file that has no tables at all."""

        def create(connection: Connection) -> str | None:
            if inspect(connection).get_table_names():
                return None
            tables.create_all(connection)
            connection.execute(text(_VERSION_TABLE))
            connection.execute(text("INSERT INTO alembic_version VALUES (:head)"), {"head": HEAD})
            return HEAD

        try:
            async with self._engine.begin() as connection:
                return await connection.run_sync(create)
        except (SQLAlchemyError, OSError) as error:
            raise ConfigurationError(f"{self!r} cannot be used: {_first_line(error)}") from error

    async def upgrade(self) -> str:
        """Bring the tables to this version, and return it.

        Raises:
            ConfigurationError: They are of a version that this one does not know, or cannot be changed.
        """
        from headwater.storage.upgrade import upgrade  # Alembic is needed for this alone

        try:
            async with self._engine.begin() as connection:
                await connection.run_sync(upgrade)
                return await connection.run_sync(_version) or ""
        except (SQLAlchemyError, OSError) as error:
            raise ConfigurationError(f"{self!r} cannot be upgraded: {_first_line(error)}") from error

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncSession]:
        """Begin a transaction; it is committed at the end of the block, unless that fails."""
        async with self._sessions.begin() as session:
            yield session

    async def close(self) -> None:
        """Let go of all connections; twice is fine."""
        await self._engine.dispose()


def _pool(address: str) -> dict[str, Any]:
    """Few connections: nothing here is on the way of a packet or of a join."""
    return {} if is_sqlite(address) else {"pool_size": 4, "max_overflow": 4, "pool_timeout": 10}


def _prepare_sqlite(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", "busy_timeout=5000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _create_private(address: str) -> None:
    """Make the file readable by its owner alone before SQLite makes it readable by everybody."""
    path = Path(address.partition(":///")[2].partition("?")[0])
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return found


def _first_line(error: BaseException) -> str:
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    return (str(cause) or type(cause).__name__).splitlines()[0]


_CONNECT_SECONDS = 10.0
_VERSION_TABLE = (
    "CREATE TABLE alembic_version"
    " (version_num VARCHAR(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
)
"""As Alembic makes it."""
