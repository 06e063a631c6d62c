"""What the rooms service keeps: meetings, and the values its callers hand in.

In memory for now; these become rows when the meetings get a database.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from headwater.auth import Claims
from headwater.cluster import EndpointProtocol
from headwater.config import Limits
from headwater.errors import InvalidSdp
from headwater.ids import MeetingId
from headwater.media.layer import Content
from headwater.media.router import DtlsVersion
from headwater.meetings.rooms.events import Source

__all__ = [
    "JoinRequest",
    "LayerWish",
    "Meeting",
    "MeetingSettings",
    "RoomOptions",
    "TrackHint",
    "check_sdp",
    "clean_name",
]


@dataclass(frozen=True, slots=True)
class RoomOptions:
    """What the node decides for all rooms: bounds, and the DTLS version of their transports.

    A room with more than ``hear_all`` voices is a large one: each participant hears the loudest, in
    ``voice_slots`` slots. ``check_capacity`` raises ``Overloaded`` when the machine takes nothing new.
    """

    limits: Limits = field(default_factory=Limits)
    dtls: DtlsVersion = "1.2"
    hear_all: int = 12
    voice_slots: int = 4
    check_capacity: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True)
class MeetingSettings:
    """What the creator of a meeting decides."""

    title: str = ""
    max_participants: int | None = None


@dataclass(slots=True)
class Meeting:
    """A meeting, whether or not anybody is in it. ``used_at`` is loop time in seconds."""

    id: MeetingId
    created_at: datetime
    settings: MeetingSettings
    used_at: float
    ad_hoc: bool = False


@dataclass(frozen=True, slots=True)
class TrackHint:
    """What a client says of one m-line it sends; ``voice`` is whether its sound is a person speaking."""

    source: Source = "unknown"
    muted: bool = False
    content: Content = "camera"
    voice: bool = True


@dataclass(frozen=True, slots=True)
class LayerWish:
    """What a participant would like to receive of a track; ``None`` is no wish, all are ceilings."""

    spatial: int | None = None
    temporal: int | None = None
    width: int | None = None
    height: int | None = None
    max_fps: int | None = None
    priority: int | None = None


@dataclass(frozen=True, slots=True)
class JoinRequest:
    """Somebody wants in. Without ``claims`` (``--dev``) they are a guest with the usual grants."""

    room: str
    claims: Claims | None
    protocol: EndpointProtocol
    name: str | None = None
    resume: str | None = None
    restart: bool = False


_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def check_sdp(sdp: str, limits: Limits, *, answer: bool = False) -> None:
    """Refuse a session description that is larger than any honest one, before anything parses it.

    Args:
        sdp: The description.
        limits: The bounds in force.
        answer: Whether it answers an offer of ours, which may have many m-lines.

    Raises:
        InvalidSdp: It has too many characters or too many m-lines.
    """
    bound = limits.answer_bytes if answer else limits.sdp_bytes
    if len(sdp) > bound:
        raise InvalidSdp(f"the session description exceeds {bound} bytes")
    if sdp.count("\nm=") > limits.media_lines:
        raise InvalidSdp(f"the session description has more than {limits.media_lines} m-lines")


def clean_name(name: str | None, *, limit: int) -> str:
    """Make a name fit to be shown: composed, without control or direction characters, trimmed.

    Returns:
        The name; empty when nothing visible is left.
    """
    composed = " ".join(unicodedata.normalize("NFC", name or "").split())
    # Zero width joiner is a format character too, but emoji and some scripts need it.
    visible = "".join(c for c in composed if c == "\u200d" or unicodedata.category(c) not in _INVISIBLE)
    return " ".join(visible.split())[:limit].rstrip()
