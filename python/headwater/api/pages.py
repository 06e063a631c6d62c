"""The web app: one built page for all its addresses, and its assets beside it."""

from __future__ import annotations

import asyncio
import gzip
from pathlib import Path

from fastapi import APIRouter, FastAPI
from starlette.datastructures import Headers
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from headwater.api.embedding import EmbedPolicy

__all__ = ["WEB_ROOT", "install_pages"]

WEB_ROOT = Path(__file__).resolve().parent.parent / "_web"
"""Where the web app is built to."""

PAGES = ("/", "/m/{meeting}", "/studio", "/studio/{channel}", "/watch/{channel}")
_MISSING = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Headwater</title>
<h1>The web app is not built</h1>
<p>The server runs, but <code>headwater/_web</code> is empty. Build it in the source tree with
<code>make build</code> (or <code>npm ci &amp;&amp; npm run build</code> in <code>web/</code>), then reload
this page.</p></html>"""


def install_pages(app: FastAPI, *, embed: EmbedPolicy, root: Path = WEB_ROOT) -> None:
    """Serve the web app's pages and assets.

    Args:
        app: The application; routes added before win.
        embed: Who may show the player in a frame.
        root: Directory of ``index.html``.
    """
    router = APIRouter(include_in_schema=False)

    def page(name: str, headers: dict[str, str]) -> Response:
        if not (file := root / name).is_file():
            return HTMLResponse(_MISSING, 503)
        # The names of its assets change with every build, so the page itself is always asked for.
        return FileResponse(file, headers={"Cache-Control": "no-cache", **headers})

    async def app_page() -> Response:
        return page("index.html", {})

    async def embedded_page() -> Response:
        return page("embed.html", embed.headers)

    for path in PAGES:
        router.add_api_route(path, app_page, methods=["GET", "HEAD"])
    router.add_api_route("/embed/{channel}", embedded_page, methods=["GET", "HEAD"])
    app.include_router(router)
    # Last: everything that is no route may be a file of the web app, once it is built.
    app.mount("/", _Assets(root), name="web")


class _Assets(StaticFiles):
    """Files of the web app, packed for browsers that take it so."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory=directory, check_dir=False)
        self._packed: dict[tuple[str, str], bytes] = {}
        """By path and ETag; as many as there are files."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Serve a file: for ever where its name says what is in it, to any site what the player is of."""
        response = await super().get_response(path, scope)
        if isinstance(response, FileResponse) and path.endswith(_WORTH_PACKING):
            response = await self._pack(path, scope, response)
        if path.startswith(_NAMED_BY_CONTENT):
            response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        else:
            response.headers["Cache-Control"] = "no-cache"  # by ETag: 304 while it is the same
        if path == "player.js" or path.startswith("player/"):
            response.headers["Access-Control-Allow-Origin"] = "*"
            response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        return response

    async def _pack(self, path: str, scope: Scope, plain: FileResponse) -> Response:
        request = Headers(scope=scope)
        plain.headers.add_vary_header("Accept-Encoding")
        if "gzip" not in request.get("accept-encoding", "") or "range" in request:
            return plain
        key = (path, plain.headers["etag"])
        if (packed := self._packed.get(key)) is None:
            packed = self._packed[key] = await asyncio.to_thread(_gzip, Path(plain.path))
        headers = {"Content-Encoding": "gzip", "ETag": f"W/{key[1]}", "Vary": plain.headers["vary"]}
        return Response(packed, headers=headers, media_type=plain.media_type)

    async def check_config(self) -> None:
        """A directory that is not there yet holds no file: 404, not a failure of ours."""


def _gzip(path: Path) -> bytes:
    return gzip.compress(path.read_bytes(), 9, mtime=0)


_NAMED_BY_CONTENT = ("assets/", "player/")
_WORTH_PACKING = (".js", ".css", ".svg")
