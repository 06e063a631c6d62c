"""A real Worker on loopback, and clients that hang up at the end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from headwater import Router, Worker
from headwater.media.placement import DEFAULT_SPREAD
from tests.support.peer import Peer


@pytest.fixture(params=["one-thread", "two-threads"])
async def worker(request: pytest.FixtureRequest) -> AsyncIterator[Worker]:
    """Two media threads; a room keeps to one of them, or its members alternate between both."""
    spread = DEFAULT_SPREAD if request.param == "one-thread" else 0
    async with Worker(threads=2, addresses=["127.0.0.1"], spread=spread) as worker:
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
