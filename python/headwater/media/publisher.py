"""The Publisher: one track that a client sends, available to the router's subscribe transports."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal, cast

from headwater.ids import PublisherId
from headwater.media.codec import Codec
from headwater.media.events import (
    CloseReason,
    Event,
    PauseChanged,
    PublisherActive,
    PublisherAdded,
    PublisherClosed,
)
from headwater.media.layer import Content
from headwater.media.object import MediaObject
from headwater.media.seam import Seam, codec_from_native
from headwater.media.track import LocalTrack

if TYPE_CHECKING:
    from headwater._core import _native
    from headwater.media.object import Statistics
    from headwater.media.plain_track import PlainTrack
    from headwater.media.plain_transport import PlainTransport
    from headwater.media.publish_transport import PublishTransport
    from headwater.media.recording_track import RecordingTrack
    from headwater.media.subscriber import Subscriber
    from headwater.protocols.mediasoup import RtpParameters

__all__ = ["Publisher"]


class Publisher(MediaObject):
    """One track in; made by `PublishTransport.publish` or `PlainTransport.produce`."""

    _kind = "publisher"
    _prefix = "pub"
    _closed_event = PublisherClosed

    def __init__(
        self, seam: Seam, handle: int, transport: PublishTransport | PlainTransport, track: LocalTrack
    ) -> None:
        """Use `PublishTransport.publish` or `PlainTransport.produce`."""
        super().__init__(seam, handle, transport)
        self._transport = transport
        self._track = track
        self._codec: Codec | None = None
        self._active = False
        self._paused = False
        self._taken_by: dict[MediaObject, None] = {}
        self._rtp_parameters: RtpParameters | None = None

    @property
    def id(self) -> PublisherId:
        """The publisher's id: what `SubscribeTransport.subscribe` takes."""
        return PublisherId(self._id)

    @property
    def transport(self) -> PublishTransport | PlainTransport:
        """The transport on which the track arrives."""
        return self._transport

    @property
    def track(self) -> LocalTrack:
        """The track, as offered when it was published."""
        return self._track

    @property
    def track_id(self) -> str:
        """The browser's track id; of a plain transport, the one given to ``produce``."""
        return self._track.track_id

    @property
    def kind(self) -> Literal["audio", "video"]:
        """Audio or video."""
        return self._track.kind

    @property
    def codec(self) -> Codec:
        """What it sends: the client's preference until packets say otherwise (`active`)."""
        assert self._codec is not None, "set by the reply that made the publisher"
        return self._codec

    @property
    def rtp_parameters(self) -> RtpParameters | None:
        """As its client told them; ``None`` of a client that speaks SDP."""
        return self._rtp_parameters

    @property
    def scalability_mode(self) -> str | None:
        """Its spatial and temporal layers, as in ``L3T3``; ``None`` when there is one of each.

        Of simulcast the encodings are the spatial layers. Temporal layers are told by clients that
        speak parameters; of others three are taken for granted, as browsers send them.
        """
        encodings = self._rtp_parameters.encodings if self._rtp_parameters else ()
        told = next((item.scalability_mode for item in encodings if item.scalability_mode), None)
        count = max(len(self._track.rids), len(encodings))
        if count <= 1:
            return told
        temporal = told.partition("T")[2][:1] if told else "1" if encodings else "3"
        return f"L{count}T{temporal}"

    @property
    def active(self) -> bool:
        """Whether packets have arrived; `PublisherActive` tells when."""
        return self._active

    @property
    def paused(self) -> bool:
        """Whether forwarding to every subscriber is stopped."""
        return self._paused

    @property
    def subscribers(self) -> tuple[Subscriber, ...]:
        """Who receives it, oldest first."""
        return tuple(cast("Subscriber", item) for item in self._taken_by if item._kind == "subscriber")

    @property
    def recording_tracks(self) -> tuple[RecordingTrack, ...]:
        """Where it is recorded, oldest first."""
        return tuple(cast("RecordingTrack", item) for item in self._taken_by if item._prefix == "rec")

    @property
    def plain_tracks(self) -> tuple[PlainTrack, ...]:
        """Where plain transports send it, oldest first."""
        return tuple(cast("PlainTrack", item) for item in self._taken_by if item._prefix == "ptk")

    async def wait_active(self) -> Codec:
        """Wait for the first packet and return the codec in use.

        Raises:
            Closed: The publisher closed before.
        """
        events = self.events()
        self._check()
        if not self._active:
            async for event in events:
                if isinstance(event, PublisherActive):
                    break
            self._check()
        return self.codec

    async def pause(self) -> None:
        """Stop forwarding to every subscriber; the client goes on sending."""
        await self._set_paused(True)

    async def resume(self) -> None:
        """Forward again, from the next key frame, which is asked for."""
        await self._set_paused(False)

    async def request_key_frame(self) -> None:
        """Ask the client for a key frame; requests are coalesced to one per 500 ms."""
        await self._call(lambda: self._seam.native.request_key_frame(self._handle))

    async def set_content(self, content: Content) -> None:
        """Say what the picture shows, and with it what to give up first on a narrow line.

        Sound is a person's voice (``camera``) or not: that of a film (``motion``) or of a broadcast fills
        no slot by itself.
        """
        await self._call(lambda: self._seam.native.set_publisher_content(self._handle, content))

    async def get_stats(self) -> Statistics:
        """Return this publisher's counters.

        Raises:
            Closed: The publisher was closed.
        """
        stats = await super().get_stats()
        if "subscribers" in stats:
            stats["subscribers"] = len(self.subscribers)  # on all media threads
        return stats

    # -- for the other classes of this package ------------------------------------------------------

    def _opened(self, reply: _native.PublishedReply) -> None:
        """Take the codec from the reply that made the publisher."""
        self._codec = codec_from_native(reply.codec)

    def _adopted(self) -> None:
        """Become findable, and tell the room."""
        super()._adopted()
        self._transport.router._add_publisher(self)
        self._tell(PublisherAdded(self.id, self._transport.id, self.kind, self.track_id))

    def _taken(self, item: MediaObject) -> None:
        """Note a subscriber or recording track that closes with this."""
        self._taken_by[item] = None

    def _released(self, item: MediaObject) -> None:
        """Forget a subscriber or recording track; twice is fine."""
        self._taken_by.pop(item, None)

    def _handle_event(self, event: Event) -> None:
        """Note activity and pauses."""
        if isinstance(event, PublisherActive):
            self._codec = event.codec
            self._active = True
        elif isinstance(event, PauseChanged):
            self._paused = event.paused
        super()._handle_event(event)

    async def _set_paused(self, paused: bool) -> None:
        def done(_reply: None) -> None:
            self._paused = paused

        await self._call(lambda: self._seam.native.set_publisher_paused(self._handle, paused), done)

    def _dependants(self) -> Iterator[tuple[MediaObject, CloseReason]]:
        for item in list(self._taken_by):
            yield item, "parent" if item._below_closing() else "publisher_closed"

    def _on_closed(self) -> None:
        self._transport.router._remove_publisher(self)

    def _send_close(self) -> int:
        return self._seam.native.close_publisher(self._handle)
