"""A Worker over the simulated core, and a room on it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from headwater import Router
from headwater.testing import FakeWorker


@pytest.fixture
async def worker() -> AsyncIterator[FakeWorker]:
    async with FakeWorker() as worker:
        yield worker


@pytest.fixture
async def router(worker: FakeWorker) -> Router:
    return await worker.create_router()
