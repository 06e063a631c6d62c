"""A rooms service over the simulated core, in time of its own: no grace period depends on the machine."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from headwater.cluster import Endpoints
from headwater.config import Limits
from headwater.meetings.rooms import RoomOptions, RoomsService
from headwater.testing import FakeWorker
from tests.support.virtual_time import VirtualLoop

LIMITS = Limits(resume_seconds=0.2, empty_room_seconds=0.1, participants=4, tracks=3, data_channels=2)


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], VirtualLoop]]:
    """Seconds pass when nobody has anything else to do."""
    return {"virtual": VirtualLoop}


@pytest.fixture(autouse=True)
def _no_settling(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody connects over the simulated core unless a test says so."""
    monkeypatch.setattr("headwater.meetings.rooms.subscriptions.SETTLE_SECONDS", 0.0)


@pytest.fixture
async def worker() -> AsyncIterator[FakeWorker]:
    async with FakeWorker() as worker:
        yield worker


@pytest.fixture
def endpoints() -> Endpoints:
    return Endpoints(node="test", limit=10)


@pytest.fixture
async def service(worker: FakeWorker, endpoints: Endpoints) -> AsyncIterator[RoomsService]:
    service = RoomsService(
        worker=worker, endpoints=endpoints, options=RoomOptions(limits=LIMITS), ad_hoc=True
    )
    yield service
    await service.close()
