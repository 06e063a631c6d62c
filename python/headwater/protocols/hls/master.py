"""The master playlist: the renditions among which a player chooses (RFC 8216 section 4.3.4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["MasterPlaylist", "Variant"]


@dataclass(frozen=True, slots=True)
class Variant:
    """One picture size.

    Attributes:
        uri: Its media playlist.
        bandwidth: Peak bit/s, sound included.
        codecs: As in RFC 6381, all that its segments hold; empty when not known.
        width: Pixels; 0 when not known.
        height: Pixels; 0 when not known.
    """

    uri: str
    bandwidth: int
    codecs: str = ""
    width: int = 0
    height: int = 0


@dataclass(frozen=True, slots=True)
class MasterPlaylist:
    """All renditions, best first: a player starts with the first."""

    variants: Sequence[Variant]

    def render(self, query: str = "") -> str:
        """Write it down.

        Args:
            query: Appended to every URI, with its question mark.
        """
        lines = ["#EXTM3U", "#EXT-X-VERSION:6", "#EXT-X-INDEPENDENT-SEGMENTS"]
        for variant in self.variants:
            lines += [_stream(variant), variant.uri + query]
        return "\n".join(lines) + "\n"


def _stream(variant: Variant) -> str:
    attributes = [f"BANDWIDTH={variant.bandwidth}"]
    if variant.codecs:
        attributes.append(f'CODECS="{variant.codecs}"')
    if variant.width and variant.height:
        attributes.append(f"RESOLUTION={variant.width}x{variant.height}")
    return "#EXT-X-STREAM-INF:" + ",".join(attributes)
