"""HLS playlists (RFC 8216, draft-pantos-hls-rfc8216bis): text in, values out, and back."""

from headwater.protocols.hls.delivery import Delivery
from headwater.protocols.hls.master import MasterPlaylist, Variant
from headwater.protocols.hls.media import InvalidPlaylist, MediaPlaylist, Segment, parse_media_playlist
from headwater.protocols.hls.parts import Part, PartPlaylist, Report

__all__ = [
    "Delivery",
    "InvalidPlaylist",
    "MasterPlaylist",
    "MediaPlaylist",
    "Part",
    "PartPlaylist",
    "Report",
    "Segment",
    "Variant",
    "parse_media_playlist",
]
