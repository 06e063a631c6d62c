"""How the compiled core in this process was built: its profile, its sources, its WebRTC library."""

from __future__ import annotations

from headwater._core import native

__all__ = ["build_info"]


def build_info() -> dict[str, str]:
    """Facts about the binary, by name: ``version``, ``profile``, ``str0m``, ``source_hash``."""
    return dict(native.build_info())
