"""A real Worker on loopback, and clients that hang up at the end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from headwater import Router, Worker
from tests.support.peer import Peer


@pytest.fixture
async def worker() -> AsyncIterator[Worker]:
    async with Worker(threads=2, addresses=["127.0.0.1"]) as worker:
        yield worker


@pytest.fixture
async def router(worker: Worker) -> Router:
    return await worker.create_router()


@pytest.fixture
async def peer() -> AsyncIterator[Callable[[], Peer]]:
    """Makes clients."""
    peers: list[Peer] = []

    def make() -> Peer:
        peers.append(Peer())
        return peers[-1]

    yield make
    for one in peers:
        await one.close()
