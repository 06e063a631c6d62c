"""A session description as sections of lines (RFC 8866), read leniently and written back exactly.

The media core has a full SDP engine of its own. What Python needs is small: look at an attribute,
list the m-lines, write the description of a recording. So a description here is an ordered list of
``(type, value)`` lines, cut at the m-lines, and nothing is interpreted before somebody asks.

Input comes from strangers: its size is bounded, and whatever is not SDP is an :exc:`InvalidSdp`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from headwater.errors import InvalidSdp

__all__ = ["MediaSection", "SessionDescription", "parse_sdp"]


@dataclass(slots=True)
class Section:
    """A run of lines, each a ``(type letter, value)`` pair."""

    lines: list[tuple[str, str]] = field(default_factory=list)

    def attribute(self, name: str) -> str | None:
        """Return the first ``a=name:value``; an empty string for a flag, ``None`` when absent."""
        return next(self.attributes(name), None)

    def attributes(self, name: str) -> Iterator[str]:
        """Yield the values of all ``a=name`` lines in order."""
        for letter, value in self.lines:
            if letter == "a":
                key, _, rest = value.partition(":")
                if key == name:
                    yield rest

    def add(self, letter: str, value: str) -> None:
        """Append one line."""
        self.lines.append((letter, value))


@dataclass(slots=True)
class MediaSection(Section):
    """One m-line and what follows it; ``lines`` does not repeat the m-line itself."""

    kind: str = ""
    port: int = 0
    protocol: str = ""
    formats: list[str] = field(default_factory=list)

    @property
    def mid(self) -> str | None:
        """The ``a=mid`` (RFC 5888)."""
        return self.attribute("mid")

    @property
    def direction(self) -> str:
        """``sendrecv``, ``sendonly``, ``recvonly`` or ``inactive`` (RFC 8866 section 6.7)."""
        for name in _DIRECTIONS:
            if self.attribute(name) is not None:
                return name
        return "sendrecv"


@dataclass(slots=True)
class SessionDescription(Section):
    """The session-level lines, and the m-lines in order."""

    media: list[MediaSection] = field(default_factory=list)

    def ice_credentials(self) -> tuple[str, str] | None:
        """Return the first ``(ice-ufrag, ice-pwd)`` (RFC 8839 section 5.4), wherever it stands."""
        for section in (self, *self.media):
            ufrag, password = section.attribute("ice-ufrag"), section.attribute("ice-pwd")
            if ufrag and password:
                return ufrag, password
        return None

    def __str__(self) -> str:
        """The text, with CRLF line ends."""
        out = [f"{letter}={value}" for letter, value in self.lines]
        for media in self.media:
            out.append(f"m={media.kind} {media.port} {media.protocol} {' '.join(media.formats)}")
            out.extend(f"{letter}={value}" for letter, value in media.lines)
        return "\r\n".join(out) + "\r\n"


def parse_sdp(text: str) -> SessionDescription:
    """Cut a description into sections.

    Args:
        text: The description; line ends may be CRLF or LF.

    Raises:
        InvalidSdp: The text is too long, does not start with ``v=0``, or has a line that is not
            ``x=value`` or a malformed m-line.
    """
    if len(text) > MAX_LENGTH:
        raise InvalidSdp(f"description of {len(text)} characters; at most {MAX_LENGTH} are accepted")
    session = SessionDescription()
    section: Section = session
    for line in text.replace("\r\n", "\n").split("\n"):
        if not line:
            continue
        letter, equals, value = line.partition("=")
        if len(letter) != 1 or not equals or not letter.isalpha():
            raise InvalidSdp(f"not an SDP line: {line[:40]!r}")
        if letter == "m":
            section = _parse_media(value)
            session.media.append(section)
        else:
            section.add(letter, value)
    if not session.lines or session.lines[0] != ("v", "0"):
        raise InvalidSdp("a description starts with v=0")
    return session


def _parse_media(value: str) -> MediaSection:
    fields = value.split()
    if len(fields) < 4:
        raise InvalidSdp(f"an m-line has a kind, a port, a protocol and formats: {value[:40]!r}")
    kind, port, protocol, *formats = fields
    number = port.partition("/")[0]
    if not (number.isascii() and number.isdigit()) or int(number[:6]) > MAX_PORT:
        raise InvalidSdp(f"not a port: {port[:10]!r}")
    return MediaSection(kind=kind, port=int(number[:6]), protocol=protocol, formats=formats)


MAX_LENGTH = 512 * 1024
"""Characters; a browser's offer with 200 m-lines has about 300,000."""

MAX_PORT = 65535

_DIRECTIONS = ("sendonly", "recvonly", "inactive", "sendrecv")
