"""The Subscriber: one publisher's track on its way to one client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from headwater.ids import PublisherId, SubscriberId
from headwater.media.events import Event, PauseChanged, SubscriberClosed
from headwater.media.object import MediaObject
from headwater.media.publisher import Publisher
from headwater.media.seam import Seam

if TYPE_CHECKING:
    from headwater.media.subscribe_transport import SubscribeTransport

__all__ = ["Subscriber"]


class Subscriber(MediaObject):
    """One track out; made by `SubscribeTransport.subscribe` and `SubscribeTransport.attach`."""

    _kind = "subscriber"
    _prefix = "sub"
    _closed_event = SubscriberClosed

    def __init__(self, seam: Seam, handle: int, transport: SubscribeTransport, publisher: Publisher) -> None:
        """Use `SubscribeTransport.subscribe`."""
        super().__init__(seam, handle, transport)
        self._transport = transport
        self._publisher = publisher
        self._mid: str | None = None
        self._paused = False

    @property
    def id(self) -> SubscriberId:
        """The subscriber's id."""
        return SubscriberId(self._id)

    @property
    def transport(self) -> SubscribeTransport:
        """The transport that carries it."""
        return self._transport

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

    @property
    def mid(self) -> str | None:
        """The m-line that carries it; clients map tracks by this, never by ``msid``."""
        return self._mid

    @property
    def paused(self) -> bool:
        """Whether forwarding to this client is stopped."""
        return self._paused

    async def pause(self) -> None:
        """Stop forwarding to this client."""
        await self._set_paused(True)

    async def resume(self) -> None:
        """Forward again, from the next key frame, which is asked for."""
        await self._set_paused(False)

    # -- for the other classes of this package ------------------------------------------------------

    def _adopted(self) -> None:
        """Hang on the publisher too."""
        super()._adopted()
        self._publisher._taken(self)

    def _placed(self, mid: str) -> None:
        """Note the m-line."""
        self._mid = mid

    def _handle_event(self, event: Event) -> None:
        """Note pauses."""
        if isinstance(event, PauseChanged):
            self._paused = event.paused
        super()._handle_event(event)

    async def _set_paused(self, paused: bool) -> None:
        def done(_reply: None) -> None:
            self._paused = paused

        await self._call(lambda: self._seam.native.set_subscriber_paused(self._handle, paused), done)

    def _on_closed(self) -> None:
        self._publisher._released(self)

    def _send_close(self) -> int:
        return self._seam.native.close_subscriber(self._handle)
