"""The ``Authorization: Bearer`` header (RFC 6750 section 2.1)."""

from __future__ import annotations

import hashlib
import hmac

from headwater.errors import Unauthorized

__all__ = ["digest", "parse_bearer", "same_digest"]


def parse_bearer(header: str | None) -> str | None:
    """Take the token out of an ``Authorization`` header.

    Returns:
        The token, or ``None`` when there is no header.

    Raises:
        Unauthorized: The header is of another scheme or empty.
    """
    if header is None:
        return None
    scheme, _, token = header.strip().partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token or " " in token:
        raise Unauthorized("the Authorization header must be: Bearer <token>")
    return token


def digest(secret: str | None) -> bytes:
    """SHA-256 of a token or key, so that it can be remembered without keeping it."""
    return hashlib.sha256((secret or "").encode("utf-8", "surrogateescape")).digest()


def same_digest(known: bytes, secret: str | None) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(known, digest(secret))
