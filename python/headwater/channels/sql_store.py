"""Records of channels in SQL.

``save`` notes the newest state of a record and returns; one task writes what is noted. While the
database is away, writing is tried again and again and channels go on: what waits is one record per channel,
and no more than ``LIMIT`` of them (the oldest goes, and is counted).

Where several nodes share the database, a broadcast of one that has died ended when that one was heard of
last: lists say so, whatever the node could not write any more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import fields, replace
from datetime import datetime

from sqlalchemy import Select, String, Text, and_, case, select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Mapped, mapped_column

from headwater.channels.events import State
from headwater.channels.models import ChannelRecord
from headwater.errors import StoreAway
from headwater.storage.database import Database
from headwater.storage.nodes import Lease, NodeRow, has_died
from headwater.storage.tables import Base, UtcTime
from headwater.tasks import Tasks
from headwater.telemetry import get_logger

__all__ = ["ChannelRow", "SqlStore"]

_log = get_logger(__name__)
LIMIT = 10_000
"""Records that may wait for a database that is away."""


class ChannelRow(Base):
    """A channel; the columns are those of `ChannelRecord`."""

    __tablename__ = "channels"

    id: Mapped[str] = mapped_column(String(128), primary_key=True)
    owner: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcTime, index=True)
    slug: Mapped[str | None] = mapped_column(String(64))
    title: Mapped[str] = mapped_column(Text)
    visibility: Mapped[str] = mapped_column(String(16))
    reusable: Mapped[bool]
    state: Mapped[str] = mapped_column(String(16))
    over: Mapped[bool] = mapped_column(index=True)
    went_live_at: Mapped[datetime | None] = mapped_column(UtcTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcTime)
    peak_viewers: Mapped[int]
    links_revoked_at: Mapped[datetime | None] = mapped_column(UtcTime)
    node: Mapped[str] = mapped_column(String(32), server_default="")


class SqlStore:
    """The store over a database.

    Args:
        database: Open; closed by `close`.
        node: Whose store it is; the others are told that it lives, where others may be.
    """

    tables = Base.metadata
    """What a database needs for it."""

    def __init__(self, database: Database, node: str = "") -> None:
        self.lost = 0
        """Records that were never written."""
        self._database = database
        self._waiting: dict[str, ChannelRecord] = {}
        self._changed = asyncio.Event()
        self._written = asyncio.Event()
        self._written.set()
        self._tasks = Tasks()
        self._tasks.spawn(self._write(), name="channel records")
        self._lease = Lease(database, node) if node and database.shared else None

    async def load(self) -> Sequence[ChannelRecord]:
        """Return the channels that are not over, oldest first."""
        return await self._select(select(ChannelRow).where(~ChannelRow.over).order_by(ChannelRow.created_at))

    @property
    def shared(self) -> bool:
        """Whether other nodes may keep theirs here too."""
        return self._database.shared

    async def add(self, record: ChannelRecord) -> bool:
        """Keep a new record at once; while the database is away it waits like any other."""
        try:
            async with asyncio.timeout(_ASK_SECONDS), self._database.session() as session:
                before = await session.get(ChannelRow, record.id, with_for_update=True)
                if before is None:
                    session.add(_row(record))
                elif before.over:
                    await session.merge(_row(record))
                else:
                    return False
        except IntegrityError:  # another node was faster by a moment
            return False
        except (SQLAlchemyError, OSError, TimeoutError):
            self.save(record)
        return True

    def save(self, record: ChannelRecord) -> None:
        """Note a record; it is written soon."""
        self._waiting.pop(record.id, None)
        self._waiting[record.id] = record
        if len(self._waiting) > LIMIT:
            del self._waiting[next(iter(self._waiting))]
            self.lost += 1
        self._written.clear()
        self._changed.set()

    async def settle(self) -> None:
        """Wait until all that was noted is written."""
        await self._written.wait()

    async def find(self, channel_id: str) -> ChannelRecord | None:
        """Look a channel up."""
        if (waiting := self._waiting.get(channel_id)) is not None:
            return waiting
        try:
            async with asyncio.timeout(_ASK_SECONDS):
                found = await self._select(select(ChannelRow).where(ChannelRow.id == channel_id))
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            raise StoreAway("the database does not answer") from error
        return found[0] if found else None

    async def browse(
        self, *, state: State | None, listed: bool, limit: int, offset: int
    ) -> Sequence[ChannelRecord]:
        """Return the channels that are not over, newest first."""
        query = _with_nodes().where(~ChannelRow.over)
        if state is not None:
            query = query.where(case((_LOST, "ended"), else_=ChannelRow.state) == state)
        if listed:
            query = query.where(ChannelRow.visibility == "public", ChannelRow.slug.is_not(None))
        return await self._select_true(query, limit, offset)

    async def history(self, *, limit: int, offset: int = 0) -> Sequence[ChannelRecord]:
        """Return all channels, newest first."""
        if not self.shared:
            newest = select(ChannelRow).order_by(*_NEWEST)
            return await self._select(newest.limit(limit).offset(offset))
        return await self._select_true(_with_nodes(), limit, offset)

    async def close(self) -> None:
        """Write what still waits, for a bounded time, and close the database."""
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self.settle()
        except TimeoutError:
            self.lost += len(self._waiting)
            _log.error("channel records were not written", count=len(self._waiting))
        await self._tasks.close()
        if self._lease is not None:
            await self._lease.close()
        await self._database.close()

    # --- inside ------------------------------------------------------------------------------------

    async def _select(self, query: object) -> list[ChannelRecord]:
        async with self._database.session() as session:
            rows = await session.scalars(query)  # type: ignore[call-overload]
            return [_record(row) for row in rows]

    async def _select_true(
        self, query: Select[ChannelRow, bool, datetime], limit: int, offset: int
    ) -> list[ChannelRecord]:
        """Newest first, without broadcasts of nodes that have died."""
        async with self._database.session() as session:
            found = await session.execute(query.order_by(*_NEWEST).limit(limit).offset(offset))
            return [
                replace(_record(row), state="ended", ended_at=seen_at) if lost else _record(row)
                for row, lost, seen_at in found
            ]

    async def _write(self) -> None:
        wait = _FIRST_WAIT
        while True:
            await self._changed.wait()
            self._changed.clear()
            batch = dict(self._waiting)
            try:
                async with asyncio.timeout(_WRITE_SECONDS), self._database.session() as session:
                    for record in batch.values():
                        await session.merge(_row(record))
            except (SQLAlchemyError, OSError, TimeoutError) as error:
                _log.warning("database: channel records wait", count=len(self._waiting), reason=str(error))
                self._changed.set()
                await asyncio.sleep(wait)
                wait = min(2 * wait, _LONGEST_WAIT)
                continue
            wait = _FIRST_WAIT
            for channel_id, record in batch.items():
                if self._waiting.get(channel_id) is record:
                    del self._waiting[channel_id]
            if not self._waiting:
                self._written.set()


def _with_nodes() -> Select[ChannelRow, bool, datetime]:
    return select(ChannelRow, _LOST, NodeRow.seen_at).outerjoin(NodeRow, NodeRow.name == ChannelRow.node)


def _row(record: ChannelRecord) -> ChannelRow:
    return ChannelRow(**{name: getattr(record, name) for name in _NAMES})


def _record(row: ChannelRow) -> ChannelRecord:
    return ChannelRecord(**{name: getattr(row, name) for name in _NAMES})


_NAMES = tuple(field.name for field in fields(ChannelRecord))
_NEWEST = (ChannelRow.created_at.desc(), ChannelRow.id)
_LOST = and_(ChannelRow.state == "live", has_died())
"""It is on the air by the word of a node that is not there any more."""
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 30.0
_WRITE_SECONDS = 10.0
_ASK_SECONDS = 2.0
"""Somebody waits for the answer."""
_CLOSE_SECONDS = 1.0
