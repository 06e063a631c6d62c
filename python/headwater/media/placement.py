"""On which media thread a room's next transport goes: a pure function of what is known then.

A room starts on one thread, its home, for each thread that it spans costs one crossing per packet.
It takes another thread when it has ``spread`` transports on each of those it has, or when those are
busy; from then on its members go where there is least to do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

__all__ = ["BUSY", "DEFAULT_SPREAD", "ThreadLoad", "choose_thread"]

BUSY = 0.6
"""Share of a core above which a thread gets nothing new while another has less to do."""

DEFAULT_SPREAD = 50
"""Transports of one room on one thread before it takes another."""


@dataclass(frozen=True, slots=True)
class ThreadLoad:
    """What one media thread carries.

    Attributes:
        transports: Those of all rooms, open or being made.
        busy: Share of a core that it used lately, 0 to 1.
    """

    transports: int
    busy: float


def choose_thread(home: int, members: Mapping[int, int], loads: Sequence[ThreadLoad], *, spread: int) -> int:
    """Return the media thread for a room's next transport.

    Args:
        home: The thread on which the room began.
        members: The room's transports by thread; threads without any may be absent.
        loads: What each thread carries, by its number.
        spread: Transports of the room on one thread before it takes another; 0 spreads at once.
    """
    mine = {home} | {thread for thread, count in members.items() if count > 0}
    roomy = [
        thread for thread in mine if members.get(thread, 0) < spread and not _is_hot(loads[thread], loads)
    ]
    if roomy:
        return min(roomy, key=lambda thread: (thread != home, -members.get(thread, 0), thread))

    def burden(thread: int) -> tuple[bool, int, bool, int]:
        load = loads[thread]
        return _is_hot(load, loads), load.transports, thread not in mine, thread

    return min(range(len(loads)), key=burden)


def _is_hot(load: ThreadLoad, loads: Sequence[ThreadLoad]) -> bool:
    """Whether a thread is busy, and much more so than the least busy one."""
    return load.busy >= BUSY and load.busy > 1.5 * min(other.busy for other in loads)
