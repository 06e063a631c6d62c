"""What counts as this machine: a host, the origin of a page, who sent a request.

Whoever is let in without a token or a key because "it is only this machine" asks here.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

__all__ = ["is_loopback", "is_loopback_origin", "is_loopback_request"]


def is_loopback(host: str) -> bool:
    """Whether a host name or an address, without port and brackets, can only mean this machine."""
    host = host.lower().rstrip(".")
    if host == "localhost" or host.endswith(".localhost"):  # RFC 6761 section 6.3
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def is_loopback_origin(origin: str) -> bool:
    """Whether a page of this origin (RFC 6454) was served by this machine."""
    try:
        parts = urlsplit(origin)
        return parts.scheme in ("http", "https") and is_loopback(parts.hostname or "")
    except ValueError:
        return False


def is_loopback_request(client: str | None, headers: Mapping[str, str]) -> bool:
    """Whether a request was made on this machine, for this machine.

    A proxy beside us connects from loopback too, for anybody; it tells by what it adds, or by the name that
    the client asked for. A page of elsewhere whose name was made to point here (DNS rebinding) tells by that
    name as well.

    Args:
        client: Address of the connection's other end; ``None`` when it has none.
        headers: By lower-case name.
    """
    if client is None or not is_loopback(client) or any(name in headers for name in _ADDED_BY_PROXIES):
        return False
    return is_loopback_origin(f"http://{headers.get('host', '')}")


_ADDED_BY_PROXIES = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip")
