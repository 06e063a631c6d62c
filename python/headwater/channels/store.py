"""Where records of channels are kept. Media never waits for it: ``save`` returns at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from headwater.channels.events import State
from headwater.channels.models import ChannelRecord

__all__ = ["ChannelStore", "MemoryStore"]


class ChannelStore(Protocol):
    """Keeps records beyond the life of the channels service."""

    @property
    def shared(self) -> bool:
        """Whether other nodes may keep theirs here too, and change what this one keeps."""

    async def load(self) -> Sequence[ChannelRecord]:
        """Return the channels that are not over, oldest first."""

    def save(self, record: ChannelRecord) -> None:
        """Keep a record as it is now, soon; of several states the newest counts."""

    async def add(self, record: ChannelRecord) -> bool:
        """Keep a new record before this returns, as far as the database lets us.

        Returns:
            False when there is a channel of that id, which is not over.
        """

    async def find(self, channel_id: str) -> ChannelRecord | None:
        """Look a channel up, over or not.

        Raises:
            StoreAway: It cannot be asked.
        """

    async def browse(
        self, *, state: State | None, listed: bool, limit: int, offset: int
    ) -> Sequence[ChannelRecord]:
        """Return the channels that are not over, newest first.

        Args:
            state: Only those in this state.
            listed: Only public ones with a slug.
            limit: How many.
            offset: How many are left out before.
        """

    async def history(self, *, limit: int, offset: int = 0) -> Sequence[ChannelRecord]:
        """Return all channels, newest first."""

    async def close(self) -> None:
        """Write what is still to be written, and let go."""


class MemoryStore:
    """Keeps nothing beyond the process: for programs and tests that want no database."""

    shared = False

    async def load(self) -> Sequence[ChannelRecord]:
        """There is nothing from before."""
        return ()

    def save(self, record: ChannelRecord) -> None:
        """The service itself remembers."""

    async def add(self, record: ChannelRecord) -> bool:
        """The service itself remembers."""
        return True

    async def find(self, channel_id: str) -> ChannelRecord | None:
        """What the service has forgotten is gone."""
        return None

    async def browse(
        self, *, state: State | None, listed: bool, limit: int, offset: int
    ) -> Sequence[ChannelRecord]:
        """Nobody else keeps any."""
        return ()

    async def history(self, *, limit: int, offset: int = 0) -> Sequence[ChannelRecord]:
        """What the service has forgotten is gone."""
        return ()

    async def close(self) -> None:
        """Nothing waits."""
