"""The Subscriber: one publisher's track on its way to one client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from headwater.ids import PublisherId
from headwater.media.publisher import Publisher
from headwater.media.receiver import Receiver
from headwater.media.seam import Seam

if TYPE_CHECKING:
    from headwater.media.subscribe_transport import SubscribeTransport

__all__ = ["Subscriber"]


class Subscriber(Receiver):
    """One track out; made by `SubscribeTransport.subscribe` and `SubscribeTransport.attach`."""

    def __init__(self, seam: Seam, handle: int, transport: SubscribeTransport, publisher: Publisher) -> None:
        """Use `SubscribeTransport.subscribe`."""
        super().__init__(seam, handle, transport)
        self._publisher = publisher

    @property
    def publisher(self) -> Publisher:
        """Where it takes its packets from."""
        return self._publisher

    @property
    def publisher_id(self) -> PublisherId:
        """The id of `publisher`."""
        return self._publisher.id

    @property
    def kind(self) -> Literal["audio", "video"]:
        """Audio or video."""
        return self._publisher.kind

    # -- for the other classes of this package ------------------------------------------------------

    def _adopted(self) -> None:
        """Hang on the publisher too."""
        super()._adopted()
        self._publisher._taken(self)

    def _on_closed(self) -> None:
        self._publisher._released(self)
