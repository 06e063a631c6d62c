"""Session descriptions: read, look up, write. Shared by the other wire formats."""

from headwater.protocols.sdp.session import MediaSection, SessionDescription, parse_sdp

__all__ = ["MediaSection", "SessionDescription", "parse_sdp"]
