"""The RecordingTrack: one publisher's packets on their way to a recorder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headwater.ids import PublisherId, RecordingTrackId
from headwater.media.events import RecordingTrackClosed
from headwater.media.publisher import Publisher
from headwater.media.seam import Seam
from headwater.media.taking import Taking

if TYPE_CHECKING:
    from headwater.media.recording_transport import RecordingTransport

__all__ = ["RecordingTrack"]


class RecordingTrack(Taking[Publisher]):
    """One track to a recorder, until closed; made by `RecordingTransport.start_recording`."""

    _kind = "recording_track"
    _prefix = "rec"
    _closed_event = RecordingTrackClosed

    def __init__(
        self, seam: Seam, handle: int, transport: RecordingTransport, publisher: Publisher, port: int
    ) -> None:
        """Use `RecordingTransport.start_recording`."""
        super().__init__(seam, handle, transport)
        self._transport = transport
        self._publisher = publisher
        self._port = port

    @property
    def id(self) -> RecordingTrackId:
        """The recording track's id."""
        return RecordingTrackId(self._id)

    @property
    def transport(self) -> RecordingTransport:
        """The transport that carries it."""
        return self._transport

    @property
    def publisher_id(self) -> PublisherId:
        """The id of `publisher`."""
        return self._publisher.id

    @property
    def port(self) -> int:
        """The recorder's RTP port; RTCP goes to the next one."""
        return self._port

    # -- for the other classes of this package ------------------------------------------------------

    def _send_close(self) -> int:
        return self._seam.native.stop_recording(self._handle)
