"""The Subscriber: one publisher's track on its way to one client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from headwater.ids import PublisherId
from headwater.media.publisher import Publisher
from headwater.media.receiver import Receiver
from headwater.media.seam import Seam
from headwater.media.taking import Taking

if TYPE_CHECKING:
    from headwater.media.subscribe_transport import SubscribeTransport

__all__ = ["Subscriber"]


class Subscriber(Taking[Publisher], Receiver):
    """One track out; made by `SubscribeTransport.subscribe` and `SubscribeTransport.attach`."""

    def __init__(self, seam: Seam, handle: int, transport: SubscribeTransport, publisher: Publisher) -> None:
        """Use `SubscribeTransport.subscribe`."""
        super().__init__(seam, handle, transport)
        self._publisher = publisher

    @property
    def publisher_id(self) -> PublisherId:
        """The id of `publisher`."""
        return self._publisher.id

    @property
    def kind(self) -> Literal["audio", "video"]:
        """Audio or video."""
        return self._publisher.kind
