"""An ICE restart over WHIP brings credentials, not a whole offer; this puts them into the last one."""

from __future__ import annotations

from headwater.errors import InvalidSdp

__all__ = ["with_credentials"]


def with_credentials(offer: str, *, ufrag: str, pwd: str) -> str:
    """Rewrite an offer with new ICE credentials, without its old candidates (RFC 8839 section 4.4.1.1).

    Raises:
        InvalidSdp: The credentials cannot be written into SDP (RFC 8839 section 5.4).
    """
    if not (4 <= len(ufrag) <= 256 and 22 <= len(pwd) <= 256 and _is_ice_text(ufrag) and _is_ice_text(pwd)):
        raise InvalidSdp("ice-ufrag or ice-pwd is malformed")
    lines: list[str] = []
    for line in offer.replace("\r\n", "\n").rstrip("\n").split("\n"):
        if line.startswith(("a=candidate:", "a=end-of-candidates")):
            continue
        if line.startswith("a=ice-ufrag:"):
            lines.append(f"a=ice-ufrag:{ufrag}")
        elif line.startswith("a=ice-pwd:"):
            lines.append(f"a=ice-pwd:{pwd}")
        else:
            lines.append(line)
    return "".join(f"{line}\r\n" for line in lines)


def _is_ice_text(text: str) -> bool:
    return text.isascii() and all(c.isalnum() or c in "+/" for c in text)
