"""A channels service over the simulated core, in time of its own: no grace period depends on the machine."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from headwater.channels import ChannelOptions, Channels
from headwater.cluster import Endpoints
from headwater.config import Limits
from headwater.testing import FakeWorker
from tests.support.virtual_time import VirtualLoop

LIMITS = Limits(broadcast_grace_seconds=0.05, channels=5, viewers=3)


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], VirtualLoop]]:
    """Seconds pass when nobody has anything else to do."""
    return {"virtual": VirtualLoop}


@pytest.fixture
async def worker() -> AsyncIterator[FakeWorker]:
    async with FakeWorker() as worker:
        yield worker


@pytest.fixture
def endpoints() -> Endpoints:
    return Endpoints(node="test", limit=10)


@pytest.fixture
async def channels(worker: FakeWorker, endpoints: Endpoints) -> AsyncIterator[Channels]:
    service = Channels(
        worker=worker,
        endpoints=endpoints,
        options=ChannelOptions(limits=LIMITS),
        taken=lambda name: name == "a-meeting",
    )
    yield service
    await service.close()
