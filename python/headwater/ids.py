"""Public ids: server-made, 128 random bits, URL-safe, with a prefix that names the kind."""

from __future__ import annotations

import secrets
from typing import NewType

__all__ = [
    "ChannelId",
    "ConnId",
    "DataPublisherId",
    "DataSubscriberId",
    "MeetingId",
    "ParticipantId",
    "PlainTrackId",
    "PublisherId",
    "RecordingTrackId",
    "RouterId",
    "SubscriberId",
    "TransportId",
    "new_conn_id",
    "new_id",
]

RouterId = NewType("RouterId", str)
TransportId = NewType("TransportId", str)
PublisherId = NewType("PublisherId", str)
SubscriberId = NewType("SubscriberId", str)
DataPublisherId = NewType("DataPublisherId", str)
DataSubscriberId = NewType("DataSubscriberId", str)
RecordingTrackId = NewType("RecordingTrackId", str)
PlainTrackId = NewType("PlainTrackId", str)
MeetingId = NewType("MeetingId", str)
ChannelId = NewType("ChannelId", str)
ParticipantId = NewType("ParticipantId", str)
ConnId = NewType("ConnId", str)

_RANDOM_BYTES = 16


def new_id(prefix: str, *, node: str = "") -> str:
    """Make an id such as ``rtr_kX3…``, or ``chn_a.kX3…`` of the node ``a``.

    Args:
        prefix: Kind of object: ``rtr``, ``trn``, ``pub``, ``sub``, ``dpb``, ``dsb``, ``rec``,
            ``mtg``, ``chn`` or ``prt`` (participant).
        node: The node that a proxy is to find by the id; none: any.
    """
    where = f"{node}." if node else ""
    return f"{prefix}_{where}{secrets.token_urlsafe(_RANDOM_BYTES)}"


def new_conn_id(node: str) -> ConnId:
    """Make a connection id ``<node>.<random>``, so that any gateway can find its node."""
    return ConnId(f"{node}.{secrets.token_urlsafe(_RANDOM_BYTES)}")
