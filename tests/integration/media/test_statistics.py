"""docs/reference/statistics.md names what the real core reports, and nothing else."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path

from headwater import Worker
from tests.integration.media.test_closures import build
from tests.support.peer import Peer

PAGE = (Path(__file__).parents[3] / "docs" / "reference" / "statistics.md").read_text()


def documented() -> dict[str, tuple[set[str], set[str]]]:
    """Class -> (names that are always there, names that may be)."""
    tables: dict[str, tuple[set[str], set[str]]] = {}
    for title, body in re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL):
        for cls in title.split(", "):
            always, maybe = tables.setdefault(cls, (set(), set()))
            for line in body.splitlines():
                if not line.startswith("| ") or line.startswith("| name"):
                    continue
                only = re.search(r"\((\w+)\) \|$", line)
                if only and only[1] != cls:
                    continue
                cell = line.split("|")[1]
                maybe |= set(re.findall(r"\*`(\w+)`\*", cell))
                always |= set(re.findall(r"(?<!\*)`(\w+)`", cell))
    return tables


async def test_names(worker: Worker, peer: Callable[[], Peer]) -> None:
    """Every value has a row, and every row that promises a value has one."""
    alice, bob = peer(), peer()
    room = await build(worker, alice, bob)
    tables = documented()
    optional: set[str] = set()
    for name in room.names():
        item = getattr(room, name)
        cls = type(item).__name__
        names = {
            re.sub(r"^(layer_\d|encoding)_\d_", lambda found: re.sub(r"\d", "0", found[0]), name)
            for name in await item.get_stats()
        }
        always, maybe = tables[cls]
        assert always <= names <= always | maybe, cls
        optional |= names & maybe
    assert {"dtls_version", "srtp_profile", "bitrate", "mid", "silent_ms"} <= optional
    async with asyncio.timeout(30):
        while not worker.counters():  # noqa: ASYNC110  # counters are read, never announced
            await asyncio.sleep(0.05)
    assert tables["Worker"][0] | {"threads", "port"} == (await worker.get_stats()).keys()


async def test_values_follow_the_media(worker: Worker, peer: Callable[[], Peer]) -> None:
    """What one side counts in, the other counts out."""
    alice, bob = peer(), peer()
    room = await build(worker, alice, bob)
    first = await room.publisher.get_stats()
    assert room.subscriber.mid is not None
    await bob.received(room.subscriber.mid, 5)
    second, out = await asyncio.gather(room.publisher.get_stats(), room.subscriber.get_stats())
    assert int(second["packets_received"]) >= int(first["packets_received"]) + 5
    assert int(second["key_frames"]) >= 1
    assert second["codec"] == "video/VP8"
    assert int(out["packets_sent"]) >= 5
    assert out["open"] == 1
    transport = await room.publish_transport.get_stats()
    assert transport["state"] == room.publish_transport.connection_state == "connected"
    assert "AEAD" in str(transport["srtp_profile"])
    await room.subscriber.pause()
    assert (await room.subscriber.get_stats())["paused"] == 1
