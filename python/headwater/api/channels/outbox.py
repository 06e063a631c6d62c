"""What waits to be sent to one client of a channel: so many messages, each for so long.

A client that lets the places fill up, or takes longer than `SEND_SECONDS` for one message, is closed.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import msgspec
from starlette.websockets import WebSocket, WebSocketDisconnect

from headwater.api.channels import messages as m
from headwater.api.closing import NORMAL, TOO_SLOW
from headwater.api.problems import problem_of
from headwater.errors import HeadwaterError, ResourceError
from headwater.telemetry import Metrics, get_logger

__all__ = ["SEND_SECONDS", "Outbox"]

_log = get_logger(__name__)
_encoder = msgspec.json.Encoder()
SEND_SECONDS = 10.0
"""How long one message may wait for a client that does not read."""


class Outbox:
    """The messages for one client.

    Args:
        places: How many may wait.
        metrics: Counts what went wrong.

    Attributes:
        channel_id: Stands in every message, once it is known.
        over: Why the connection is to be closed by us, as a close code; waits until it is.
    """

    def __init__(self, places: int, metrics: Metrics) -> None:
        self.channel_id: str | None = None
        self.over: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._metrics = metrics
        self._queue: asyncio.Queue[m.Push] = asyncio.Queue(places)

    def post(self, name: str, data: Any, request_id: m.RequestId = None) -> None:
        """Queue a message."""
        message = m.Push(type=name, data=data, id=request_id, channel_id=self.channel_id)
        try:
            self._queue.put_nowait(message)
        except asyncio.QueueFull:
            self.close_with(TOO_SLOW)

    def post_problem(self, error: HeadwaterError, request_id: m.RequestId) -> None:
        """Queue an error."""
        problem = problem_of(error)
        self._metrics.problems.labels(problem.code).inc()
        if problem.status >= 500 and not isinstance(error, ResourceError):
            _log.error("request failed", exc_info=error)
        self.post("error", problem, request_id)

    def close_with(self, code: int) -> None:
        """Have the connection closed; the first code counts."""
        if not self.over.done():
            self.over.set_result(code)

    async def empty(self, socket: WebSocket) -> int:
        """Send what waits, until the client has gone or is too slow; returns the close code."""
        while True:
            message = await self._queue.get()
            text = _encoder.encode(message).decode()
            try:
                async with asyncio.timeout(SEND_SECONDS):
                    await socket.send_text(text)
            except TimeoutError:
                return TOO_SLOW
            except (RuntimeError, WebSocketDisconnect):  # Starlette: already closed
                return NORMAL
            self._queue.task_done()

    async def wait_empty(self) -> None:
        """Wait a moment until all has been sent."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_SECONDS):
                await self._queue.join()


_LAST_SECONDS = 1.0
