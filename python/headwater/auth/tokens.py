"""Room tokens: JWT (RFC 7519), HS256 and nothing else.

Claims: ``iss`` and ``aud`` are ``headwater``; ``sub`` is the identity; ``room`` a meeting id or
``*``; ``role``; ``grants``; optional ``name``; ``nbf``, ``exp`` and ``jti``. A token is bound to
one room and short-lived; signalling refreshes it. Whatever is wrong with a token is
``Unauthorized``: who forges one learns nothing from the answer.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import cast

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from headwater.auth.grants import GRANTS, ROLE_GRANTS, ROLES, Grant, Role
from headwater.errors import ConfigurationError, Forbidden, Unauthorized

__all__ = ["ANY_ROOM", "DEFAULT_TTL", "Claims", "TokenAuthority"]

ANY_ROOM = "*"
"""Room claim of administrative tokens."""
DEFAULT_TTL = 600
"""Seconds a token lives unless asked otherwise."""
LEEWAY = 30
"""Seconds of clock difference that are forgiven."""
_ISSUER = "headwater"
_ALGORITHMS = ["HS256"]
_MAX_TOKEN = 8192
_MAX_TEXT = 256


@dataclass(frozen=True, slots=True)
class Claims:
    """A verified token. ``expires_at`` is in seconds since 1970, ``lifetime`` in seconds."""

    identity: str
    room: str
    role: Role
    grants: frozenset[Grant]
    name: str | None
    expires_at: int
    lifetime: int
    token_id: str

    def allows(self, grant: Grant) -> bool:
        """Say whether the token carries this grant."""
        return grant in self.grants

    def require(self, grant: Grant) -> None:
        """Raise ``Forbidden`` without this grant."""
        if grant not in self.grants:
            raise Forbidden(f"the token lacks the grant {grant!r}")

    def require_view(self) -> None:
        """Raise ``Forbidden`` unless the token lets its bearer watch a channel."""
        if not self.grants & {"view", "subscribe"}:
            raise Forbidden("the token lacks the grant 'view'")

    def require_room(self, room: str) -> None:
        """Raise ``Forbidden`` when the token is for another room."""
        if self.room not in (room, ANY_ROOM):
            raise Forbidden("the token is for another room")


class TokenAuthority:
    """Mints and verifies tokens with one signing secret.

    Args:
        secret: Signs, and verifies first.
        also_accepted: Further secrets that verify (``--dev`` takes the data directory's too).
        now: Wall clock in seconds; only for ``nbf`` and ``exp``.
    """

    def __init__(
        self, secret: str, *, also_accepted: Iterable[str] = (), now: Callable[[], float] = time.time
    ) -> None:
        self._secret = secret.encode()
        self._keys = [OctKey.import_key(s) for s in (secret, *also_accepted)]
        self._now = now

    def derive_key(self, purpose: str) -> bytes:
        """Make a key for something else than tokens; the same as long as the secret is."""
        return hmac.digest(self._secret, f"headwater {purpose}".encode(), hashlib.sha256)

    def mint(
        self,
        *,
        room: str,
        identity: str,
        name: str | None = None,
        role: Role = "participant",
        grants: Iterable[str] | None = None,
        ttl: int = DEFAULT_TTL,
    ) -> str:
        """Make a token.

        Args:
            room: Meeting id, or ``*``.
            identity: Who; stable for one person.
            name: What others see.
            role: What the person is in the room.
            grants: What they may do; ``None`` means the role's grants.
            ttl: Seconds to live.

        Raises:
            ConfigurationError: A value that no verifier would take.
        """
        chosen = ROLE_GRANTS.get(role, ()) if grants is None else tuple(grants)
        if role not in ROLES:
            raise ConfigurationError(f"unknown role {role!r}; one of {', '.join(sorted(ROLES))}")
        if unknown := set(chosen) - GRANTS:
            raise ConfigurationError(f"unknown grant {min(unknown)!r}; some of {', '.join(sorted(GRANTS))}")
        for what, text in (("room", room), ("identity", identity), ("name", name or "-")):
            if not 0 < len(text) <= _MAX_TEXT:
                raise ConfigurationError(f"{what} must have 1 to {_MAX_TEXT} characters")
        if ttl <= 0:
            raise ConfigurationError("a token must live longer than 0 seconds")
        now = int(self._now())
        claims: dict[str, object] = {
            "iss": _ISSUER,
            "aud": _ISSUER,
            "sub": identity,
            "room": room,
            "role": role,
            "grants": sorted(chosen),
            "nbf": now,
            "exp": now + ttl,
            "jti": secrets.token_urlsafe(16),
        }
        if name:
            claims["name"] = name
        return jwt.encode({"alg": "HS256"}, claims, self._keys[0], algorithms=_ALGORITHMS)

    def verify(self, token: str) -> Claims:
        """Check signature, claims and time.

        Raises:
            Unauthorized: Anything is wrong; a token that has merely expired says so.
        """
        if len(token) > _MAX_TOKEN:
            raise Unauthorized("the token is not valid")
        return self._check(self._decode(token))

    def refresh(self, claims: Claims) -> str:
        """Mint the same token anew, for a connection that outlives it."""
        return self.mint(
            room=claims.room,
            identity=claims.identity,
            name=claims.name,
            role=claims.role,
            grants=claims.grants,
            ttl=claims.lifetime,
        )

    def _decode(self, token: str) -> Mapping[str, object]:
        for key in self._keys:
            try:
                decoded = jwt.decode(token, key, algorithms=_ALGORITHMS)
            # A hostile token reaches base64, JSON and header parsing; whatever they raise, it is forged.
            except (JoseError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
                continue
            if isinstance(decoded.claims, dict):
                return decoded.claims
        raise Unauthorized("the token is not valid")

    def _check(self, claims: Mapping[str, object]) -> Claims:
        role = _text(claims, "role")
        grants = claims.get("grants")
        name = claims.get("name")
        if (
            claims.get("iss") != _ISSUER
            or claims.get("aud") != _ISSUER
            or role not in ROLES
            or not isinstance(grants, list)
            or not all(isinstance(g, str) and g in GRANTS for g in grants)
            or not (name is None or (isinstance(name, str) and len(name) <= _MAX_TEXT))
        ):
            raise Unauthorized("the token is not valid")
        not_before, expires_at = _time(claims, "nbf"), _time(claims, "exp")
        now = self._now()
        if now + LEEWAY < not_before:
            raise Unauthorized("the token is not valid yet")
        if now - LEEWAY >= expires_at:
            raise Unauthorized("the token has expired")
        return Claims(
            identity=_text(claims, "sub"),
            room=_text(claims, "room"),
            role=cast(Role, role),
            grants=frozenset(cast("list[Grant]", grants)),
            name=name or None,
            expires_at=expires_at,
            lifetime=max(1, expires_at - not_before),
            token_id=_text(claims, "jti"),
        )


def _text(claims: Mapping[str, object], key: str) -> str:
    value = claims.get(key)
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_TEXT:
        raise Unauthorized("the token is not valid")
    return value


def _time(claims: Mapping[str, object], key: str) -> int:
    value = claims.get(key)
    # bool is an int in Python; NaN and infinity are floats that JSON readers let through.
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**53:
        raise Unauthorized("the token is not valid")
    return value
