"""What is known of packets on their way to a child, at little cost."""

from __future__ import annotations

from typing import cast

from headwater.media.plain_track import PlainTrack
from headwater.pipelines.feeding import Feeding


class Track:
    """Has sent so much."""

    def __init__(self) -> None:
        self.sent = 0
        self.asked = 0

    async def get_stats(self) -> dict[str, int]:
        self.asked += 1
        return {"packets_sent": self.sent}


async def test_a_child_is_fed_since_packets_came_without_a_pause() -> None:
    """A pause begins the count anew: who gets nothing is not late."""
    track = Track()
    feeding = Feeding([cast(PlainTrack, track)])
    await feeding.look(10.0)
    assert feeding.since is None
    for now in (11.0, 12.0, 13.0):
        track.sent += 50
        await feeding.look(now)
        assert feeding.since == 11.0
    await feeding.look(14.0)
    assert feeding.since is None
    track.sent += 50
    await feeding.look(15.0)
    assert feeding.since == 15.0


async def test_the_core_is_asked_once_a_second() -> None:
    """However often somebody looks."""
    track = Track()
    feeding = Feeding([cast(PlainTrack, track)])
    for tick in range(50):
        await feeding.look(tick / 5)
    assert track.asked == 10


async def test_who_is_in_doubt_may_ask_at_once() -> None:
    """A pause between two packets is none as long as it is short."""
    track = Track()
    feeding = Feeding([cast(PlainTrack, track)])
    track.sent = 1
    await feeding.look(10.0)
    for now, sent, grew in ((10.2, 1, 10.0), (10.4, 2, 10.4), (11.2, 2, 10.4), (11.4, 2, 10.4)):
        track.sent = sent
        await feeding.look(now, at_once=True)
        assert feeding.grew_at == grew
        assert feeding.since == (10.0 if now < 11.4 else None)
    assert track.asked == 5
