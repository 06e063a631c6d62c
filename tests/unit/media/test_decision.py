"""Decisions: what the core tells becomes values; a file that is no record is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from headwater import ConfigurationError, Decision, Router
from headwater.media.decision import replay
from headwater.testing import FakeWorker, client_offer


async def test_a_subscriber_tells_its_journal(router: Router) -> None:
    """The journal comes as values."""
    publishing = await router.create_publish_transport()
    await publishing.get_answer(client_offer(video=["cam"]))
    publisher = await publishing.publish(publishing.tracks[0])
    watching = await router.create_subscribe_transport()
    subscriber, _offer = await watching.subscribe(publisher.id)
    assert await subscriber.journal() == (Decision(0.0, "gate", {"open": 1}),)


async def test_a_journal_names_publishers_by_their_ids(worker: FakeWorker, router: Router) -> None:
    """Who fills a slot is told by the id that the program knows; handles stay inside."""
    publishing = await router.create_publish_transport()
    await publishing.get_answer(client_offer(video=["cam"]))
    publisher = await publishing.publish(publishing.tracks[0])
    watching = await router.create_subscribe_transport()
    [slot], _offer = await watching.open_slots("video", 1)
    worker.core.decide(slot, "slot", publisher=publisher._handle)
    worker.core.decide(slot, "slot", publisher=publisher._handle + 1000)
    assert [each.facts for each in await slot.journal()][1:] == [{"publisher": publisher.id}, {}]


@pytest.mark.parametrize("content", [b"", b"HWrecord", b"HWrecord\xff\xff", b"a text"])
def test_no_record(tmp_path: Path, content: bytes) -> None:
    """What no version of ours wrote is refused by name."""
    file = tmp_path / "file"
    file.write_bytes(content)
    with pytest.raises(ConfigurationError, match="file: "):
        replay(file)
    with pytest.raises(ConfigurationError, match="missing"):
        replay(tmp_path / "missing")
