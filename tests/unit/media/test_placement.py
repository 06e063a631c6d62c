"""Where a room's next transport goes."""

from __future__ import annotations

from headwater.media.placement import ThreadLoad, choose_thread

IDLE = ThreadLoad(transports=0, busy=0.0)


def loads(*transports: int) -> list[ThreadLoad]:
    return [ThreadLoad(count, 0.1) for count in transports]


def test_a_small_room_stays_at_home() -> None:
    """Crossing costs, so a room with room on its thread stays there, whatever the others carry."""
    assert choose_thread(1, {}, loads(0, 400, 0), spread=50) == 1
    assert choose_thread(1, {1: 49}, loads(0, 400, 0), spread=50) == 1


def test_a_full_thread_is_followed_by_the_least_loaded() -> None:
    """At the bound the room takes another thread, and fills that one before a third."""
    assert choose_thread(0, {0: 50}, loads(50, 30, 10), spread=50) == 2
    assert choose_thread(0, {0: 50, 2: 1}, loads(50, 0, 90), spread=50) == 2


def test_a_place_that_comes_free_at_home_is_taken_first() -> None:
    """Home is preferred to the other threads of the room."""
    assert choose_thread(0, {0: 49, 1: 20}, loads(49, 20), spread=50) == 0


def test_a_large_room_grows_evenly() -> None:
    """With every thread beyond the bound, members go where there is least."""
    members = {0: 0, 1: 0, 2: 0, 3: 0}
    for _ in range(1000):
        load = [ThreadLoad(count, 0.1) for count in members.values()]
        members[choose_thread(2, members, load, spread=50)] += 1
    assert max(members.values()) - min(members.values()) <= 1


def test_a_busy_thread_gets_nothing_new_while_another_is_idle() -> None:
    """A home at its limit sends even a small room on, unless all are as busy."""
    hot = ThreadLoad(transports=40, busy=0.9)
    assert choose_thread(0, {0: 3}, [hot, IDLE], spread=50) == 1
    assert choose_thread(0, {0: 3}, [hot, ThreadLoad(80, 0.85)], spread=50) == 0


def test_spreading_at_once() -> None:
    """With a bound of 0 every member goes to the least loaded thread."""
    assert choose_thread(0, {}, loads(1, 0), spread=0) == 1
    assert choose_thread(0, {2: 1}, loads(1, 1, 1), spread=0) == 0
    assert choose_thread(1, {1: 2, 2: 1}, loads(2, 2, 1), spread=0) == 2
    assert choose_thread(0, {0: 5}, loads(5), spread=0) == 0
