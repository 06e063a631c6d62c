"""HTTP connections that do not wait for ever: the head of a request comes in time, or nobody answers.

uvicorn bounds the size of a head and the silence between two requests, but not a head that comes
letter by letter ("slowloris"). Each such connection costs a descriptor, so enough of them keep
everybody else out.
"""

from __future__ import annotations

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

__all__ = ["HEAD_BYTES", "HEAD_SECONDS", "PatientProtocol"]

HEAD_BYTES = 32 * 1024
"""The longest head of a request; a token takes about one KiB."""
HEAD_SECONDS = 10.0
"""How long a head may take, from the connection's start or from its own first byte."""


class PatientProtocol(H11Protocol):
    """uvicorn's own protocol, patient up to a point.

    The deadline runs while the client owes a head: after connecting (and the TLS handshake), and once
    the first byte of a further request has come. In between uvicorn's keep-alive timeout counts.
    """

    _head_due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the deadline of the first request."""
        super().connection_made(transport)
        self._await_head()

    def data_received(self, data: bytes) -> None:
        """Take bytes, and start or end the deadline by what they were."""
        super().data_received(data)
        if self.conn.their_state is h11.IDLE:
            self._await_head()
        else:
            self._cancel()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the deadline."""
        self._cancel()
        super().connection_lost(exc)

    def _await_head(self) -> None:
        if self._head_due is None:
            self._head_due = self.loop.call_later(HEAD_SECONDS, self._hang_up)

    def _hang_up(self) -> None:
        self._head_due = None
        if self.conn.their_state is h11.IDLE and not self.transport.is_closing():
            self.transport.close()  # without 408: browsers keep unused connections, and would show it

    def _cancel(self) -> None:
        if self._head_due is not None:
            self._head_due.cancel()
            self._head_due = None
