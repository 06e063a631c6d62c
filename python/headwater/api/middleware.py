"""What holds for every request: a bound on its body, headers that protect, and who may connect.

Plain ASGI, so that WebSockets and streaming pass through untouched.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from headwater.loopback import is_loopback_origin

__all__ = ["BodyLimit", "SecurityHeaders", "content_security_policy", "origin_allowed"]

_CSP = (
    "default-src 'self'",
    "connect-src 'self' ws: wss:",
    "img-src 'self' data: blob:",
    "media-src 'self' blob: mediastream: data:",  # hls.js makes its text tracks of data: addresses
    "worker-src 'self' blob:",
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'self'",
)
_DRAIN_SECONDS = 2.0
BODY_SECONDS = 20.0
"""How long a body may take, from the moment when it is first asked for."""
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(self), display-capture=(self)",
}


class SecurityHeaders:
    """Adds the protecting headers to every response that does not bring its own.

    Args:
        app: The wrapped application.
        tls: Whether the listener speaks TLS; then browsers are told to stay with it.
    """

    def __init__(self, app: ASGIApp, *, tls: bool) -> None:
        self._app = app
        self._headers = {"Content-Security-Policy": content_security_policy(), **_HEADERS}
        if tls:
            self._headers["Strict-Transport-Security"] = "max-age=31536000"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)


class BodyLimit:
    """Ends a request whose body grows beyond the bound or trickles in, as soon as it does.

    The bound is enforced when the body is read: whoever must be refused for another reason first
    (401 before the body is looked at) is.

    Args:
        app: The wrapped application.
        limit: Bytes.
    """

    def __init__(self, app: ASGIApp, *, limit: int) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        seen = 0
        finished = late = False
        due: float | None = None
        headers = Headers(scope=scope)
        declared = headers.get("content-length", "")
        endless = "transfer-encoding" in headers or (declared.isdigit() and int(declared) > self._limit)

        async def bounded_receive() -> Message:
            nonlocal seen, finished, late, due
            if declared.isdigit() and int(declared) > self._limit:
                raise HTTPException(413, f"the body exceeds {self._limit} bytes")
            if finished:
                return await receive()  # waits for the client to go
            due = due or asyncio.get_running_loop().time() + BODY_SECONDS
            try:
                async with asyncio.timeout_at(due):
                    message = await receive()
            except TimeoutError:
                late = True
                raise HTTPException(408, f"the body took longer than {BODY_SECONDS:g} s") from None
            if message["type"] == "http.request":
                seen += len(message.get("body", b""))
                finished = not message.get("more_body", False)
                if seen > self._limit:
                    raise HTTPException(413, f"the body exceeds {self._limit} bytes")
            return message

        async def send_and_hang_up(message: Message) -> None:
            # Whoever is refused must not go on sending a body that nobody reads. A body that is merely
            # too large is let out of the pipe first: hanging up on it would lose the answer too.
            refused = message["type"] == "http.response.start" and (late or (endless and not finished))
            emptied = refused and message["status"] == 413 and await _drain(receive, 4 * self._limit)
            if refused and not emptied:
                MutableHeaders(scope=message)["Connection"] = "close"
            await send(message)

        await self._app(scope, bounded_receive, send_and_hang_up)


def content_security_policy(*, frame_ancestors: str = "'self'") -> str:
    """What the browser may load and do on a page of ours.

    Args:
        frame_ancestors: Who may show the page in a frame.
    """
    return "; ".join((*_CSP, f"frame-ancestors {frame_ancestors}"))


async def _drain(receive: Receive, limit: int) -> bool:
    """Throw away the rest of a body; says whether its end came within the bounds."""
    try:
        async with asyncio.timeout(_DRAIN_SECONDS):
            while limit > 0:
                message = await receive()
                limit -= len(message.get("body", b""))
                if message["type"] != "http.request" or not message.get("more_body", False):
                    return True
    except TimeoutError:
        pass
    return False


def origin_allowed(origin: str | None, host: str | None, *, allowed: Collection[str], dev: bool) -> bool:
    """Decide whether a page of this origin may open a WebSocket (no cookies are involved).

    Programs send no ``Origin`` and pass; browsers always do. Our own origin passes, those of the
    settings, and under ``--dev`` any on loopback (a development server of another port).
    """
    if origin is None or origin in allowed:
        return True
    if dev:
        return is_loopback_origin(origin)
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and host is not None and parts.netloc.lower() == host.lower()
