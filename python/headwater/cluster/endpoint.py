"""Endpoints: one peer in one room, whatever protocol carries it.

An endpoint is carried by one connection, whose id ``<node>.<random>`` names the node that holds it,
so that any gateway can send a later request to the right place. This directory knows the
endpoints of its own process.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from headwater.errors import LimitReached, NotFound
from headwater.ids import ConnId, new_conn_id

__all__ = ["Endpoint", "EndpointProtocol", "Endpoints", "node_of"]

EndpointProtocol = Literal["webrtc", "whip", "whep"]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One peer in one room, and the connection that carries it."""

    conn_id: ConnId
    room_id: str
    peer_id: str
    protocol: EndpointProtocol


class Endpoints:
    """The endpoints of this node.

    Args:
        node: Name of the node; empty makes a random one.
        limit: How many it takes before it refuses.
    """

    def __init__(self, *, node: str = "", limit: int = 4000) -> None:
        self.node = node or secrets.token_hex(4)
        self._limit = limit
        self._by_conn: dict[ConnId, Endpoint] = {}

    def __len__(self) -> int:
        return len(self._by_conn)

    def open(self, *, room_id: str, peer_id: str, protocol: EndpointProtocol) -> Endpoint:
        """Register a connection under a fresh id.

        Raises:
            LimitReached: The node carries as many as it may.
        """
        if len(self._by_conn) >= self._limit:
            raise LimitReached("this server is full")
        endpoint = Endpoint(new_conn_id(self.node), room_id, peer_id, protocol)
        self._by_conn[endpoint.conn_id] = endpoint
        return endpoint

    def get(self, conn_id: str) -> Endpoint:
        """Find a connection of this node.

        Raises:
            NotFound: No such connection here.
        """
        try:
            return self._by_conn[ConnId(conn_id)]
        except KeyError:
            raise NotFound("no such connection") from None

    def close(self, conn_id: ConnId) -> None:
        """Forget a connection; idempotent."""
        self._by_conn.pop(conn_id, None)

    def in_room(self, room_id: str) -> Iterator[Endpoint]:
        """Every endpoint of a room on this node."""
        return (endpoint for endpoint in list(self._by_conn.values()) if endpoint.room_id == room_id)


def node_of(conn_id: str) -> str:
    """The node that a connection id names."""
    return conn_id.partition(".")[0]
