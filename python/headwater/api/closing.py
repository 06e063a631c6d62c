"""Ends of WebSockets: the close codes that both dialects use, and how a connection is closed."""

from __future__ import annotations

import asyncio
import contextlib

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

__all__ = ["GOING_DOWN", "NORMAL", "POLICY", "TOO_LARGE", "TOO_SLOW", "close_socket"]

NORMAL, POLICY, TOO_LARGE, GOING_DOWN, TOO_SLOW = 1000, 1008, 1009, 1012, 1013
"""RFC 6455 section 7.4.1 and its registry; `POLICY`: refused."""


async def close_socket(socket: WebSocket, code: int) -> None:
    """Close, unless it has closed already; a peer that does not answer is not waited for."""
    if socket.application_state is WebSocketState.DISCONNECTED:
        return
    with contextlib.suppress(RuntimeError, WebSocketDisconnect, TimeoutError):
        async with asyncio.timeout(_PATIENCE):
            await socket.close(code)


_PATIENCE = 1.0
