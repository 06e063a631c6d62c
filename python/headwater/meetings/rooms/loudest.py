"""The slots in which one participant of a large room hears the loudest voices.

States::

    off -- the room is large --> due -- offered and answered --> on -- small again --> left over --> off

While they are on, voices have no subscribers of their own. On either way those go, or the slots do, only
when the others are there: nobody is unheard meanwhile. A client that refuses the slots hears everybody,
one by one, as long as its connection lasts.
"""

from __future__ import annotations

from collections.abc import Callable

from headwater.media.publish_transport import PublishTransport
from headwater.media.slot import Slot
from headwater.media.subscribe_transport import SubscribeTransport
from headwater.meetings.rooms.events import RoomEvent, SlotChanged

__all__ = ["Loudest"]


class Loudest:
    """The slots of one participant.

    Args:
        count: How many voices are heard at once.
        emit: Takes ``SlotChanged``.
    """

    def __init__(self, *, count: int, emit: Callable[[RoomEvent], None]) -> None:
        self.wanted = False
        self._count = count
        self._emit = emit
        self._slots: list[Slot] = []
        self._answered = False
        self._refused = False

    @property
    def active(self) -> bool:
        """Whether voices are to come in slots, and new ones get no subscriber."""
        return self.wanted and not self._refused

    @property
    def due(self) -> bool:
        """Whether slots are to be offered."""
        return self.active and not self._slots

    @property
    def carrying(self) -> bool:
        """Whether the slots carry the voices, so that these need no subscribers any more."""
        return self.active and self._answered

    @property
    def left_over(self) -> bool:
        """Whether there are slots that nobody needs."""
        return bool(self._slots) and not self.active

    @property
    def described(self) -> tuple[tuple[str, str | None], ...]:
        """The m-line of each slot and whom it carries."""
        return tuple((s.mid, s.publisher_id) for s in self._slots if not s.closed and s.mid is not None)

    async def open(self, transport: SubscribeTransport, own: PublishTransport | None) -> str:
        """Make the slots; returns the offer that carries them."""
        if own is not None and own.closed:
            own = None
        self._slots, offer = await transport.open_slots("audio", self._count, own=own)
        return offer

    async def close(self) -> None:
        """Close the slots; the next offer is without them."""
        slots, self._slots, self._answered = self._slots, [], False
        for slot in slots:
            await slot.close()

    def answered(self) -> None:
        """The client knows what was offered last."""
        self._answered = bool(self._slots)

    def slot_changed(self, slot_id: str, publisher_id: str | None) -> None:
        """Tell the participant whom a slot carries."""
        for slot in self._slots:
            if slot.id == slot_id and slot.mid is not None:
                self._emit(SlotChanged(slot.mid, publisher_id))

    def tell(self) -> None:
        """Tell all, after events were lost."""
        for mid, publisher_id in self.described:
            self._emit(SlotChanged(mid, publisher_id))

    def slot_closed(self, slot_id: str, *, refused: bool) -> None:
        """Forget a slot; ``refused`` when the client cannot take it."""
        remaining = [slot for slot in self._slots if slot.id != slot_id]
        if len(remaining) < len(self._slots):
            self._slots = remaining
            self._answered = self._answered and bool(remaining)
            self._refused = self._refused or (refused and not remaining)

    def forget(self) -> None:
        """The transport is gone, and the slots with it."""
        self._slots.clear()
        self._answered = self._refused = False
