"""Making, finding and keeping channels."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import pytest

from headwater.channels import ChannelOptions, ChannelRecord, Channels, MemoryStore
from headwater.cluster import Endpoints
from headwater.errors import (
    ChannelNotFound,
    Closed,
    InvalidSlug,
    LimitReached,
    NameTaken,
    StoreAway,
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

    async def add(self, record: ChannelRecord) -> bool:
        if record.id in self.records and not self.records[record.id].over:
            return False
        self.records[record.id] = record
        return True

    async def find(self, channel_id: str) -> ChannelRecord | None:
        return self.records.get(channel_id)


class SharedStore(DiskStore):
    """A store of several nodes, which may be away."""

    shared = True
    away = False

    async def find(self, channel_id: str) -> ChannelRecord | None:
        if self.away:
            raise StoreAway("gone")
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
    "slug", ["", "ab", "a" * 65, "-ab", "ab-", "Ab1", "a_b", "a/b", "../x", "chn_x", "é" * 4, "history"]
)
async def test_a_slug_stands_in_an_address(channels: Channels, slug: str) -> None:
    """Anything else is refused, with what to do, and so is what is an address of the server's own."""
    with pytest.raises(InvalidSlug, match="choose"):
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


@pytest.fixture
async def nodes(worker: FakeWorker, endpoints: Endpoints) -> AsyncIterator[tuple[Channels, Channels]]:
    """Two nodes over one store."""
    store = SharedStore()
    a, b = (
        Channels(
            worker=worker, endpoints=endpoints, store=store, options=ChannelOptions(node=name, named_ids=True)
        )
        for name in "ab"
    )
    yield a, b
    await a.close()
    await b.close()


def shared(channels: Channels) -> SharedStore:
    """Their store."""
    assert isinstance(channels._store, SharedStore)
    return channels._store


async def test_a_channel_goes_live_on_the_node_that_is_asked(nodes: tuple[Channels, Channels]) -> None:
    """What one node made the other finds, with what became of it there; the id tells who made it."""
    a, b = nodes
    made = await a.create("ada")
    assert made.id.startswith("chn_a.")
    named = await a.create("ada", slug="friday-show", visibility="private")
    with pytest.raises(NameTaken):
        await b.create("eve", slug="friday-show")
    there = await b.find("friday-show")
    assert (there.record.owner, there.record.visibility) == ("ada", "private")
    await go_live(b, there)
    assert (shared(a).records["friday-show"].state, shared(a).records["friday-show"].node) == ("live", "b")
    there.revoke_links()
    assert (await a.find("friday-show")).record.links_revoked_at is not None
    assert named.state == "ended", "where nobody asks for it, it is not live"
    await there.end()
    assert (await a.find("friday-show")).over
    again = await a.create("eve", slug="friday-show")
    assert (await b.find("friday-show")).record.owner == again.record.owner == "eve"
    with pytest.raises(ChannelNotFound):
        await b.find("chn_nothing")


async def test_a_channel_whose_node_died_goes_live_elsewhere(
    nodes: tuple[Channels, Channels], worker: FakeWorker, endpoints: Endpoints
) -> None:
    """And the dead one, when it comes back, takes nothing away that is not its own."""
    a, b = nodes
    for slug in ("one-show", "two-show"):
        await a.create("ada", slug=slug)
        await go_live(a, await a.find(slug))
    assert (await b.find("one-show")).state == "ended"
    await go_live(b, await b.find("one-show"))
    options = ChannelOptions(node="a")
    returned = Channels(worker=worker, endpoints=endpoints, store=shared(a), options=options)
    await returned.load()
    states = {name: record.state for name, record in shared(a).records.items()}
    assert states == {"one-show": "live", "two-show": "ended"}
    await returned.find("one-show")
    await returned.close()
    assert shared(a).records["one-show"].state == "live"


async def test_without_the_store_a_node_goes_on_with_what_it_knows(nodes: tuple[Channels, Channels]) -> None:
    """Its own channels are found, others may be asked for later."""
    a, b = nodes
    made = await a.create("ada")
    shared(a).away = True
    assert await a.find(made.id) is made
    await go_live(a, made)
    assert made.state == "live"
    with pytest.raises(StoreAway):
        await b.find(made.id)
