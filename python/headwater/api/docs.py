"""``/docs``: the HTTP interface as one plain page, written from the OpenAPI document.

No script and nothing from another host, so that it works without the internet and under the same
content policy as every other page. Machines read ``/openapi.json``.
"""

from __future__ import annotations

from html import escape
from typing import Any

from fastapi import FastAPI
from starlette.responses import HTMLResponse

__all__ = ["install_docs"]

_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}: HTTP interface</title>
<meta name="viewport" content="width=device-width"></head><body><h1>{title} {version}</h1>
<p>The same for machines: <a href="/openapi.json">openapi.json</a>. Signalling is a WebSocket at
<code>/signaling/join</code>. Errors are <a href="https://www.rfc-editor.org/rfc/rfc9457">RFC 9457</a> problem
documents.</p>{operations}</body></html>"""


def install_docs(app: FastAPI) -> None:
    """Serve the page."""

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        document = app.openapi()
        operations = "".join(
            _operation(method, path, operation)
            for path, methods in document["paths"].items()
            for method, operation in methods.items()
        )
        info = document["info"]
        return HTMLResponse(
            _PAGE.format(title=escape(info["title"]), version=escape(info["version"]), operations=operations)
        )


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    parameters = "".join(
        f"<li><code>{escape(p['name'])}</code> ({escape(p['in'])}) {escape(p.get('description', ''))}</li>"
        for p in operation.get("parameters", ())
    )
    body = ", ".join(operation.get("requestBody", {}).get("content", {}))
    answers = "".join(
        f"<li><code>{escape(status)}</code> {escape(answer.get('description', ''))}</li>"
        for status, answer in operation["responses"].items()
    )
    return (
        f"<section><h2><code>{escape(method.upper())} {escape(path)}</code></h2>"
        f"<p>{escape(operation.get('summary', ''))}</p>"
        + (f"<p>Body: <code>{escape(body)}</code></p>" if body else "")
        + (f"<ul>{parameters}</ul>" if parameters else "")
        + f"<ul>{answers}</ul></section>"
    )
