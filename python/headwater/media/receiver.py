"""A Receiver: one m-line out, whoever it carries; the base of `Subscriber` and `Slot`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headwater.errors import ConfigurationError
from headwater.ids import SubscriberId
from headwater.media.decision import Decision, decisions_from_native
from headwater.media.events import Event, LayerChanged, PauseChanged, SubscriberClosed
from headwater.media.layer import Content, Layer
from headwater.media.object import MediaObject
from headwater.media.seam import Seam

if TYPE_CHECKING:
    from headwater.media.subscribe_transport import SubscribeTransport

__all__ = ["Receiver"]


class Receiver(MediaObject):
    """What a subscriber and a slot have in common."""

    _kind = "subscriber"
    _prefix = "sub"
    _closed_event = SubscriberClosed

    def __init__(self, seam: Seam, handle: int, transport: SubscribeTransport) -> None:
        """Use the methods of `SubscribeTransport`."""
        super().__init__(seam, handle, transport)
        self._transport = transport
        self._mid: str | None = None
        self._paused = False
        self._layer: Layer | None = None

    @property
    def id(self) -> SubscriberId:
        """Its id."""
        return SubscriberId(self._id)

    @property
    def transport(self) -> SubscribeTransport:
        """The transport that carries it."""
        return self._transport

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

    @property
    def layer(self) -> Layer | None:
        """What passes now of a video; ``None`` before the first picture and while nothing does."""
        return self._layer

    async def set_preferred_layer(self, spatial: int, temporal: int | None = None) -> None:
        """Send no higher layer than this one; less where the line or the publisher has no more.

        A publisher's encodings are its spatial layers, the smallest picture is 0; with SVC, the layers
        inside its stream are. Other preferences that were set before are forgotten.

        Args:
            spatial: The highest spatial layer.
            temporal: The highest temporal layer; all of them if ``None``.

        Raises:
            ConfigurationError: There can be no such layer.
        """
        await self.set_preferences(spatial=spatial, temporal=temporal)

    async def set_preferences(
        self,
        *,
        spatial: int | None = None,
        temporal: int | None = None,
        min_spatial: int | None = None,
        min_temporal: int | None = None,
        max_spatial: int | None = None,
        max_temporal: int | None = None,
        width: int | None = None,
        height: int | None = None,
        max_fps: int | None = None,
        priority: int | None = None,
        content: Content | None = None,
    ) -> None:
        """Say what this client has use for; the whole set replaces the one before, ``None`` is no wish.

        Args:
            spatial: The preferred spatial layer, a ceiling.
            temporal: The preferred temporal layer, a ceiling.
            min_spatial: Rather nothing than less.
            min_temporal: Rather nothing than less.
            max_spatial: Never more, whatever is preferred.
            max_temporal: Never more, whatever is preferred.
            width: Pixels at which it is shown.
            height: Pixels at which it is shown.
            max_fps: Frames per second that are enough.
            priority: 1 to 255, its weight when not everything fits the line; 128 unless said.
            content: What is shed first; as the publisher says unless said.

        Raises:
            ConfigurationError: A value is out of its range.
        """
        layers = {
            "spatial": spatial, "temporal": temporal, "min_spatial": min_spatial,
            "min_temporal": min_temporal, "max_spatial": max_spatial, "max_temporal": max_temporal,
        }  # fmt: skip
        for name, layer in layers.items():
            _check(name, layer, 0, _HIGHEST_LAYER)
        for name, pixels in {"width": width, "height": height}.items():
            _check(name, pixels, 1, _MOST_PIXELS)
        _check("max_fps", max_fps, 1, _BYTE)
        _check("priority", priority, 1, _BYTE)
        await self._call(
            lambda: self._seam.native.set_preferences(
                self._handle,
                **layers,
                width=width,
                height=height,
                max_fps=max_fps,
                priority=_USUAL_PRIORITY if priority is None else priority,
                content=content,
            )
        )

    async def journal(self) -> tuple[Decision, ...]:
        """Return the last decisions about what this client gets and why, oldest first.

        Raises:
            Closed: The object was closed.
        """
        decisions: tuple[Decision, ...] = await self._call(
            lambda: self._seam.native.get_journal(self._handle),
            lambda reply: decisions_from_native(reply, self._seam.publisher_id),
        )
        return decisions

    # -- for the other classes of this package ------------------------------------------------------

    def _placed(self, mid: str) -> None:
        """Note the m-line."""
        self._mid = mid

    def _handle_event(self, event: Event) -> None:
        """Note pauses and layers."""
        if isinstance(event, PauseChanged):
            self._paused = event.paused
        elif isinstance(event, LayerChanged):
            self._layer = event.after
        super()._handle_event(event)

    async def _set_paused(self, paused: bool) -> None:
        def done(_reply: None) -> None:
            self._paused = paused

        await self._call(lambda: self._seam.native.set_subscriber_paused(self._handle, paused), done)

    def _send_close(self) -> int:
        return self._seam.native.close_subscriber(self._handle)


def _check(name: str, value: int | None, least: int, most: int) -> None:
    if value is not None and not least <= value <= most:
        raise ConfigurationError(f"{name} is a number from {least} to {most}, not {value}")


_HIGHEST_LAYER = 7
_MOST_PIXELS = 65_535
_BYTE = 255
_USUAL_PRIORITY = 128
