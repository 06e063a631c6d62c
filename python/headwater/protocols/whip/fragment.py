"""SDP fragments (``application/trickle-ice-sdpfrag``, RFC 8840 section 9).

A fragment carries candidates, and for a restart new ICE credentials. Credentials may stand at the
top or in an m-section; with bundling they are one pair. Unknown lines are ignored.
"""

from __future__ import annotations

from dataclasses import dataclass

from headwater.errors import InvalidSdp
from headwater.protocols.sdp import SessionDescription, parse_sdp

__all__ = ["Fragment", "candidates_of", "fragment_of_answer", "parse_fragment"]

_MAX_CANDIDATES = 100


@dataclass(frozen=True, slots=True)
class Fragment:
    """What a client trickles: perhaps credentials, perhaps candidates (``candidate:…``)."""

    ufrag: str | None
    pwd: str | None
    candidates: tuple[str, ...]
    end_of_candidates: bool


def parse_fragment(text: str) -> Fragment:
    """Read a fragment.

    Raises:
        InvalidSdp: A line is not SDP, half a pair of credentials is missing, or nothing is in it.
    """
    ufrag = pwd = None
    candidates: list[str] = []
    end = False
    for line in text.replace("\r\n", "\n").split("\n"):
        if not line.strip():
            continue
        if len(line) < 2 or line[1] != "=" or not line[0].isalpha():
            raise InvalidSdp("a line of the fragment is not SDP")
        if line.startswith("a=ice-ufrag:"):
            ufrag = ufrag or line[12:].strip()
        elif line.startswith("a=ice-pwd:"):
            pwd = pwd or line[10:].strip()
        elif line.startswith("a=candidate:"):
            candidates.append(line[2:].strip())
        elif line.strip() == "a=end-of-candidates":
            end = True
    if (ufrag is None) != (pwd is None):
        raise InvalidSdp("ice-ufrag and ice-pwd go together")
    if len(candidates) > _MAX_CANDIDATES:
        raise InvalidSdp(f"more than {_MAX_CANDIDATES} candidates in one fragment")
    if ufrag is None and not candidates and not end:
        raise InvalidSdp("the fragment carries neither candidates nor credentials")
    return Fragment(ufrag, pwd, tuple(candidates), end)


def candidates_of(description: SessionDescription) -> tuple[str, ...]:
    """The candidates of a description, each once."""
    seen: dict[str, None] = {}
    for section in (description, *description.media):
        for value in section.attributes("candidate"):
            seen.setdefault(f"candidate:{value}")
    return tuple(seen)


def fragment_of_answer(answer: str) -> str:
    """Write the fragment that answers an ICE restart: the server's new credentials and candidates."""
    description = parse_sdp(answer)
    credentials = description.ice_credentials()
    if credentials is None or not description.media:
        raise InvalidSdp("the answer has no ICE credentials")
    first = description.media[0]
    lines = [
        "a=ice-lite",
        *(f"a=ice-options:{value}" for value in _ice_options(description)),
        f"a=ice-ufrag:{credentials[0]}",
        f"a=ice-pwd:{credentials[1]}",
        f"m={first.kind} 9 UDP/TLS/RTP/SAVPF 0",
        f"a=mid:{first.mid or '0'}",
        *(f"a={candidate}" for candidate in candidates_of(description)),
        "a=end-of-candidates",
    ]
    return "".join(f"{line}\r\n" for line in lines)


def _ice_options(description: SessionDescription) -> list[str]:
    """The ICE options of the answer: those of a restart are the same (RFC 9725 section 4.3.3)."""
    for section in (description, *description.media):
        if (value := section.attribute("ice-options")) is not None:
            return [value]
    return []
