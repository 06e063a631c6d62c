"""Live channels: one broadcaster, many viewers."""

from headwater.channels.channel import Attendant, Channel
from headwater.channels.events import (
    ChannelEvent,
    ChannelState,
    PublisherClosed,
    PublisherOpened,
    State,
    ViewerCount,
)
from headwater.channels.models import ChannelOptions, ChannelRecord, Visibility
from headwater.channels.places import Broadcast, Viewer
from headwater.channels.service import Channels
from headwater.channels.store import ChannelStore, MemoryStore

__all__ = [
    "Attendant",
    "Broadcast",
    "Channel",
    "ChannelEvent",
    "ChannelOptions",
    "ChannelRecord",
    "ChannelState",
    "ChannelStore",
    "Channels",
    "MemoryStore",
    "PublisherClosed",
    "PublisherOpened",
    "State",
    "Viewer",
    "ViewerCount",
    "Visibility",
]
