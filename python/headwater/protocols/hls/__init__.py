"""HLS playlists (RFC 8216, draft-pantos-hls-rfc8216bis): text in, values out, and back."""

from headwater.protocols.hls.master import MasterPlaylist, Variant
from headwater.protocols.hls.media import InvalidPlaylist, MediaPlaylist, Segment, parse_media_playlist

__all__ = [
    "InvalidPlaylist",
    "MasterPlaylist",
    "MediaPlaylist",
    "Segment",
    "Variant",
    "parse_media_playlist",
]
