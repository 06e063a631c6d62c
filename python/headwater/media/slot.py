"""The Slot: an m-line that carries whoever is loudest, or whom the application chooses.

Made once, it never needs another offer: the publisher behind it changes, its m-line and SSRC stay.
A room of a hundred people needs three audio slots per client, not ninety-nine subscribers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from headwater.ids import PublisherId
from headwater.media.events import Event, SlotChanged
from headwater.media.receiver import Receiver
from headwater.media.seam import Seam

if TYPE_CHECKING:
    from headwater.media.subscribe_transport import SubscribeTransport

__all__ = ["Slot"]


class Slot(Receiver):
    """One m-line for one publisher after the other; made by `SubscribeTransport.open_slots`."""

    def __init__(
        self, seam: Seam, handle: int, transport: SubscribeTransport, kind: Literal["audio", "video"]
    ) -> None:
        """Use `SubscribeTransport.open_slots`."""
        super().__init__(seam, handle, transport)
        self._media_kind = kind
        self._publisher_id: PublisherId | None = None

    @property
    def kind(self) -> Literal["audio", "video"]:
        """Audio or video."""
        return self._media_kind

    @property
    def publisher_id(self) -> PublisherId | None:
        """Whom it carries now; ``None`` while it is empty."""
        return self._publisher_id

    async def follow_loudest(self) -> None:
        """Carry whoever is loudest (of videos: whose owner spoke last), as at the beginning."""
        await self._set(None, loudest=True)

    async def switch_to(self, id_: str | None) -> None:
        """Carry this publisher and no other until told otherwise; ``None`` for nothing.

        Raises:
            PublisherNotFound, AmbiguousTrack: As for `SubscribeTransport.subscribe`.
            UnsupportedCodec: The client does not decode it.
            Closed: The slot was closed.
        """
        self._check()
        publisher = None if id_ is None else self.transport.router.publisher(id_)
        await self._set(None if publisher is None else publisher._handle, loudest=False)

    # -- for the other classes of this package ------------------------------------------------------

    def _handle_event(self, event: Event) -> None:
        """Note whom it carries."""
        if isinstance(event, SlotChanged):
            self._publisher_id = event.publisher_id
        super()._handle_event(event)

    async def _set(self, publisher: int | None, *, loudest: bool) -> None:
        native, transport = self._seam.native, self.transport._handle
        await self._call(lambda: native.set_slot(transport, self._handle, publisher, loudest=loudest))
