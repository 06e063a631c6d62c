"""The asyncio side of the seam: commands go down, replies and events come up in batches.

A command returns its number at once. `Seam.call` remembers what to do with the reply and hands out
a future. The media threads make one eventfd readable; the loop then drains a batch and works it off
in order: a reply runs its ``done`` before the next event of the batch is looked at, so an event
about a new object always finds the object in the state that its reply described.

``done`` and ``failed`` run even when nobody waits any more: a cancelled caller must not leave a
transport believing that its offer is still under way.

Every object is registered under its handle *before* its create command is sent, and leaves when it
closes; an event about a handle that is not registered is about something already closed here.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, cast

from headwater.errors import Closed, InvalidState, NotFound, WorkerClosed
from headwater.ids import PublisherId, RouterId, SubscriberId, TransportId
from headwater.media.codec import Codec
from headwater.media.events import (
    ActiveSpeaker,
    AudioLevels,
    ConnectionQuality,
    ConnectionStateChanged,
    DataChannelOpened,
    DataMessage,
    Event,
    LayerChanged,
    LayersWanted,
    NegotiationNeeded,
    PauseChanged,
    PeerFound,
    PublisherActive,
    SlotChanged,
)
from headwater.media.layer import Layer

if TYPE_CHECKING:
    from headwater._core import _native
    from headwater.media.object import MediaObject

__all__ = ["Kind", "Seam", "codec_from_native"]

Kind = Literal[
    "router", "transport", "publisher", "subscriber", "data_publisher", "data_subscriber", "recording_track"
]
"""Kinds of objects, as the core names them."""


class Seam:
    """Owns the compiled Worker for one event loop: pending replies, and which handle is what."""

    def __init__(self, native: _native.Worker) -> None:
        """Start listening on the running loop."""
        self.native = native
        self._loop = asyncio.get_running_loop()
        self._pending: dict[int, _Pending] = {}
        self._objects: dict[tuple[str, int], MediaObject] = {}
        self._open = True
        self._stopped = asyncio.Event()
        self._descriptor = native.fileno()
        self.unclaimed = 0
        """Events about objects that were already closed on this side."""
        self._loop.add_reader(self._descriptor, self._drain)

    @property
    def open(self) -> bool:
        """False once the Worker is closed."""
        return self._open

    @property
    def pending(self) -> int:
        """Commands whose reply is still awaited."""
        return len(self._pending)

    def check(self) -> None:
        """Refuse a call that cannot reach the core.

        Raises:
            WorkerClosed: The Worker was closed.
            InvalidState: The call comes from another event loop than the one that opened the Worker.
        """
        if not self._open:
            raise WorkerClosed("the Worker was closed")
        if asyncio.get_running_loop() is not self._loop:
            raise InvalidState("a Worker and its objects belong to the event loop that opened the Worker")

    def call(
        self,
        request: int,
        done: Callable[[Any], Any] | None = None,
        failed: Callable[[Exception], None] | None = None,
    ) -> asyncio.Future[Any]:
        """Return a future for the outcome of command ``request``, which was just sent.

        Args:
            request: What the command method of the core returned.
            done: Turns the reply's value into the future's result, in order with the events.
            failed: Told of a failure, in order with the events.
        """
        future = self._loop.create_future()
        self._pending[request] = _Pending(future, done, failed)
        return future

    def notify(self, request: int) -> asyncio.Future[Any]:
        """Let a command's outcome pass unheard: a close of something that may be gone already."""
        future = self.call(request)
        future.add_done_callback(_retrieve)
        return future

    def register(self, kind: Kind, handle: int, item: MediaObject) -> None:
        """Route events about ``handle`` to ``item``."""
        self._objects[kind, handle] = item

    def unregister(self, kind: Kind, handle: int) -> None:
        """Stop routing; unknown handles are fine."""
        self._objects.pop((kind, handle), None)

    def find(self, kind: Kind, handle: int) -> MediaObject | None:
        """Return the open object behind a handle."""
        return self._objects.get((kind, handle))

    def publisher_id(self, handle: int | None) -> PublisherId | None:
        """Name the open publisher behind a handle."""
        publisher = None if handle is None else self.find("publisher", handle)
        return None if publisher is None else PublisherId(publisher.id)

    def stop(self) -> None:
        """Stop listening; whoever still waits gets `WorkerClosed`."""
        if not self._open:
            return
        self._open = False
        self._stopped.set()
        self._loop.remove_reader(self._descriptor)
        pending, self._pending = self._pending, {}
        for waiting in pending.values():
            waiting.settle(error=WorkerClosed("the Worker was closed"))
        self._objects.clear()

    async def wait_stopped(self, seconds: float) -> None:
        """Sleep, but not longer than the Worker is open."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, seconds)):
                await self._stopped.wait()

    def _drain(self) -> None:
        """Work off one batch; the descriptor stays readable while more is waiting."""
        for event in self.native.drain_events():
            try:
                self._dispatch(event)
            except Exception:
                logger.exception("could not handle %s", type(event).__name__)

    def _dispatch(self, event: Any) -> None:
        name = type(event).__name__  # by name: the fake core of `headwater.testing` has classes of its own
        if name == "Replied":
            reply = cast("_native.Replied", event)
            self._settle(reply.request, value=reply.value)
        elif name == "Failed":
            failure = cast("_native.Failed", event)
            self._settle(failure.request, error=failure.error)
        elif name == "Closed":
            closed = cast("_native.Closed", event)
            item = self.find(closed.kind, closed.handle)
            if item is None:
                self.unclaimed += 1
            else:
                item._mark_closed(closed.reason)
        elif name in ("ActiveSpeaker", "AudioLevels"):
            self._deliver_voices(event)
        elif name == "SlotChanged":
            self._deliver_slot(event)
        else:
            self._deliver(name, event)

    def _settle(self, request: int, value: Any = None, error: Exception | None = None) -> None:
        pending = self._pending.pop(request, None)
        if pending is None:
            self.unclaimed += 1
        else:
            pending.settle(value, error)

    def _deliver(self, name: str, native_event: Any) -> None:
        kind, handle, convert = _EVENTS[name]
        item = self.find(kind or native_event.kind, getattr(native_event, handle))
        if item is None:
            self.unclaimed += 1
        else:
            item._handle_event(convert(item.id, native_event))

    def _deliver_voices(self, event: Any) -> None:
        """Deliver what a router hears; of publishers that have closed nothing is told."""
        router = self.find("router", event.router)
        if router is None:
            self.unclaimed += 1
        elif type(event).__name__ == "ActiveSpeaker":
            speaker = self.publisher_id(event.publisher)
            router._handle_event(ActiveSpeaker(RouterId(router.id), speaker))
        else:
            levels = ((self.publisher_id(handle), level) for handle, level in event.levels)
            known = tuple((id_, level) for id_, level in levels if id_ is not None)
            router._handle_event(AudioLevels(RouterId(router.id), known))

    def _deliver_slot(self, event: Any) -> None:
        """Deliver who fills a slot now."""
        slot = self.find("subscriber", event.subscriber)
        if slot is None:
            self.unclaimed += 1
        else:
            publisher = self.publisher_id(event.publisher)
            slot._handle_event(SlotChanged(SubscriberId(slot.id), publisher))


class _Pending:
    """One command on its way."""

    __slots__ = ("_done", "_failed", "_future")

    def __init__(
        self,
        future: asyncio.Future[Any],
        done: Callable[[Any], Any] | None,
        failed: Callable[[Exception], None] | None,
    ) -> None:
        self._future = future
        self._done = done
        self._failed = failed

    def settle(self, value: Any = None, error: Exception | None = None) -> None:
        """Run the callbacks, then wake whoever still waits."""
        result = value
        if error is None and self._done is not None:
            try:
                result = self._done(value)
            except Exception as raised:  # a bug or a bad reply: the caller must hear it, not the log
                error = raised
        if error is not None and self._failed is not None:
            self._failed(error)
        if self._future.done():
            return
        if type(error) is NotFound:  # the core forgets what closed; here it is known to have existed
            error = Closed(str(error))
        if error is None:
            self._future.set_result(result)
        else:
            self._future.set_exception(error)


def codec_from_native(codec: _native.Codec) -> Codec:
    """Copy the core's codec into a value of ours."""
    return Codec(codec.mime, codec.payload_type, codec.clock_rate, codec.channels, codec.fmtp)


def _retrieve(future: asyncio.Future[Any]) -> None:
    """Look at the outcome, so that asyncio does not report it as never retrieved."""
    if not future.cancelled() and (error := future.exception()) is not None:
        logger.debug("unheard: %s", error)


def _connection_state(id_: str, event: Any) -> Event:
    return ConnectionStateChanged(TransportId(id_), event.state)


def _negotiation_needed(id_: str, _event: Any) -> Event:
    return NegotiationNeeded(TransportId(id_))


def _publisher_active(id_: str, event: Any) -> Event:
    return PublisherActive(PublisherId(id_), codec_from_native(event.codec))


def _paused(id_: str, event: Any) -> Event:
    return PauseChanged(id_, event.paused)


def _layer_changed(id_: str, event: Any) -> Event:
    before, after = (None if pair is None else Layer(*pair) for pair in (event.before, event.after))
    return LayerChanged(SubscriberId(id_), before, after, event.reason, event.estimate)


def _layers_wanted(id_: str, event: Any) -> Event:
    maximum = None if event.maximum is None else Layer(*event.maximum)
    encodings = tuple((rid, active) for rid, active in event.encodings)
    return LayersWanted(PublisherId(id_), encodings, maximum)


def _connection_quality(id_: str, event: Any) -> Event:
    return ConnectionQuality(TransportId(id_), event.score)


def _peer_found(id_: str, event: Any) -> Event:
    return PeerFound(TransportId(id_), event.remote, event.rtcp_remote)


def _data_channel_opened(id_: str, event: Any) -> Event:
    return DataChannelOpened(
        TransportId(id_), event.label, event.ordered, event.max_retransmits, event.max_packet_lifetime
    )


def _data_message(_id: str, event: Any) -> Event:
    return DataMessage(event.payload if event.binary else event.payload.decode("utf-8", "replace"))


_EVENTS: dict[str, tuple[Kind | None, str, Callable[[str, Any], Event]]] = {
    "ConnectionStateChanged": ("transport", "transport", _connection_state),
    "NegotiationNeeded": ("transport", "transport", _negotiation_needed),
    "PublisherActive": ("publisher", "publisher", _publisher_active),
    "Paused": (None, "handle", _paused),
    "PeerFound": ("transport", "transport", _peer_found),
    "LayersWanted": ("publisher", "publisher", _layers_wanted),
    "ConnectionQuality": ("transport", "transport", _connection_quality),
    "LayerChanged": ("subscriber", "subscriber", _layer_changed),
    "DataChannelOpened": ("transport", "transport", _data_channel_opened),
    "DataMessage": ("data_publisher", "data_publisher", _data_message),
}
"""Native event -> (kind of object, or None when the event says it; attribute of the handle; converter)."""

logger = logging.getLogger(__name__)
