"""The DataSubscriber: one data publisher's messages on their way to one client."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headwater.ids import DataPublisherId, DataSubscriberId
from headwater.media.data_publisher import DataPublisher
from headwater.media.events import DataSubscriberClosed
from headwater.media.seam import Seam
from headwater.media.taking import Taking

if TYPE_CHECKING:
    from headwater.media.subscribe_transport import SubscribeTransport

__all__ = ["DataSubscriber"]


class DataSubscriber(Taking[DataPublisher]):
    """One data channel out, with the label and the reliability of its source.

    Made by `SubscribeTransport.subscribe_data`.
    """

    _kind = "data_subscriber"
    _prefix = "dsb"
    _closed_event = DataSubscriberClosed

    def __init__(
        self, seam: Seam, handle: int, transport: SubscribeTransport, publisher: DataPublisher
    ) -> None:
        """Use `SubscribeTransport.subscribe_data`."""
        super().__init__(seam, handle, transport)
        self._transport = transport
        self._publisher = publisher

    @property
    def id(self) -> DataSubscriberId:
        """The data subscriber's id."""
        return DataSubscriberId(self._id)

    @property
    def transport(self) -> SubscribeTransport:
        """The transport that carries it."""
        return self._transport

    @property
    def publisher_id(self) -> DataPublisherId:
        """The id of `publisher`."""
        return self._publisher.id

    @property
    def label(self) -> str:
        """The channel's label."""
        return self._publisher.label

    # -- for the other classes of this package ------------------------------------------------------

    def _send_close(self) -> int:
        return self._seam.native.close_data_subscriber(self._handle)
