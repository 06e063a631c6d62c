"""Which connections have to do with which channel."""

from __future__ import annotations

from typing import Protocol

from headwater.channels import Channel

__all__ = ["Present"]


class _Told(Protocol):
    """A connection, as far as others have to do with it."""

    def tell_pause(self, publisher_id: str, paused: bool) -> None: ...


class Present:
    """Those of all channels; one per application."""

    def __init__(self) -> None:
        self._present: dict[str, set[_Told]] = {}

    def enter(self, channel: Channel, connection: _Told) -> None:
        """Note who has to do with a channel."""
        self._present.setdefault(channel.id, set()).add(connection)

    def leave(self, channel: Channel, connection: _Told) -> None:
        """Forget a connection; twice is fine."""
        present = self._present.get(channel.id)
        if present is not None:
            present.discard(connection)
            if not present:
                del self._present[channel.id]

    def tell_pause(self, channel: Channel, publisher_id: str, paused: bool) -> None:
        """Tell whoever receives a track that it was paused or resumed for all."""
        for connection in self._present.get(channel.id, ()):
            connection.tell_pause(publisher_id, paused)
