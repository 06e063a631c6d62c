"""One offer at a time: who may change a subscribe transport's description, and when.

::

                    begin                opened
        ┌──► idle ─────────► making ───────────────► open ───┐ take
        │     ▲                │ settled                     ▼
        │     └────────────────┘                         answering
        └──────────────── settled ◄─── accepted or rolled back ┘

``making`` is a command on its way, ``open`` an offer in the client's hands. Everything that needs
an offer begins with `begin`, which waits its turn (first come, first served) and gives up after the
transport's timeout. An answer that is refused takes the offer back with it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from enum import Enum

from headwater.errors import Closed, NegotiationTimeout, NoOffer

__all__ = ["Negotiation"]


class _State(Enum):
    IDLE = "idle"
    MAKING = "making"
    OPEN = "open"
    ANSWERING = "answering"


class Negotiation:
    """The turn-taking of one transport."""

    def __init__(self, timeout: float) -> None:
        """Let operations wait at most ``timeout`` seconds for their turn."""
        self._timeout = timeout
        self._state = _State.IDLE
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._closed = False

    @property
    def offer_open(self) -> bool:
        """Whether the client holds an offer that it has not answered."""
        return self._state in (_State.OPEN, _State.ANSWERING)

    async def begin(self) -> None:
        """Wait for the turn and take it: idle -> making.

        Raises:
            NegotiationTimeout: The open offer was not answered in time.
            Closed: The transport closed while waiting.
        """
        if self._state is _State.IDLE and not self._waiters:
            self._state = _State.MAKING
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiters.append(turn)
        try:
            async with asyncio.timeout(self._timeout):
                await turn
        except TimeoutError as error:
            self._give_up(turn)
            raise NegotiationTimeout(f"the open offer was not answered within {self._timeout:g} s") from error
        except BaseException:
            self._give_up(turn)
            raise
        if self._closed:
            raise Closed("the transport closed while the call waited for its turn to negotiate")

    def opened(self) -> None:
        """Note that the client has the offer: making -> open."""
        self._state = _State.OPEN

    def take(self) -> None:
        """Take the open offer to answer it or roll it back: open -> answering.

        Raises:
            NoOffer: No offer is open, or its answer is being processed already.
        """
        if self._state is not _State.OPEN:
            raise NoOffer("no offer is open, so there is nothing to answer or roll back")
        self._state = _State.ANSWERING

    def settled(self) -> None:
        """Note that no offer is open any more, and wake whoever is next."""
        self._state = _State.IDLE
        while self._waiters:
            turn = self._waiters.popleft()
            if not turn.done():
                self._state = _State.MAKING
                turn.set_result(None)
                return

    def close(self) -> None:
        """Wake everybody: the transport closed."""
        self._closed = True
        waiters, self._waiters = self._waiters, deque()
        for turn in waiters:
            if not turn.done():
                turn.set_result(None)

    def _give_up(self, turn: asyncio.Future[None]) -> None:
        """Leave the queue; pass the turn on when it was given at the last moment."""
        if turn in self._waiters:
            self._waiters.remove(turn)
        elif turn.done() and not turn.cancelled() and not self._closed:
            self.settled()
