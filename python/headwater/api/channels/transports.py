"""The transports of one connection, and how a client is told of one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

from headwater.channels import Broadcast, Viewer
from headwater.errors import LimitReached, NotFound
from headwater.media.ortc import OrtcPublishTransport, OrtcSubscribeTransport

__all__ = ["Transports", "describe"]

T = TypeVar("T", OrtcPublishTransport, OrtcSubscribeTransport)


class Transports(Generic[T]):
    """Those of one direction; a client that names none means the newest."""

    def __init__(self) -> None:
        self._transports: dict[str, T] = {}

    @property
    def open(self) -> list[T]:
        """Those that have not closed, oldest first."""
        return [transport for transport in self._transports.values() if not transport.closed]

    async def create(self, make: Callable[[], Awaitable[T]], place: Broadcast | Viewer) -> T:
        """Make one more.

        Args:
            make: How.
            place: Owns it: closes it with itself.

        Raises:
            LimitReached: There are as many as there may be.
        """
        if len(self.open) >= _MOST:
            raise LimitReached(f"a connection has up to {_MOST} transports of a kind")
        transport = await make()
        place.own(transport)
        self._transports = {item.id: item for item in self.open}
        self._transports[transport.id] = transport
        return transport

    def has(self, transport_id: str | None) -> bool:
        """Whether the one of that id is among them."""
        return transport_id in self._transports

    def get(self, transport_id: str | None) -> T:
        """Return the one of that id, or the newest.

        Raises:
            NotFound: There is none.
        """
        for transport in reversed(self.open):
            if transport_id in (None, transport.id):
                return transport
        raise NotFound("this connection has no such transport")


def describe(transport: OrtcPublishTransport | OrtcSubscribeTransport) -> dict[str, Any]:
    """What a client has to know of its transport."""
    return {
        "id": transport.id,
        "iceParameters": transport.ice_parameters,
        "iceCandidates": transport.ice_candidates,
        "dtlsParameters": transport.dtls_parameters,
        "sctpParameters": transport.sctp_parameters,
    }


_MOST = 4
