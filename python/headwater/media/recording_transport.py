"""The RecordingTransport: raw RTP to a recorder such as FFmpeg, with an SDP that describes it.

::

    recording = await router.create_recording_transport("127.0.0.1", 5004)
    sdp = recording.generate_sdp(audio.id, video.id)   # give this to the recorder, and then:
    await recording.start_recording(audio.id)
    await recording.start_recording(video.id)

Each publisher has a pair of ports: RTP, and RTCP right behind it (RFC 3550 section 11), with sender
reports from which the recorder aligns audio and video. A track starts at a key frame.

FFmpeg does not see where VP9's key frames are when it comes by RTP: with ``-c copy`` it needs
``-copyinkf``, or it writes no picture. AV1 is tested with FFmpeg 9; 5.1 does not receive it.

The packets are neither encrypted nor authenticated: bind the recorder to loopback or to a network
of its own.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from headwater.errors import InvalidState, LimitReached
from headwater.ids import TransportId
from headwater.media.events import TransportClosed
from headwater.media.object import MediaObject
from headwater.media.publisher import Publisher
from headwater.media.recording_track import RecordingTrack
from headwater.media.seam import Seam
from headwater.protocols.sdp import MediaSection, SessionDescription

if TYPE_CHECKING:
    from headwater.media.router import Router

__all__ = ["RecordingTransport"]


class RecordingTransport(MediaObject):
    """A way out for recording; made by `Router.create_recording_transport`."""

    _kind = "transport"
    _prefix = "trn"
    _closed_event = TransportClosed

    def __init__(self, seam: Seam, handle: int, router: Router, address: str, port: int) -> None:
        """Use `Router.create_recording_transport`."""
        super().__init__(seam, handle, router)
        self._router = router
        self._address = address
        self._port = port
        self._places: dict[int, Publisher] = {}

    @property
    def id(self) -> TransportId:
        """The transport's id."""
        return TransportId(self._id)

    @property
    def router(self) -> Router:
        """The router it belongs to."""
        return self._router

    @property
    def address(self) -> str:
        """The recorder's IP address."""
        return self._address

    @property
    def port(self) -> int:
        """The first of the recorder's ports."""
        return self._port

    @property
    def tracks(self) -> tuple[RecordingTrack, ...]:
        """The tracks being recorded, oldest first."""
        return tuple(item for item in self._children if isinstance(item, RecordingTrack))

    def generate_sdp(self, *publisher_ids: str) -> str:
        """Describe what the recorder will receive, and reserve the ports for it.

        The codec is the one that the publisher uses; before its first packet that is the client's
        preference, so await `Publisher.wait_active` where the client may choose another.

        Args:
            publisher_ids: Publishers, or track ids unique in the router, in the order of m-lines.

        Raises:
            PublisherNotFound, AmbiguousTrack: As for `SubscribeTransport.subscribe`.
            LimitReached: There are no ports left above the first.
        """
        self._check()
        family = f"IN IP{ipaddress.ip_address(self._address).version}"
        session = SessionDescription()
        session.add("v", "0")
        session.add("o", f"- 0 0 {family} {self._address}")
        session.add("s", "Headwater")
        session.add("c", f"{family} {self._address}")
        session.add("t", "0 0")
        for id_ in publisher_ids:
            publisher = self._router.publisher(id_)
            session.media.append(_describe(publisher, self._reserve(publisher)))
        return str(session)

    async def start_recording(self, id_: str) -> RecordingTrack:
        """Send a publisher's packets to the recorder from the next key frame on.

        Args:
            id_: A publisher's id, or a track id that is unique in the router.

        Raises:
            PublisherNotFound, AmbiguousTrack: As for `SubscribeTransport.subscribe`.
            InvalidState: It is being recorded on this transport already.
            LimitReached: There are no ports left above the first.
        """
        self._check()
        publisher = self._router.publisher(id_)
        if any(track.publisher is publisher for track in self.tracks):
            raise InvalidState(f"{publisher!r} is being recorded on {self!r} already")
        port = self._reserve(publisher)
        native = self._seam.native
        track = RecordingTrack(self._seam, native.allocate(self._handle), self, publisher, port)
        return await self._create(
            track,
            lambda: native.start_recording(
                self._handle, track._handle, publisher._handle, self._address, port
            ),
        )

    def _reserve(self, publisher: Publisher) -> int:
        """Return the publisher's port: the one it has, else the lowest that no open publisher has."""
        for port, holder in self._places.items():
            if holder is publisher:
                return port
        port = self._port
        while port in self._places and not self._places[port].closed:
            port += PORTS_PER_TRACK
        if port + 1 > MAX_PORT:
            raise LimitReached(f"no ports are left for another track above {self._port}")
        self._places[port] = publisher
        return port

    def _send_close(self) -> int:
        return self._seam.native.close_transport(self._handle)


def _describe(publisher: Publisher, port: int) -> MediaSection:
    codec = publisher.codec
    number = str(codec.payload_type)
    channels = f"/{codec.channels}" if codec.channels else ""
    section = MediaSection(kind=publisher.kind, port=port, protocol="RTP/AVP", formats=[number])
    section.add("a", f"rtpmap:{number} {codec.encoding}/{codec.clock_rate}{channels}")
    if codec.fmtp:
        section.add("a", f"fmtp:{number} {codec.fmtp}")
    section.add("a", f"rtcp:{port + 1}")
    section.add("a", "recvonly")
    return section


PORTS_PER_TRACK = 2
"""RTP and RTCP."""

MAX_PORT = 65535
