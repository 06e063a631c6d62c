"""The PublishTransport: a client's media and data channels come in. The client offers.

``get_answer`` makes the offered tracks known; ``publish`` makes one available to the router::

    answer = await publishing.get_answer(offer)
    for track in publishing.unpublished:
        await publishing.publish(track)

A later offer may add tracks, end tracks or restart ICE; ending a track closes its publisher.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headwater.errors import AmbiguousTrack, InvalidSdp, TrackNotFound
from headwater.media.data_publisher import DataPublisher
from headwater.media.events import TrackAdded, TrackRemoved
from headwater.media.publisher import Publisher
from headwater.media.seam import Seam
from headwater.media.track import LocalTrack
from headwater.media.transport import SignalingState, WebRtcTransport
from headwater.protocols.sdp import parse_sdp

if TYPE_CHECKING:
    from headwater._core import _native
    from headwater.media.router import Router

__all__ = ["PublishTransport"]


class PublishTransport(WebRtcTransport):
    """One client's sending connection; made by `Router.create_publish_transport`."""

    def __init__(self, seam: Seam, handle: int, router: Router) -> None:
        """Use `Router.create_publish_transport`."""
        super().__init__(seam, handle, router)
        self._router = router
        self._tracks: dict[str, LocalTrack] = {}
        self._answering = 0

    @property
    def router(self) -> Router:
        """The router it belongs to."""
        return self._router

    @property
    def signaling_state(self) -> SignalingState:
        """``have-remote-offer`` while an offer is being answered."""
        if self.closed:
            return "closed"
        return "have-remote-offer" if self._answering else "stable"

    @property
    def tracks(self) -> tuple[LocalTrack, ...]:
        """The tracks that the client sends, in the order of its last offer."""
        return tuple(track for track in self._tracks.values() if track.active)

    @property
    def unpublished(self) -> tuple[LocalTrack, ...]:
        """Those of `tracks` that have no publisher yet."""
        taken = {publisher.track.mid for publisher in self.publishers}
        return tuple(track for track in self.tracks if track.mid not in taken)

    @property
    def publishers(self) -> tuple[Publisher, ...]:
        """The open publishers, oldest first."""
        return tuple(item for item in self._children if isinstance(item, Publisher))

    @property
    def data_publishers(self) -> tuple[DataPublisher, ...]:
        """The open data publishers, oldest first."""
        return tuple(item for item in self._children if isinstance(item, DataPublisher))

    async def get_answer(self, offer: str) -> str:
        """Answer the client's offer, the first or a later one.

        Args:
            offer: SDP as the client's ``createOffer`` gave it.

        Raises:
            InvalidSdp: It cannot be parsed, or contradicts an earlier one.
            UnsupportedCodec: It has no codec that the router carries.
        """

        def done(reply: _native.AnswerReply) -> str:
            self._remote_description = offer
            self._local_description = reply.sdp
            self._update_tracks(reply.tracks)
            return reply.sdp

        self._check()
        self._answering += 1
        try:
            answer: str = await self._call(lambda: self._seam.native.accept_offer(self._handle, offer), done)
            return answer
        finally:
            self._answering -= 1

    async def restart_ice(self, offer: str) -> str:
        """Answer an offer that restarts ICE: only the client can start that on its own connection.

        Args:
            offer: SDP made after the client's ``restartIce()``.

        Raises:
            InvalidSdp: The offer has the ICE credentials of the last one, so restarts nothing.
        """
        self._check()
        before = self._remote_description
        if before is not None and parse_sdp(offer).ice_credentials() == parse_sdp(before).ice_credentials():
            raise InvalidSdp("the offer does not restart ICE: it has the credentials of the last one")
        return await self.get_answer(offer)

    async def publish(self, track: str | LocalTrack) -> Publisher:
        """Make an offered track available to the router.

        Args:
            track: The browser's track id, or one of `tracks`.

        Raises:
            TrackNotFound: The client offers no such track, or it is published already.
            AmbiguousTrack: The client offers several tracks of that id; pass one of `tracks`.
        """
        self._check()
        found = self._find_track(track)
        native = self._seam.native
        publisher = Publisher(self._seam, native.allocate(self._handle), self, found)

        def done(reply: _native.PublishedReply) -> None:
            publisher._opened(reply)

        return await self._create(
            publisher, lambda: native.publish(self._handle, publisher._handle, found.mid), done
        )

    async def publish_data(self, label: str) -> DataPublisher:
        """Make the client's data channel of that label available, now or when it opens.

        Args:
            label: The label the client gave to ``createDataChannel``.
        """
        self._check()
        native = self._seam.native
        publisher = DataPublisher(self._seam, native.allocate(self._handle), self, label)
        return await self._create(
            publisher, lambda: native.publish_data(self._handle, publisher._handle, label)
        )

    def _find_track(self, wanted: str | LocalTrack) -> LocalTrack:
        if isinstance(wanted, LocalTrack):
            candidates = [track for track in self.tracks if track.mid == wanted.mid]
        else:
            candidates = [track for track in self.tracks if track.track_id == wanted]
        free = [track for track in candidates if track in self.unpublished]
        if len(free) > 1:
            raise AmbiguousTrack(f"the client offers {len(free)} tracks {wanted!r}; pass one of `tracks`")
        if not free:
            state = "is published already" if candidates else "is not offered"
            name = wanted.track_id if isinstance(wanted, LocalTrack) else wanted
            raise TrackNotFound(f"the track {name!r} {state} on {self!r}")
        return free[0]

    def _update_tracks(self, native_tracks: list[Any]) -> None:
        """Compare with what was offered before, and tell what came and went."""
        before = {(track.mid, track.track_id): track for track in self.tracks}
        self._tracks = {
            track.mid: LocalTrack(
                track.mid, track.kind, track.track_id, track.stream_id, track.active, tuple(track.rids)
            )
            for track in native_tracks
        }
        now = {(track.mid, track.track_id): track for track in self.tracks}
        for key in before.keys() - now.keys():
            self._tell(TrackRemoved(self.id, before[key]))
        for key, track in now.items():
            if key not in before:
                self._tell(TrackAdded(self.id, track))
