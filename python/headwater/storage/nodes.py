"""Which nodes that share a database are alive: each says so again and again, and whoever is silent is not.

A *lease*: a node's row holds when it spoke last, by the database's clock, so nobody's own clock matters. It
speaks every ``RENEW_SECONDS`` and is taken for dead ``LEASE_SECONDS`` after its last word. What was written
of a dead node's doings stays as it is; whoever reads it asks here whether it can still be true.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, String, delete, func, insert, or_, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Mapped, mapped_column

from headwater.storage.database import Database
from headwater.storage.tables import Base, UtcTime
from headwater.tasks import Tasks
from headwater.telemetry import get_logger

__all__ = ["Lease", "NodeRow", "has_died"]

_log = get_logger(__name__)
RENEW_SECONDS = 3.0
LEASE_SECONDS = 10.0


class NodeRow(Base):
    """A node that uses this database, and when it was heard of last."""

    __tablename__ = "nodes"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    seen_at: Mapped[datetime] = mapped_column(UtcTime)


class Lease:
    """A node's word that it lives, renewed until it is closed.

    Args:
        database: Open, and shared with other nodes.
        node: Its name.
    """

    def __init__(self, database: Database, node: str) -> None:
        self._database = database
        self._node = node
        self._tasks = Tasks()
        self._tasks.spawn(self._renew(), name="node lease")

    async def close(self) -> None:
        """Say goodbye, as far as the database lets us."""
        await self._tasks.close()
        try:
            async with asyncio.timeout(_CLOSE_SECONDS), self._database.session() as session:
                await session.execute(delete(NodeRow).where(NodeRow.name == self._node))
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            _log.warning("database: this node's lease runs out by itself", reason=str(error))

    async def _renew(self) -> None:
        while True:
            try:
                async with asyncio.timeout(LEASE_SECONDS):
                    await self._speak()
            except (SQLAlchemyError, OSError, TimeoutError) as error:
                _log.warning("database: this node's lease waits", reason=str(error))
            await asyncio.sleep(RENEW_SECONDS)

    async def _speak(self) -> None:
        async with self._database.session() as session:
            mine = update(NodeRow).where(NodeRow.name == self._node).values(seen_at=func.now())
            found = await session.scalar(mine.returning(NodeRow.name))
            if found is None:
                await session.execute(insert(NodeRow).values(name=self._node, seen_at=func.now()))
                await session.execute(delete(NodeRow).where(NodeRow.seen_at < func.now() - _FORGOTTEN))


def has_died() -> ColumnElement[bool]:
    """Whether the node of a row, joined from the outside, is not alive."""
    return or_(NodeRow.name.is_(None), NodeRow.seen_at < func.now() - timedelta(seconds=LEASE_SECONDS))


_CLOSE_SECONDS = 1.0
_FORGOTTEN = timedelta(days=1)
"""Nodes whose names are not used again are forgotten."""
