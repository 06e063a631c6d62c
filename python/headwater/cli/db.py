"""``headwater db``: the tables of a database that nodes share."""

from __future__ import annotations

import asyncio
from pathlib import Path

import cyclopts
from rich.console import Console

from headwater.config import load_settings
from headwater.storage.address import database_address
from headwater.storage.database import Database
from headwater.storage.version import HEAD

__all__ = ["app"]

app = cyclopts.App(name="db", help="The database of a node.")


@app.command
def upgrade(*, database: str | None = None, data: Path | None = None, config: Path | None = None) -> None:
    """Bring the tables to this version of Headwater; nodes of an older one should be stopped before.

    Args:
        database: postgresql://USER:PASSWORD@HOST/NAME or sqlite:///FILE; default: as `serve` would use.
        data: The node's data directory.
        config: The node's TOML file.
    """
    settings = load_settings(config=config, data=data, database=database)
    given = settings.database.get_secret_value() if settings.database else ""
    before, after = asyncio.run(_upgrade(database_address(given, settings.data)))
    said = f"is at version {after} already" if before == after else f"was brought to version {after}"
    Console(emoji=False).print(f"The database {said}.", highlight=False)


async def _upgrade(address: str) -> tuple[str | None, str]:
    database = Database(address)
    try:
        before = await database.reach()
        return before, HEAD if before == HEAD else await database.upgrade()
    finally:
        await database.close()
