"""A Worker over the simulated core, and a room on it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from headwater import Router
from headwater.testing import FakeWorker
from tests.support.virtual_time import VirtualLoop


def pytest_asyncio_loop_factories(
    item: pytest.Item,
) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """What counts rounds has time of its own."""
    return {"loop": VirtualLoop if item.path.stem == "test_stats_feed" else asyncio.new_event_loop}


@pytest.fixture
async def worker() -> AsyncIterator[FakeWorker]:
    async with FakeWorker() as worker:
        yield worker


@pytest.fixture
async def router(worker: FakeWorker) -> Router:
    return await worker.create_router()
