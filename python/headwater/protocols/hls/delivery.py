"""What a player of low-latency HLS asks of a playlist: the query parameters that begin with ``_HLS_``.

draft-pantos-hls-rfc8216bis section 6.2.5: ``_HLS_msn`` and ``_HLS_part`` name the segment and part that the
answer must have, ``_HLS_skip`` asks for a delta update.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from headwater.errors import InvalidQuery

__all__ = ["Delivery"]


@dataclass(frozen=True, slots=True)
class Delivery:
    """How a playlist is to be delivered.

    Attributes:
        msn: Number of the segment that it must have; none: whatever it has now.
        part: The part of that segment; none: the whole of it.
        skip: A delta update is welcome.
    """

    msn: int | None = None
    part: int | None = None
    skip: bool = False

    @classmethod
    def parse(cls, fields: Iterable[tuple[str, str]]) -> Delivery:
        """Read the parameters of a request; others are passed over.

        Raises:
            InvalidQuery: A number is none, a parameter comes twice, or a part has no segment.
        """
        given: dict[str, str] = {}
        for name, value in fields:
            if name in given:
                raise InvalidQuery(f"{name} comes twice")
            if name.startswith("_HLS_"):
                given[name] = value
        msn, part = _number(given, "_HLS_msn"), _number(given, "_HLS_part")
        if part is not None and msn is None:
            raise InvalidQuery("_HLS_part without _HLS_msn")
        return cls(msn, part, given.get("_HLS_skip") in _SKIPS)


def _number(given: dict[str, str], name: str) -> int | None:
    value = given.get(name)
    if value is None:
        return None
    if not (value.isascii() and value.isdigit()) or len(value) > _DIGITS:
        raise InvalidQuery(f"{name} is no number")
    return int(value)


_SKIPS = ("YES", "v2")
_DIGITS = 15
