"""One media thread, and clients that hang up at the end."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from headwater import Router, Worker
from tests.integration.media.conftest import peer

__all__ = ["peer", "router"]


@pytest.fixture
async def router() -> AsyncIterator[Router]:
    """A router of a real Worker on loopback."""
    async with Worker(threads=1, addresses=["127.0.0.1"]) as worker:
        yield await worker.create_router()
