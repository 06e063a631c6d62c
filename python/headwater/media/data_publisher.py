"""The DataPublisher: one data channel that a client opened, available to the router.

Its messages go to its subscribers on the media thread. The program can listen with ``messages()``
and speak with ``send``, which reaches all subscribers as if the client had sent it.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from typing import TYPE_CHECKING

from headwater.ids import DataPublisherId
from headwater.media.events import (
    CloseReason,
    DataMessage,
    DataPublisherAdded,
    DataPublisherClosed,
    Event,
    EventsLost,
    EventStream,
)
from headwater.media.object import MediaObject
from headwater.media.seam import Seam

if TYPE_CHECKING:
    from headwater.media.data_subscriber import DataSubscriber
    from headwater.media.object import Statistics
    from headwater.media.publish_transport import PublishTransport
    from headwater.protocols.mediasoup import SctpStreamParameters

__all__ = ["DataPublisher"]


class DataPublisher(MediaObject):
    """One data channel in; made by `PublishTransport.publish_data`."""

    _kind = "data_publisher"
    _prefix = "dpb"
    _closed_event = DataPublisherClosed

    def __init__(self, seam: Seam, handle: int, transport: PublishTransport, label: str) -> None:
        """Use `PublishTransport.publish_data`."""
        super().__init__(seam, handle, transport)
        self._transport = transport
        self._label = label
        self._taken_by: dict[DataSubscriber, None] = {}
        self._listeners: weakref.WeakSet[EventStream[DataMessage | EventsLost]] = weakref.WeakSet()
        self._tapped = False
        self._stream: SctpStreamParameters | None = None
        self._protocol = ""

    @property
    def id(self) -> DataPublisherId:
        """The data publisher's id: what `SubscribeTransport.subscribe_data` takes."""
        return DataPublisherId(self._id)

    @property
    def transport(self) -> PublishTransport:
        """The transport on which the channel is open."""
        return self._transport

    @property
    def label(self) -> str:
        """The channel's label."""
        return self._label

    @property
    def protocol(self) -> str:
        """The channel's sub-protocol, as a client by parameters told it; else empty."""
        return self._protocol

    @property
    def subscribers(self) -> tuple[DataSubscriber, ...]:
        """Who receives it, oldest first."""
        return tuple(self._taken_by)

    def messages(self, capacity: int = 1024) -> EventStream[DataMessage | EventsLost]:
        """Start a stream of the client's messages; it ends when the data publisher closes.

        While nobody listens, messages do not reach Python at all.

        Args:
            capacity: Messages held for a slow consumer; older ones go, and `EventsLost` says so.
        """
        self._check()
        stream: EventStream[DataMessage | EventsLost] = EventStream(capacity)
        self._listeners.add(stream)
        self._tap(True)
        return stream

    async def send(self, message: str | bytes) -> None:
        """Send a message to all subscribers, as if the client had sent it.

        Args:
            message: Text or bytes.

        Raises:
            BufferFull: It does not fit the buffer of the channel.
        """
        await self._call(lambda: self._seam.native.send_data(self._handle, message))

    async def get_stats(self) -> Statistics:
        """Return this data publisher's counters.

        Raises:
            Closed: The data publisher was closed.
        """
        stats = await super().get_stats()
        if "subscribers" in stats:
            stats["subscribers"] = len(self.subscribers)  # on all media threads
        return stats

    # -- for the other classes of this package ------------------------------------------------------

    def _adopted(self) -> None:
        """Become findable, and tell the room."""
        super()._adopted()
        self._transport.router._add_data_publisher(self)
        self._tell(DataPublisherAdded(self.id, self._transport.id, self.label))

    def _taken(self, item: DataSubscriber) -> None:
        """Note a data subscriber, which closes with this."""
        self._taken_by[item] = None

    def _released(self, item: DataSubscriber) -> None:
        """Forget a data subscriber; twice is fine."""
        self._taken_by.pop(item, None)

    def _handle_event(self, event: Event) -> None:
        """Give messages to the listeners, and stop the flow when the last one has left."""
        if not isinstance(event, DataMessage):
            super()._handle_event(event)
            return
        listeners = list(self._listeners)
        for stream in listeners:
            stream.push(event)
        if not listeners:
            self._tap(False)

    def _tap(self, tapped: bool) -> None:
        if tapped != self._tapped:
            self._tapped = tapped
            self._seam.notify(self._seam.native.set_data_tap(self._handle, tapped))

    def _dependants(self) -> Iterator[tuple[MediaObject, CloseReason]]:
        for item in list(self._taken_by):
            yield item, "parent" if item._below_closing() else "publisher_closed"

    def _on_closed(self) -> None:
        self._transport.router._remove_data_publisher(self)
        for stream in list(self._listeners):
            stream.end()

    def _send_close(self) -> int:
        return self._seam.native.close_data_publisher(self._handle)
