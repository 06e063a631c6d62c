"""A web site of somebody else: files in memory, on a port (and so an origin) of its own."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping

__all__ = ["serve_site"]


@contextlib.asynccontextmanager
async def serve_site(files: Mapping[str, tuple[str, bytes]]) -> AsyncIterator[str]:
    """Serve files to pages of any origin; yields the site's origin.

    Args:
        files: Media type and content by path; may be filled while it is served.
    """

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            path = head.split(b" ", 2)[1].decode().partition("?")[0]
            status, (kind, body) = (
                ("200 OK", files[path]) if path in files else ("404 Not Found", ("text/plain", b""))
            )
            headers = (
                f"HTTP/1.1 {status}",
                f"Content-Type: {kind}",
                f"Content-Length: {len(body)}",
                "Access-Control-Allow-Origin: *",
                "Connection: close",
            )
            writer.write("\r\n".join((*headers, "", "")).encode() + body)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "localhost", 0)
    try:
        yield f"http://localhost:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
