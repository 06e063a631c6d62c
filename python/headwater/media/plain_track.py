"""The PlainTrack: one publisher's packets on their way to the peer of a plain transport."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headwater.errors import ConfigurationError
from headwater.ids import PlainTrackId, PublisherId
from headwater.media.codec import Codec
from headwater.media.events import Event, PauseChanged, PlainTrackClosed
from headwater.media.object import MediaObject
from headwater.media.publisher import Publisher
from headwater.media.rtp_parameters import codec_parameters
from headwater.media.seam import Seam

if TYPE_CHECKING:
    from headwater._core import _native
    from headwater.media.plain_transport import PlainTransport

__all__ = ["PlainTrack"]


class PlainTrack(MediaObject):
    """One track out, until closed; made by `PlainTransport.consume`."""

    _kind = "recording_track"
    _prefix = "ptk"
    _closed_event = PlainTrackClosed

    def __init__(
        self, seam: Seam, handle: int, transport: PlainTransport, publisher: Publisher, *, paused: bool
    ) -> None:
        """Use `PlainTransport.consume`."""
        super().__init__(seam, handle, transport)
        self._transport = transport
        self._publisher = publisher
        self._paused = paused
        self._ssrc = 0

    @property
    def id(self) -> PlainTrackId:
        """The track's id."""
        return PlainTrackId(self._id)

    @property
    def transport(self) -> PlainTransport:
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
    def ssrc(self) -> int:
        """The SSRC of its packets."""
        return self._ssrc

    @property
    def codec(self) -> Codec:
        """The publisher's codec; its payload type is that of the packets."""
        return self._publisher.codec

    @property
    def paused(self) -> bool:
        """Whether it is stopped."""
        return self._paused

    @property
    def rtp_parameters(self) -> dict[str, Any]:
        """What its packets are, as mediasoup writes it."""
        codec = self.codec
        described: dict[str, Any] = {
            "mimeType": codec.mime,
            "payloadType": codec.payload_type,
            "clockRate": codec.clock_rate,
            "parameters": codec_parameters(codec.fmtp),
            "rtcpFeedback": [],
        }
        if codec.channels:
            described["channels"] = codec.channels
        if codec.kind == "video":
            described["rtcpFeedback"] = [
                {"type": "nack", "parameter": "pli"},
                {"type": "ccm", "parameter": "fir"},
            ]
        rtcp = {"cname": f"{self._transport._handle:016x}", "reducedSize": False}
        return {"codecs": [described], "encodings": [{"ssrc": self._ssrc}], "rtcp": rtcp}

    async def pause(self) -> None:
        """Stop sending; the peer hears sender reports still."""
        await self._set_paused(True)

    async def resume(self) -> None:
        """Send again, from the next key frame, which is asked for."""
        await self._set_paused(False)

    async def request_key_frame(self) -> None:
        """Ask the publishing client for a key frame; requests are coalesced to one per 500 ms."""
        await self._publisher.request_key_frame()

    async def set_preferred_layer(self, spatial: int, temporal: int | None = None) -> None:
        """Send no higher layer than this one; less where the publisher has no more.

        Args:
            spatial: The highest spatial layer; an encoding of simulcast, the smallest is 0.
            temporal: The highest temporal layer; all of them if ``None``.

        Raises:
            ConfigurationError: There can be no such layer.
        """
        for layer in (spatial, temporal):
            if layer is not None and not 0 <= layer <= _HIGHEST_LAYER:
                raise ConfigurationError(f"a layer is between 0 and {_HIGHEST_LAYER}, not {layer}")
        native = self._seam.native
        await self._call(
            lambda: native.set_track_preferences(self._handle, spatial=spatial, temporal=temporal)
        )

    # -- for the other classes of this package ------------------------------------------------------

    def _opened(self, reply: _native.ConsumedReply) -> None:
        """Take the SSRC from the reply that made the track."""
        self._ssrc = reply.ssrc

    def _adopted(self) -> None:
        """Hang on the publisher too."""
        super()._adopted()
        self._publisher._taken(self)

    def _handle_event(self, event: Event) -> None:
        """Note pauses."""
        if isinstance(event, PauseChanged):
            self._paused = event.paused
        super()._handle_event(event)

    async def _set_paused(self, paused: bool) -> None:
        def done(_reply: None) -> None:
            self._paused = paused

        await self._call(lambda: self._seam.native.set_track_paused(self._handle, paused), done)

    def _on_closed(self) -> None:
        self._publisher._released(self)

    def _send_close(self) -> int:
        return self._seam.native.stop_recording(self._handle)


_HIGHEST_LAYER = 7
