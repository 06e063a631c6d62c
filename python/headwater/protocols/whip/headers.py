"""The HTTP header fields of WHIP and WHEP, as text in and values out.

``If-Match`` names the ICE session: its entity tag for candidates, ``*`` for a restart (RFC 9725
section 4.3.1). ICE servers travel as ``Link`` fields (section 4.6).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Literal

__all__ = ["SDP", "TRICKLE_FRAGMENT", "accepts", "entity_tag", "is_media_type", "link_header", "matches"]

SDP = "application/sdp"
TRICKLE_FRAGMENT = "application/trickle-ice-sdpfrag"


def is_media_type(header: str | None, wanted: str) -> bool:
    """Whether a ``Content-Type`` is this media type, parameters aside."""
    return header is not None and header.partition(";")[0].strip().lower() == wanted


def accepts(header: str | None, offered: str) -> bool:
    """Whether an ``Accept`` field takes a media type (RFC 9110 section 12.5.1)."""
    if header is None or not header.strip():
        return True
    kind = offered.partition("/")[0]
    best: dict[str, float] = {}
    for item in header.split(","):
        name, *parameters = (part.strip().lower() for part in item.split(";"))
        best[name] = _quality(parameters)
    # The most specific range decides.
    for name in (offered, f"{kind}/*", "*/*"):
        if name in best:
            return best[name] > 0
    return False


def entity_tag(ufrag: str, pwd: str) -> str:
    """The strong entity tag of an ICE session."""
    return f'"{hashlib.sha256(f"{ufrag}:{pwd}".encode()).hexdigest()[:32]}"'


def matches(header: str, current: str) -> Literal["any", "current", "other"]:
    """Compare an ``If-Match`` field with the current entity tag.

    Returns:
        ``any`` for ``*`` (quoted too, as the RFC's example writes it), ``current`` or ``other``.
    """
    tags = [tag.strip() for tag in header.split(",")]
    if "*" in tags or '"*"' in tags:
        return "any"
    # If-Match compares strongly (RFC 9110 section 13.1.1): a weak tag never matches.
    return "current" if current in tags else "other"


def link_header(
    urls: Sequence[str], *, username: str | None = None, credential: str | None = None
) -> list[str]:
    """Write one ``Link`` field value for each URL of an ICE server."""
    extra = ""
    if username is not None and credential is not None:
        extra = f'; username="{_quoted(username)}"; credential="{_quoted(credential)}"'
        extra += '; credential-type="password"'
    return [f'<{url}>; rel="ice-server"{extra if url.startswith("turn") else ""}' for url in urls]


def _quality(parameters: Sequence[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
