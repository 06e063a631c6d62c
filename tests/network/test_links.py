"""A call in Chromium over links that lose, narrow, break and move.

The timing of real programs on a shared machine is rough: here stand orders of magnitude and counts. The
exact figures come from the simulated ladder (`headwater bench ladder`, crates/sim/tests/ladder.rs).

Each scenario takes some ten seconds. `HEADWATER_NETWORK=full` makes them four times as long.
"""

from __future__ import annotations

import os
from typing import Any

import pytest

from tests.network.call import Call

pytestmark = [pytest.mark.timeout(180), pytest.mark.asyncio(loop_scope="session")]

_LONG = 4 if os.environ.get("HEADWATER_NETWORK") == "full" else 1


async def test_a_clean_line(call: Call) -> None:
    """Everything is heard and nothing freezes: the yardstick of the other tests."""
    stretch = await call.talk(5 * _LONG)
    assert stretch.lost == 0, stretch
    assert stretch.heard > 0.98, stretch
    assert stretch.frozen < 0.1, stretch
    # How many pictures a second there are is up to the encoder, which has these cores as well.
    assert stretch.frames > 10 * _LONG, stretch


async def test_5_per_cent_loss(call: Call) -> None:
    """Retransmissions repair the picture, redundancy the sound."""
    call.lab.order(both={"loss": 0.05})
    await call.talk(2)
    stretch = await call.talk(8 * _LONG)
    assert call.lab.stats()["lost"][0] > 20
    assert stretch.repaired > 5, stretch
    assert stretch.heard > 0.97, stretch
    assert stretch.frozen < 0.15, stretch


async def test_10_per_cent_loss(call: Call) -> None:
    """A call is still a call: sound is heard, pictures move."""
    call.lab.order(both={"loss": 0.1})
    await call.talk(2)
    stretch = await call.talk(8 * _LONG)
    assert stretch.heard > 0.95, stretch
    assert stretch.frames > 16 * _LONG, stretch


async def test_a_new_port(call: Call) -> None:
    """A translator forgets the client: media goes on without a word of signalling."""
    await call.talk(2)
    call.lab.order(rebind=True)
    await _resumes(call, within=20)
    await call.talk(3)  # the client's other transport has as long to be followed
    stray = call.lab.stats()["stray"]
    await call.talk(3)
    # A lone datagram still does (docs/status.md); media would be hundreds.
    assert call.lab.stats()["stray"] <= stray + 2, "media still goes to the old port"


async def test_an_outage_of_5_seconds(call: Call) -> None:
    """Nothing gets through for five seconds; afterwards nothing reminds of it."""
    await call.talk(2)
    call.lab.order(both={"broken": True})
    silence = await call.talk(5)
    assert silence.frames < 30, silence
    call.lab.order(both={"broken": False})
    await _resumes(call, within=20)
    stretch = await call.talk(4 * _LONG)
    assert stretch.heard > 0.95, stretch
    assert stretch.frames > 25 * _LONG, stretch


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
