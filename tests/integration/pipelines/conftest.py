"""One media thread, and clients that hang up at the end."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from headwater import Router, Worker
from tests.integration.media.conftest import peer

__all__ = ["peer", "router", "small_disk"]


@pytest.fixture
async def router() -> AsyncIterator[Router]:
    """A router of a real Worker on loopback."""
    async with Worker(threads=1, addresses=["127.0.0.1"]) as worker:
        yield await worker.create_router()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 3 MB of its own, which can be filled."""
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
