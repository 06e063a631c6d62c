"""What happens on a channel, as its clients hear of it: mediasoup's names, or ours where it has none."""

from __future__ import annotations

from typing import Any

from headwater.channels import ChannelEvent, ChannelState, PublisherClosed, PublisherOpened, ViewerCount
from headwater.media.events import Event, TransportClosed

__all__ = ["News", "news_of_channel", "news_of_transport"]

News = tuple[str, dict[str, Any]]
"""Type and data of a message."""


def news_of_channel(event: ChannelEvent | Event) -> News | None:
    """Return what a client has to hear of an event that is not about what it sends itself."""
    match event:
        case PublisherOpened(publisher_id=id_, kind="data"):
            return "newDataProducer", {"id": id_, "dataProducerId": id_}
        case PublisherOpened(publisher_id=id_, kind=kind):
            return "newProducer", {"id": id_, "producerId": id_, "kind": kind}
        case PublisherClosed(publisher_id=id_, kind=kind):
            name = "dataProducer" if kind == "data" else "producer"
            return f"{name}Gone", {f"{name}Id": id_, "kind": kind}
        case ChannelState(state=state):
            return "channelState", {"state": state}
        case ViewerCount(count=count):
            return "viewerCount", {"count": count}
    return None


def news_of_transport(transport_id: str, event: Event) -> News | None:
    """Return what a client has to hear of its transport: that it closed, and not because it asked."""
    match event:
        case TransportClosed(id=id_, reason=reason) if id_ == transport_id and reason != "requested":
            return "transportClosed", {"transportId": id_, "reason": reason}
    return None
