"""A TCP proxy: one more address for a server, as a reverse proxy without TLS gives it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

__all__ = ["tcp_proxy"]


@contextlib.asynccontextmanager
async def tcp_proxy(address: str, port: int) -> AsyncIterator[None]:
    """Carry connections to `address` on to loopback, where a server has the same `port`."""

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        async with asyncio.TaskGroup() as both:
            both.create_task(_copy(reader, far_writer))
            both.create_task(_copy(far_reader, writer))

    server = await asyncio.start_server(carry, address, port)
    async with server:
        yield


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    with contextlib.suppress(ConnectionError):
        writer.close()
        await writer.wait_closed()
