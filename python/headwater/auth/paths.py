"""Signed, expiring addresses: for what can send no token, such as a television with an HLS link or ``<img>``.

A signature is an HMAC-SHA256 over the channel, the path below which it opens, when it was issued and when
it expires; all but the channel and the path travel in the query. Whoever has it can watch until it expires
or the channel's links are revoked, which takes effect with the next request. Whatever is wrong with one
is ``Unauthorized``; signatures are compared in constant time.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from urllib.parse import urlencode

from headwater.errors import ConfigurationError, Unauthorized

__all__ = ["MAX_PATH_TTL", "PathSigner"]

MAX_PATH_TTL = 24 * 3600
"""Seconds a signed address may live."""


class PathSigner:
    """Signs paths and checks signatures, with one key.

    Args:
        key: Secret bytes, used for nothing else.
        now: Wall clock in seconds.
    """

    FIELDS = ("issued", "expires", "signature")
    """The parameters of a signed query."""

    def __init__(self, key: bytes, *, now: Callable[[], float] = time.time) -> None:
        self._key = key
        self._now = now

    def sign_path(self, prefix: str, *, channel: str, ttl: int) -> str:
        """Open all paths below a prefix to whoever has the result.

        Args:
            prefix: Begins and ends with a slash, such as ``/hls/chn_…/``.
            channel: The channel's id.
            ttl: Seconds to live.

        Returns:
            The query to append to such a path.

        Raises:
            ConfigurationError: The lifetime is not above 0, or longer than a day.
        """
        if not 0 < ttl <= MAX_PATH_TTL:
            raise ConfigurationError(f"a signed address lives 1 to {MAX_PATH_TTL} seconds, not {ttl}")
        issued = self._now()
        fields = (str(int(issued * _MICRO)), str(int(issued) + ttl))
        signature = self._signature(prefix, channel, *fields)
        return urlencode({"issued": fields[0], "expires": fields[1], "signature": signature})

    def check_path(
        self, prefix: str, *, channel: str, query: Mapping[str, str], revoked_at: datetime | None = None
    ) -> None:
        """Check the query of a path below a prefix.

        Args:
            prefix: As it was signed.
            channel: The channel's id.
            query: The request's parameters; those that are not ours are not looked at.
            revoked_at: When the channel's links were revoked last.

        Raises:
            Unauthorized: It was not signed here, for this, or it is no longer valid.
        """
        issued, expires = query.get("issued", ""), query.get("expires", "")
        signature = query.get("signature", "")
        wanted = self._signature(prefix, channel, issued, expires)
        if not hmac.compare_digest(wanted.encode(), signature.encode("utf-8", "surrogateescape")):
            raise Unauthorized("the link is not valid")
        # From here on the fields are our own words.
        if self._now() >= int(expires):
            raise Unauthorized("the link has expired")
        if revoked_at is not None and int(issued) <= revoked_at.timestamp() * _MICRO:
            raise Unauthorized("the link was revoked")

    def _signature(self, prefix: str, channel: str, issued: str, expires: str) -> str:
        # JSON tells where one field ends, whatever is in it.
        text = json.dumps([prefix, channel, issued, expires]).encode()
        return base64.urlsafe_b64encode(hmac.digest(self._key, text, hashlib.sha256)).decode().rstrip("=")


_MICRO = 1_000_000
