"""Roles and grants.

A role is what a person is called in a room; grants are what they may do. A token names both; a
token without grants gets those of its role. Nothing beyond joining is implied: administration
has to be named.
"""

from __future__ import annotations

from typing import Literal, get_args

__all__ = ["GRANTS", "ROLES", "ROLE_GRANTS", "Grant", "Role"]

Role = Literal["host", "participant", "viewer"]
Grant = Literal["publish", "subscribe", "view", "data", "admin", "record"]
"""``subscribe`` is for meetings, ``view`` for channels; who has the first may view too. ``data`` lets a
viewer of a channel send messages on data channels, which who may ``publish`` can anyway."""

ROLES: frozenset[str] = frozenset(get_args(Role))
GRANTS: frozenset[str] = frozenset(get_args(Grant))

ROLE_GRANTS: dict[Role, tuple[Grant, ...]] = {
    "host": ("publish", "subscribe"),
    "participant": ("publish", "subscribe"),
    "viewer": ("subscribe",),
}
"""Grants of a token that names none."""
