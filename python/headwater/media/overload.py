"""Whether the machine can carry more: a pure policy over samples of its load.

A thread is overloaded from ``busy`` of a core on until it is below ``recovery``; the Worker, when what
it sends reaches that part of ``max_egress``, or its socket has no room for what it sends. States::

    calm --(busy, or egress, at the limit)--> overloaded --(below recovery)--> calm
             newcomers are refused               |
             every second: share x 0.8  <--------'      calm, and rested: share + 0.1 every second, up to 1

The share is the part of what viewers would get that a thread may send: videos give up layers before
packets are dropped. It is given back only while the load is below ``recovery``, and after a rest. Layers are
steps: where the next one is more than there is room for, giving back overloads again, and viewers see
pictures jump. So each time that happens the next rest is twice as long.

A newcomer is refused when every thread is overloaded, for it would go to the one with the least to do. Who
is in a call stays in it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["LoadSample", "Overload", "OverloadLimits"]

WINDOW = 1.0
"""Seconds over which load is averaged: a burst of joins is no overload."""


@dataclass(frozen=True, slots=True)
class OverloadLimits:
    """When newcomers are refused and layers given up.

    Attributes:
        busy: Part of a core that a media thread uses, or of ``max_egress`` that is sent; from here on
            there is too much to do.
        recovery: Below this there is room again.
        max_egress: bit/s that the Worker sends at most; ``None`` for no bound.
    """

    busy: float = 0.90
    recovery: float = 0.72
    max_egress: float | None = None


@dataclass(frozen=True, slots=True)
class LoadSample:
    """What was measured at one moment.

    Attributes:
        at: Seconds on any clock.
        busy: Part of a core that each media thread used lately.
        sent_bytes: Bytes sent since the start.
        refused: Datagrams since the start for which the socket had no room.
        sent: Datagrams sent since the start.
    """

    at: float
    busy: tuple[float, ...]
    sent_bytes: int = 0
    refused: int = 0
    sent: int = 0


class Overload:
    """The state of one Worker. Give it a sample a few times a second.

    Args:
        limits: When there is too much to do.
        threads: How many media threads there are.
    """

    def __init__(self, limits: OverloadLimits, threads: int) -> None:
        self.limits = limits
        self._samples: deque[LoadSample] = deque()
        self._overloaded = [False] * threads
        self._sending_too_much = False
        self._shares = [Share() for _ in range(threads)]
        self._decided: float | None = None
        self._reason: str | None = None
        self.busy: tuple[float, ...] = (0.0,) * threads
        """Part of a core that each media thread used in the last second."""
        self.egress = 0.0
        """bit/s sent in the last second."""

    @property
    def shares(self) -> tuple[float, ...]:
        """Per media thread: the part of what viewers would get that may be sent."""
        return tuple(share.part for share in self._shares)

    @property
    def reason(self) -> str | None:
        """Why newcomers are refused; ``None`` while they are not."""
        return self._reason

    def add(self, sample: LoadSample) -> bool:
        """Take a sample in; True when a share has changed."""
        self._samples.append(sample)
        while sample.at - self._samples[0].at > WINDOW and len(self._samples) > 2:
            self._samples.popleft()
        oldest = self._samples[0]
        passed = sample.at - oldest.at
        self.busy = tuple(
            sum(s.busy[thread] for s in self._samples) / len(self._samples)
            for thread in range(len(self._shares))
        )
        self.egress = max(0, sample.sent_bytes - oldest.sent_bytes) * 8 / passed if passed > 0 else 0.0
        if self._decided is None:
            self._decided = sample.at
        if sample.at - self._decided < WINDOW:
            return False
        self._decided = sample.at
        return self._decide(oldest, sample)

    def _decide(self, oldest: LoadSample, newest: LoadSample) -> bool:
        full = newest.refused - oldest.refused > max(0, newest.sent - oldest.sent) * _MANY
        sending = self.egress / self.limits.max_egress if self.limits.max_egress else 0.0
        self._sending_too_much = full or self._is_over(sending, before=self._sending_too_much)
        self._overloaded = [
            self._is_over(busy, before=before)
            for busy, before in zip(self.busy, self._overloaded, strict=True)
        ]
        if self._sending_too_much:
            self._reason = "it sends as much as it can"
        else:
            self._reason = "it is busy" if all(self._overloaded) else None
        before = self.shares
        for share, busy, overloaded in zip(self._shares, self.busy, self._overloaded, strict=True):
            share.decide(
                newest.at,
                too_much=self._sending_too_much or overloaded,
                room=max(busy, sending) < self.limits.recovery,
            )
        return self.shares != before

    def _is_over(self, load: float, *, before: bool) -> bool:
        return load >= (self.limits.recovery if before else self.limits.busy)


class Share:
    """The part of what viewers would get that one media thread may send."""

    def __init__(self) -> None:
        self.part = 1.0
        self._rest = _FIRST_REST
        self._rests_until = 0.0
        self._gives_back = False

    def decide(self, now: float, *, too_much: bool, room: bool) -> None:
        """Take less, give back, or leave it.

        Args:
            now: Seconds on the samples' clock; once per ``WINDOW``.
            too_much: The thread, or the Worker, is overloaded.
            room: The load is below recovery.
        """
        if too_much:
            if self._gives_back:
                self._rest = min(2 * self._rest, _LONGEST_REST)
            self._gives_back = False
            self.part = max(_LEAST, self.part * _LESS)
            self._rests_until = now + self._rest
        elif now < self._rests_until:
            return
        elif self.part < 1.0:
            if room:
                self._gives_back = True
                self.part = min(1.0, self.part + _MORE)
        elif now - self._rests_until > _LONGEST_REST:
            self._gives_back, self._rest = False, _FIRST_REST


def busy_parts(loads: Sequence[tuple[int, int]]) -> tuple[float, ...]:
    """Read the busy part of what the core says of its threads."""
    return tuple(busy / 1000 for _, busy in loads)


_LESS, _MORE, _LEAST = 0.8, 0.1, 0.05
_FIRST_REST, _LONGEST_REST = 1.0, 120.0
"""Seconds without overload before something is given back; and without one after all was, to forget."""
_MANY = 0.01
"""Part of the datagrams that the socket may refuse."""
