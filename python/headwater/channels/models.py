"""What the channels service keeps: records of channels, and what the node decides for all of them.

States of a channel::

    idle --first track--> live --broadcast over--> ended --first track--> live   (a reusable one)
    any --end--> over: ended for good
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from headwater.channels.events import State
from headwater.config import Limits
from headwater.errors import InvalidSlug
from headwater.ids import ChannelId
from headwater.media.router import DtlsVersion

__all__ = ["ChannelOptions", "ChannelRecord", "Visibility", "check_slug"]

Visibility = Literal["public", "private"]


@dataclass(slots=True)
class ChannelRecord:
    """A channel as it is kept; times are UTC.

    Attributes:
        id: Its public id: server-made, or the slug.
        owner: Identity of who made it; empty for a guest under ``--dev``.
        reusable: Whether it can go live again after a broadcast; else the first one is its last.
        over: Whether it was ended for good.
        went_live_at: When the newest broadcast began.
        ended_at: When the newest broadcast was over.
        peak_viewers: The most that watched at once, ever.
        links_revoked_at: Signed links that were issued until then are no longer valid.
        node: Name of the node that carries, or carried, its newest broadcast; empty before the first.
    """

    id: ChannelId
    owner: str
    created_at: datetime
    slug: str | None = None
    title: str = ""
    visibility: Visibility = "public"
    reusable: bool = False
    state: State = "idle"
    over: bool = False
    went_live_at: datetime | None = None
    ended_at: datetime | None = None
    peak_viewers: int = 0
    links_revoked_at: datetime | None = None
    node: str = ""


@dataclass(frozen=True, slots=True)
class ChannelOptions:
    """What the node decides for all channels: bounds, and the DTLS version of their transports.

    Attributes:
        check_capacity: Raises ``Overloaded`` when the machine takes nothing new.
        node: Its name, the same in its next process.
        named_ids: Whether the ids that it makes say its name, for a proxy in front of several nodes.
    """

    limits: Limits = field(default_factory=Limits)
    dtls: DtlsVersion = "1.2"
    check_capacity: Callable[[], None] = lambda: None
    node: str = ""
    named_ids: bool = False


def check_slug(slug: str) -> str:
    """Refuse a name that cannot stand in an address.

    Raises:
        InvalidSlug: It is not 3 to 64 small letters, digits and inner hyphens, or something else is there.
    """
    if not _SLUG.fullmatch(slug):
        raise InvalidSlug(
            "a slug has 3 to 64 small letters (a-z), digits and hyphens, and no hyphen at its ends: "
            "choose such a one, or none for an id that the server makes"
        )
    if slug in _OURS:
        raise InvalidSlug("that slug is an address of the server's own: choose another")
    return slug


_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{1,62}[a-z0-9]")
_OURS = frozenset({"history"})
"""Below ``/channels/``."""
