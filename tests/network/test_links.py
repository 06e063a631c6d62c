"""A call in Chromium over links that lose, narrow, break and move.

The timing of real programs on a shared machine is rough: here stand orders of magnitude and counts. The
exact figures come from the simulated ladder (`headwater bench ladder`, crates/sim/tests/ladder.rs). How many
pictures a second there are is up to the sender's encoder, which has these cores as well: what arrives is
compared with what it made.

Each scenario takes some ten seconds. `HEADWATER_NETWORK=full` makes them four times as long.
"""

from __future__ import annotations

import os
from typing import Any

import pytest

from tests.network.call import Call, Stretch

pytestmark = [pytest.mark.timeout(180), pytest.mark.asyncio(loop_scope="session")]

_LONG = 4 if os.environ.get("HEADWATER_NETWORK") == "full" else 1


async def test_a_clean_line(call: Call) -> None:
    """Everything is heard and nothing freezes: the yardstick of the other tests."""
    stretch = await call.talk(5 * _LONG)
    assert stretch.lost == 0, stretch
    assert stretch.heard > 0.98, stretch
    assert not _freezes(stretch, 0.1), stretch
    assert stretch.frames > 0.8 * stretch.encoded, stretch


async def test_5_per_cent_loss(call: Call) -> None:
    """Retransmissions repair the picture, redundancy the sound."""
    call.lab.order(both={"loss": 0.05})
    await call.talk(2)
    stretch = await call.talk(8 * _LONG)
    assert call.lab.stats()["lost"][0] > 20
    assert stretch.repaired > 5, stretch
    assert stretch.heard > 0.97, stretch
    assert not _freezes(stretch, 0.15), stretch


async def test_10_per_cent_loss(call: Call) -> None:
    """A call is still a call: sound is heard, pictures move."""
    call.lab.order(both={"loss": 0.1})
    await call.talk(2)
    stretch = await call.talk(8 * _LONG)
    assert stretch.heard > 0.95, stretch
    assert stretch.frames > 0.5 * stretch.encoded, stretch


async def test_a_new_port(call: Call) -> None:
    """A translator forgets the client: media goes on without a word of signalling."""
    await call.talk(2)
    call.lab.order(rebind=True)
    await _resumes(call, within=20)
    # The client's publish transport is idle: it is followed when it sends its next check.
    while call.lab.stats()["mapped"] < 2:
        await call.talk(0.5)
    await _spares_the_old_port(call, tries=4)


async def _spares_the_old_port(call: Call, tries: int) -> None:
    """Three seconds come in which none of the media goes there: what was on its way may still arrive."""
    for left in reversed(range(tries)):
        await call.talk(1)
        before = call.lab.stats()
        await call.talk(3)
        after = call.lab.stats()
        if after["stray_media"] == before["stray_media"]:
            return
        assert left, f"sent to the old port: {after['last_stray']}"


async def test_an_outage(call: Call) -> None:
    """Nothing gets through for five seconds (30 in full); the same people go on with the same tracks."""
    await call.talk(2)
    people = [await page.run(_WHO) for page in (call.ada, call.bob)]
    call.lab.order(both={"broken": True})
    silence = await call.talk(5)
    assert silence.frames < 0.3 * silence.encoded, silence
    if _LONG > 1:
        await call.talk(25)
    call.lab.order(both={"broken": False})
    await _resumes(call, within=20)
    stretch = await call.talk(4 * _LONG)
    assert stretch.heard > 0.95, stretch
    assert stretch.frames > 0.5 * stretch.encoded, stretch
    assert [await page.run(_WHO) for page in (call.ada, call.bob)] == people


async def test_a_line_that_narrows_and_widens(call: Call) -> None:
    """The picture gets smaller when the line does, and comes back with it; sound goes on."""
    await call.until("video", "row.frameWidth >= 600", what="a large picture", timeout=30)
    call.lab.order(both={"rate": 300_000, "queue": 32_000})
    await call.until("video", "row.frameWidth < 600", what="a smaller picture", timeout=20)
    await call.talk(5)
    narrow = await call.talk(5 * _LONG)
    assert narrow.heard > 0.9, narrow
    assert narrow.frames > 0, narrow
    call.lab.order(both={"rate": 0})
    await call.until("video", "row.frameWidth >= 600", what="the large picture again", timeout=30)


@pytest.mark.parametrize(
    ("content", "shed"),
    [
        ("detail", "row.frameWidth === 1280 && layer.spatial === 0 && layer.temporal < 2"),
        ("motion", "row.frameWidth < 1280 && layer.spatial < 2 && layer.temporal === 2"),
    ],
    ids=["text", "film"],
)
async def test_a_shared_screen(call: Call, content: str, shed: str) -> None:
    """On a line that narrows, text keeps its size and loses pictures, a film the other way round."""
    await call.share(content)
    whole = "row.frameWidth === 1280 && layer.temporal === 2 && row.framesDecoded > 100"
    await call.until_shared(whole, what="the whole screen")
    call.lab.order(both={"rate": 1_400_000, "queue": 32_000})
    await call.until_shared(shed, what=f"less of {content}")


_WHO = """() => [room.participantId, room.state,
    [...room.subscribers.values()].map((each) => each.publisherId).sort()]"""
"""A page's own id, and the tracks that it receives."""


def _freezes(stretch: Stretch, share: float) -> bool:
    """Whether the picture stood longer than that, which only a steady encoder makes worth asking."""
    steady = stretch.encoded > 15 * stretch.seconds
    return steady and stretch.frozen > share


async def _resumes(call: Call, *, within: float) -> None:
    """Pictures and sound grow again from what they are now."""
    audio, video = await call.rows()
    later = {"video": ("framesDecoded", video, 20), "audio": ("packetsReceived", audio, 50)}
    for kind, (name, row, more) in later.items():
        await call.until(
            kind, f"row.{name} > {_number(row, name) + more}", what=f"{kind} again", timeout=within
        )


def _number(row: dict[str, Any], name: str) -> int:
    return int(row.get(name, 0))
