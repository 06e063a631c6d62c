"""SQLite and PostgreSQL, real ones: tables, versions, and records of channels that outlive the process."""

from __future__ import annotations

import asyncio
import signal
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect, text

from headwater.channels import ChannelRecord
from headwater.channels.events import State
from headwater.channels.sql_store import SqlStore
from headwater.errors import ConfigurationError
from headwater.ids import ChannelId
from headwater.storage.address import database_address, is_sqlite
from headwater.storage.database import Database
from headwater.storage.tables import Base
from headwater.storage.upgrade import newest, upgrade
from headwater.storage.version import HEAD
from tests.support.postgresql import postgresql

NOW = datetime(2026, 11, 21, 20, 15, 0, 123456, UTC)


def record(name: str, **more: object) -> ChannelRecord:
    """A channel's record."""
    return replace(ChannelRecord(ChannelId(name), "ada", NOW, title="Früh: 金曜日 🎬"), **more)  # type: ignore[arg-type]


async def run(command: list[str]) -> str:
    """What a program says; it has to succeed."""
    child = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    said, _ = await child.communicate()
    assert child.returncode == 0
    return said.decode()


@pytest.fixture
async def database(address: str) -> AsyncIterator[Database]:
    """Open, with the tables of this version."""
    database = Database(address)
    if not is_sqlite(address):
        await database.upgrade()
    await database.open()
    yield database
    await database.close()


async def test_records_come_back_as_they_were(database: Database) -> None:
    """Text, times with their zone, nothing at all; of many changes the newest."""
    store = SqlStore(database)
    kept = record(
        "friday-show", slug="friday-show", reusable=True, visibility="private", peak_viewers=41,
        went_live_at=NOW, ended_at=NOW + timedelta(hours=1), state="ended",
    )  # fmt: skip
    for viewers in range(42):
        store.save(replace(kept, peak_viewers=viewers))
    store.save(record("chn_over", over=True, created_at=NOW + timedelta(seconds=1)))
    await store.settle()
    assert await store.load() == [kept]
    assert await store.find("friday-show") == kept
    assert (await store.find("chn_over")) == record(
        "chn_over", over=True, created_at=NOW + timedelta(seconds=1)
    )
    assert await store.find("chn_nothing") is None
    assert [found.id for found in await store.history(limit=10)] == ["chn_over", "friday-show"]
    assert [found.id for found in await store.history(limit=1, offset=1)] == ["friday-show"]
    await store.close()


async def test_one_name_is_kept_once(database: Database) -> None:
    """Two nodes that make a channel of one name at the same time: one of them is told; lists are the same."""
    ours, theirs = SqlStore(database), SqlStore(database)
    names = [f"show-{number}" for number in range(10)]
    for name in names:
        kept = [store.add(record(name, slug=name, visibility="public")) for store in (ours, theirs)]
        if database.shared:
            assert sorted(await asyncio.gather(*kept)) == [False, True]
        else:
            assert [await one for one in kept] == [True, False]
    ours.save(record("show-3", slug="show-3", over=True))
    await ours.settle()
    assert await theirs.add(record("show-3", slug="show-3", visibility="private"))
    listed = await ours.browse(state=None, listed=True, limit=100, offset=0)
    assert {one.id for one in listed} == set(names) - {"show-3"}
    await theirs._tasks.close()
    await ours.close()


async def test_lists_do_not_believe_the_dead(database: Database) -> None:
    """A show on a node that speaks is live; when it has fallen silent the show ended with its last word."""
    if not database.shared:
        return  # no other node can have written anything
    ours, theirs = SqlStore(database, "a"), SqlStore(database, "b")
    theirs.save(record("show-b", node="b", state="live", slug="show-b"))
    ours.save(record("show-z", node="z", state="live", created_at=NOW + timedelta(seconds=1)))
    await asyncio.gather(ours.settle(), theirs.settle())

    async def browse(state: State | None, store: SqlStore = ours) -> list[tuple[str, str]]:
        found = await store.browse(state=state, listed=False, limit=100, offset=0)
        return [(one.id, one.state) for one in found]

    async with asyncio.timeout(30):
        while await browse("live") != [("show-b", "live")]:
            pass  # the first words are on their way
    assert await browse(None) == [("show-z", "ended"), ("show-b", "live")]

    assert theirs._lease is not None
    await theirs._lease._tasks.close()  # as a kill does
    silent = text(
        "UPDATE nodes SET seen_at = seen_at - interval '11 seconds' WHERE name = 'b' RETURNING seen_at"
    )
    async with database._engine.begin() as connection:
        last_word = (await connection.execute(silent)).scalar_one()
    assert await browse("live") == []
    assert await browse("ended") == [("show-z", "ended"), ("show-b", "ended")]
    _, ended = await ours.history(limit=10)
    assert (ended.id, ended.state, ended.ended_at) == ("show-b", "ended", last_word)
    await theirs._tasks.close()
    await ours.close()
    again = Database(database._address)
    async with again._engine.connect() as connection:
        left = (await connection.execute(text("SELECT name FROM nodes"))).scalars().all()
    assert left == ["b"], "who says goodbye leaves nothing"
    await again.close()


async def test_the_migrations_make_the_tables_that_the_code_declares(database: Database) -> None:
    """No column was forgotten in either, and the version the code asks for is the newest there is."""

    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, Base.metadata))

    async with database._engine.connect() as connection:
        assert await connection.run_sync(differences) == []
    assert newest() == HEAD == await database.reach()
    assert Base.metadata.tables.keys() == {"channels", "nodes"}


async def test_a_new_file_gets_what_migrations_would_have_made(tmp_path: Path) -> None:
    """Tables, indexes and version are the same, without waiting for Alembic; a file in use is migrated."""

    def tables(connection: Connection) -> object:
        found = inspect(connection)
        described = {
            name: (found.get_columns(name), found.get_indexes(name), found.get_pk_constraint(name))
            for name in found.get_table_names()
        }
        return repr(described)

    made = []
    for folder, given in ((tmp_path / "new", SqlStore.tables), (tmp_path / "migrated", None)):
        database = Database(database_address("", folder))
        await database.open(given)
        async with database._engine.connect() as connection:
            made.append(await connection.run_sync(tables))
        await database.close()
        again = Database(database_address("", folder))
        await again.open(SqlStore.tables)
        assert await again.reach() == HEAD
        await again.close()
    assert made[0] == made[1]


async def test_a_database_of_a_later_version_is_left_alone(database: Database, address: str) -> None:
    """Neither a start nor an upgrade touches tables that this version does not know."""
    async with database._engine.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    other = Database(address)
    with pytest.raises(ConfigurationError):
        await other.open()
    await other.close()
    with pytest.raises(ConfigurationError, match="newer version"):
        await database.upgrade()
    assert await database.reach() == "9999"


async def test_a_failing_upgrade_changes_nothing(address: str) -> None:
    """All migrations happen in one transaction."""
    database = Database(address)
    await database.reach()

    def break_off(connection: Connection) -> None:
        upgrade(connection)
        raise ArithmeticError

    with pytest.raises(ArithmeticError):
        async with database._engine.begin() as connection:
            await connection.run_sync(break_off)
    await database.close()
    if not is_sqlite(address):  # SQLite's driver commits before it changes tables
        again = Database(address)
        assert await again.reach() is None
        await again.close()


async def test_an_empty_postgresql_is_upgraded_by_command_alone(url: str, address: str) -> None:
    """Starting says what to do; the command does it, once; SQLite needs no command."""
    database = Database(address)
    if is_sqlite(address):
        await database.open()
    else:
        with pytest.raises(ConfigurationError, match="headwater db upgrade"):
            await database.open()
    await database.close()
    command = [sys.executable, "-m", "headwater", "db", "upgrade", "--database", url]
    said = [await run(command) for _ in range(2)]
    assert "already" in said[1]
    assert ("already" in said[0]) is is_sqlite(address)
    database = Database(address)
    await database.open()
    await database.close()


async def test_a_sqlite_file_is_its_owners_alone(tmp_path: Path) -> None:
    """Nobody else on the machine reads it; the folder is made when it is missing."""
    database = Database(database_address("", tmp_path / "data"))
    await database.open()
    file = tmp_path / "data" / "headwater.db"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    await database.close()


async def test_what_cannot_be_reached_is_said_without_the_password(tmp_path: Path) -> None:
    """The message names the database and the reason."""
    for given in ("postgresql://ada:s3cr3t@127.0.0.1:9/x", f"sqlite:///{tmp_path}"):
        database = Database(database_address(given, tmp_path))
        with pytest.raises(ConfigurationError, match="cannot be used") as error:
            await database.open()
        assert "s3cr3t" not in str(error.value)
        await database.close()


async def test_channels_do_not_wait_for_a_database_that_is_away(tmp_path: Path) -> None:
    """While it is stopped saving goes on as before; when it answers again, everything is written."""
    with postgresql() as server:
        address = database_address(server.new_database(), tmp_path)
        database = Database(address)
        await database.upgrade()
        store = SqlStore(database)
        store.save(record("one"))
        await store.settle()
        server.pause()
        for number in range(100):
            store.save(record(f"chn_{number}"))
        assert (await store.find("chn_99")) == record("chn_99")
        server.resume()
        async with asyncio.timeout(30):
            await store.settle()
        assert len(await store.history(limit=1000)) == 101
        assert store.lost == 0
        await store.close()


async def test_a_killed_process_loses_nothing_that_was_written(tmp_path: Path) -> None:
    """SQLite keeps what was committed when the process is killed."""
    code = (
        "import asyncio, os, signal, sys\n"
        "from tests.integration.storage.test_database import *\n"
        "async def main():\n"
        "    database = Database(sys.argv[1])\n"
        "    await database.open()\n"
        "    store = SqlStore(database)\n"
        "    store.save(record('friday-show'))\n"
        "    await store.settle()\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "asyncio.run(main())"
    )
    address = database_address("", tmp_path)
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", code, address)
    assert await child.wait() == -signal.SIGKILL
    database = Database(address)
    await database.open()
    store = SqlStore(database)
    assert await store.load() == [record("friday-show")]
    await store.close()
