"""Where a publisher's packets come from.

A `LocalTrack` arrives from a client on a publish transport of this server. A `RecordingTrack`
(``recording_track.py``) is where packets go. `RelayedTrack` is the reserved name for a track that
arrives from another server; it comes with the relay.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["LocalTrack"]


@dataclass(frozen=True, slots=True)
class LocalTrack:
    """A track that a client offers, as its last offer described it.

    Attributes:
        mid: The m-line that carries it; unique on its transport, empty on a plain transport.
        kind: Audio or video.
        track_id: The browser's track id (second token of ``a=msid``), the mid where there is none.
        stream_id: The browser's stream id (first token of ``a=msid``), empty where there is none.
        active: Whether the m-line sends now.
        rids: RIDs of its simulcast layers in the order offered; their places, from "0", where SSRCs tell
            them apart.
    """

    mid: str
    kind: Literal["audio", "video"]
    track_id: str
    stream_id: str = ""
    active: bool = True
    rids: tuple[str, ...] = ()
