"""Making, finding and keeping channels."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from headwater.channels import ChannelRecord, Channels, MemoryStore
from headwater.cluster import Endpoints
from headwater.errors import (
    ChannelNotFound,
    Closed,
    ConfigurationError,
    LimitReached,
    NameTaken,
)
from headwater.testing import FakeWorker
from tests.unit.channels.support import go_live, watch


class DiskStore(MemoryStore):
    """A store that outlives its service."""

    def __init__(self) -> None:
        self.records: dict[str, ChannelRecord] = {}

    async def load(self) -> Sequence[ChannelRecord]:
        return [record for record in self.records.values() if not record.over]

    def save(self, record: ChannelRecord) -> None:
        self.records[record.id] = record

    async def find(self, channel_id: str) -> ChannelRecord | None:
        return self.records.get(channel_id)


async def test_an_id_cannot_be_guessed_unless_its_owner_names_it(channels: Channels) -> None:
    """128 random bits, or the slug."""
    first, second = channels.open("ada"), channels.open("ada")
    assert first.id != second.id
    assert first.id.startswith("chn_")
    assert len(first.id) >= 4 + 22
    named = channels.open("ada", slug="friday-show", title="Friday")
    assert (named.id, named.record.title, named.record.reusable) == ("friday-show", "Friday", True)
    assert channels.get("friday-show") is named


@pytest.mark.parametrize(
    "slug", ["", "ab", "a" * 65, "-ab", "ab-", "Ab1", "a_b", "a/b", "../x", "chn_x", "é" * 4]
)
async def test_a_slug_stands_in_an_address(channels: Channels, slug: str) -> None:
    """Anything else is refused."""
    with pytest.raises(ConfigurationError):
        channels.open("ada", slug=slug)


async def test_names_are_unique_among_channels_and_meetings(channels: Channels) -> None:
    """Two things of one name would be one address."""
    channels.open("ada", slug="friday-show")
    for name in ("friday-show", "a-meeting"):
        with pytest.raises(NameTaken):
            channels.open("eve", slug=name)


async def test_what_is_not_there_is_not_found(channels: Channels) -> None:
    with pytest.raises(ChannelNotFound):
        channels.get("chn_nothing")
    with pytest.raises(ChannelNotFound):
        await channels.record("chn_nothing")
    with pytest.raises(ChannelNotFound):
        await channels.end("chn_nothing")


async def test_there_are_no_more_than_the_node_may_keep(channels: Channels) -> None:
    """Those that are over make room, those that are not do not."""
    kept = [channels.open("ada") for _ in range(5)]
    with pytest.raises(LimitReached):
        channels.open("ada")
    await kept[0].end()
    channels.open("ada")
    assert kept[0].id not in channels


async def test_channels_survive_the_process(worker: FakeWorker, endpoints: Endpoints) -> None:
    """A restart leaves the named ones, ended where they were live; one-time ones are history."""
    store = DiskStore()
    before = Channels(worker=worker, endpoints=endpoints, store=store)
    before.open("ada", slug="not-yet")
    named, once = before.open("ada", slug="friday-show", visibility="private"), before.open("ada")
    for channel in (named, once):
        await go_live(before, channel)
        watch(before, channel)
    interrupted = dict(store.records)
    await before.close()
    assert worker.core.objects == 0
    with pytest.raises(Closed):
        before.open("ada")
    for records in (store.records, interrupted):  # an orderly end, and a kill
        store.records = dict(records)
        after = Channels(worker=worker, endpoints=endpoints, store=store)
        await after.load()
        assert after.get("not-yet").state == "idle"
        again = after.get("friday-show")
        assert (again.state, again.record.owner, again.record.visibility) == ("ended", "ada", "private")
        await go_live(after, again)
        assert (await after.record(once.id)).over
        await after.close()
