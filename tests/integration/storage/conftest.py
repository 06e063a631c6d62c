"""Both databases that are supported, empty."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from headwater.storage.address import database_address
from tests.support.postgresql import Postgresql, postgresql


@pytest.fixture(scope="module")
def server() -> Iterator[Postgresql]:
    with postgresql() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """What a person would give to ``--database``."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/a folder/kept.db"
    server: Postgresql = request.getfixturevalue("server")
    return server.new_database()


@pytest.fixture
def address(url: str, tmp_path: Path) -> str:
    return database_address(url, tmp_path)
