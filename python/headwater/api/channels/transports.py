"""The transports of one connection, and how a client is told of one."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

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

    def check_room(self) -> None:
        """Refuse one too many.

        Raises:
            LimitReached: There are as many as there may be.
        """
        if len(self.open) >= _MOST:
            raise LimitReached(f"a connection has up to {_MOST} transports of a kind")

    def add(self, transport: T) -> None:
        """Take one in."""
        self._transports = {id_: item for id_, item in self._transports.items() if not item.closed}
        self._transports[transport.id] = transport

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
