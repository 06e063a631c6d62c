"""What the two WebRTC transports share: one ICE and DTLS connection with a client.

The server is ICE-lite (RFC 8445 section 2.5): its candidates are all in its first description, it
never sends checks of its own accord, and it learns the client's address from authenticated checks.
The client's candidates are accepted and not needed, so nothing has to be trickled to the client.
"""

from __future__ import annotations

from typing import Literal

from headwater.ids import TransportId
from headwater.media.events import ConnectionState, ConnectionStateChanged, Event, TransportClosed
from headwater.media.object import MediaObject
from headwater.media.seam import Seam

__all__ = ["SignalingState", "WebRtcTransport"]

SignalingState = Literal["stable", "have-local-offer", "have-remote-offer", "closed"]
"""As in the W3C's ``RTCSignalingState``."""


class WebRtcTransport(MediaObject):
    """Base of `PublishTransport` and `SubscribeTransport`."""

    _kind = "transport"
    _prefix = "trn"
    _closed_event = TransportClosed

    def __init__(self, seam: Seam, handle: int, parent: MediaObject) -> None:
        """Use the router's methods."""
        super().__init__(seam, handle, parent)
        self._connection_state: ConnectionState = "new"
        self._local_description: str | None = None
        self._remote_description: str | None = None

    @property
    def id(self) -> TransportId:
        """The transport's id."""
        return TransportId(self._id)

    @property
    def connection_state(self) -> ConnectionState:
        """ICE and DTLS together; changes come as `ConnectionStateChanged`."""
        return "closed" if self.closed else self._connection_state

    @property
    def ice_gathering_state(self) -> Literal["new", "complete"]:
        """``complete`` with the first local description, for that holds all candidates."""
        return "new" if self._local_description is None else "complete"

    @property
    def local_description(self) -> str | None:
        """The SDP that the server gave last."""
        return self._local_description

    @property
    def remote_description(self) -> str | None:
        """The SDP that the client gave last and the server accepted."""
        return self._remote_description

    async def add_ice_candidate(self, candidate: str) -> None:
        """Take a candidate that the client trickled.

        Args:
            candidate: ``candidate:…`` as browsers give it, or an ``a=candidate:…`` line; an empty
                string is the end of candidates and changes nothing.

        Raises:
            InvalidCandidate: It is not a candidate.
        """
        self._check()
        if candidate.strip() not in ("", "end-of-candidates", "a=end-of-candidates"):
            await self._call(lambda: self._seam.native.add_candidate(self._handle, candidate))

    def _handle_event(self, event: Event) -> None:
        """Note the connection's state."""
        if isinstance(event, ConnectionStateChanged):
            self._connection_state = event.state
        super()._handle_event(event)

    def _send_close(self) -> int:
        return self._seam.native.close_transport(self._handle)
