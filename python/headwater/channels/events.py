"""What a channel tells, as values, on the bounded streams of ``Channel.events``.

A stream begins with what happens next; what is now stands on the channel. State and viewer count are
never lost (the newest of each survives), publishers may be: after ``EventsLost`` look at
``Channel.publishers`` again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from headwater.media.events import Event

__all__ = [
    "ChannelEvent",
    "ChannelState",
    "MediaKind",
    "PublisherClosed",
    "PublisherOpened",
    "State",
    "ViewerCount",
]

State = Literal["idle", "live", "ended"]
MediaKind = Literal["audio", "video", "data"]


@dataclass(frozen=True, slots=True)
class ChannelEvent(Event):
    """Base of a channel's events."""

    channel_id: str


@dataclass(frozen=True, slots=True)
class ChannelState(ChannelEvent):
    """The channel went live, or its broadcast is over."""

    state: State


@dataclass(frozen=True, slots=True)
class PublisherOpened(ChannelEvent):
    """The broadcaster began to send a track or a data channel."""

    publisher_id: str
    kind: MediaKind


@dataclass(frozen=True, slots=True)
class PublisherClosed(ChannelEvent):
    """A track or data channel of the broadcaster ended."""

    publisher_id: str
    kind: MediaKind


@dataclass(frozen=True, slots=True)
class ViewerCount(ChannelEvent):
    """How many watch; told at most once a second."""

    count: int
