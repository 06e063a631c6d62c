"""Which pages of other sites may show the player.

The player comes in two forms: ``/embed/{channel}``, a page for an ``<iframe>``, and ``/player.js``, a module
that defines ``<headwater-player>``. The module is only code and loads everywhere; one policy decides what it
may show:

- the frame, by ``frame-ancestors`` of the embedded page;
- the element, when it looks its channel up: a page that is not let in gets a 403 that it may read.

No cookie is ever involved, so this keeps nobody from a public channel who writes a program: it keeps pages
of strangers from playing at the node's expense. Who may watch is the business of tokens. WHEP answers pages
of any origin (RFC 9725 section 4.9), HLS those of ``hls.cors``.
"""

from __future__ import annotations

import re
from collections.abc import Collection

import msgspec
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from headwater.api.middleware import content_security_policy, origin_allowed
from headwater.api.problems import CONTENT_TYPE, make_problem

__all__ = ["EmbedCors", "EmbedPolicy"]


class EmbedPolicy:
    """Decides which origins may show the player.

    Args:
        origins: Web origins besides our own; ``*``: any.
        dev: Development: any origin on this machine, too.
    """

    def __init__(self, origins: Collection[str], *, dev: bool) -> None:
        self._origins = origins
        self._dev = dev

    def allows(self, origin: str, host: str | None) -> bool:
        """Whether a page of this origin may, of the node that it knows by this host."""
        return "*" in self._origins or origin_allowed(origin, host, allowed=self._origins, dev=self._dev)

    @property
    def headers(self) -> dict[str, str]:
        """What the embedded page is served with."""
        ancestors = ("*",) if "*" in self._origins else ("'self'", *self._origins)
        if self._dev:
            ancestors += _THIS_MACHINE
        return {"Content-Security-Policy": content_security_policy(frame_ancestors=" ".join(ancestors))}


class EmbedCors:
    """Lets pages of the named origins look a channel up, and tells others that they may not.

    Args:
        app: The wrapped application.
        policy: Who may.
    """

    def __init__(self, app: ASGIApp, *, policy: EmbedPolicy) -> None:
        self._app = app
        self._policy = policy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or scope["method"] not in _READING or not _PATH.match(scope["path"]):
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Access-Control-Allow-Origin"] = "*"
                headers.add_vary_header("Origin")
            await send(message)

        headers = Headers(scope=scope)
        origin = headers.get("origin")
        answer: ASGIApp = self._app
        if scope["method"] == "OPTIONS" and origin is not None:
            answer = Response(status_code=204, headers=_PREFLIGHT)
        elif origin is not None and not self._policy.allows(origin, headers.get("host")):
            answer = Response(_REFUSAL, 403, media_type=CONTENT_TYPE)
        await answer(scope, receive, send_with_headers)


_READING = ("GET", "HEAD", "OPTIONS")
_PATH = re.compile(r"/channels/(?!history$)[^/]+(/thumbnail\.jpg)?$")
_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, HEAD",
    "Access-Control-Allow-Headers": "Authorization",
    "Access-Control-Max-Age": "86400",
}
_REFUSAL = msgspec.json.encode(
    make_problem(
        403,
        "embedding_refused",
        "Pages of that site may not show the player",
        "whoever runs the node names the site's origin in embed_origins",
    )
)
_THIS_MACHINE = (
    "http://localhost:*",
    "http://127.0.0.1:*",
    "https://localhost:*",
    "https://127.0.0.1:*",
)
