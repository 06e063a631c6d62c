"""Every error as an RFC 9457 problem: one table from our classes to HTTP status codes.

The same document goes out as an HTTP body (``application/problem+json``) and inside the ``error``
message of signalling. ``code`` is stable; ``title`` is for people; ``detail`` says what to do and never
repeats what came in.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import msgspec
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from headwater import errors
from headwater.api.messages import Problem
from headwater.telemetry import get_logger

__all__ = [
    "CONTENT_TYPE",
    "PROBLEM_RESPONSES",
    "install_problem_handlers",
    "make_problem",
    "problem_of",
    "status_of",
]

_log = get_logger(__name__)
CONTENT_TYPE = "application/problem+json"
RETRY_AFTER = 5
"""Seconds after which a full server may be asked again."""
PROBLEM_RESPONSES: dict[int | str, dict[str, Any]] = {
    "default": {
        "description": "A problem (RFC 9457)",
        "content": {CONTENT_TYPE: {"schema": msgspec.json.schema_components([Problem])[1]["Problem"]}},
    }
}
"""What every operation of the interface document may answer besides success."""

_STATUS: dict[type[errors.HeadwaterError], int] = {
    errors.NotFound: 404,
    errors.Closed: 503,
    errors.InvalidState: 409,
    errors.AmbiguousTrack: 409,
    errors.InvalidSlug: 422,
    errors.ConfigurationError: 422,
    errors.Unauthorized: 401,
    errors.Forbidden: 403,
    errors.UnsupportedCodec: 422,
    errors.NegotiationTimeout: 408,
    errors.RemoteError: 400,
    errors.ResourceError: 503,
}


def status_of(error: errors.HeadwaterError) -> int:
    """The HTTP status of an error: that of its nearest ancestor in the table, else 500."""
    for ancestor in type(error).__mro__:
        if (status := _STATUS.get(ancestor)) is not None:
            return status
    return 500


def problem_of(error: errors.HeadwaterError) -> Problem:
    """Describe an error to whoever is at the other end."""
    status = status_of(error)
    title = type(error).__doc__ or type(error).__name__
    # What went wrong inside is for the log, not for the other side.
    detail = str(error) if status != HTTPStatus.INTERNAL_SERVER_ERROR else "see the server's log"
    return make_problem(status, error.code, title.strip().splitlines()[0].rstrip("."), detail)


def install_problem_handlers(app: FastAPI, count: Callable[[str], None]) -> None:
    """Make every failing request end in a problem document.

    Args:
        app: The application.
        count: Counts problems by code.
    """

    def respond(problem: Problem, headers: dict[str, str] | None = None) -> Response:
        count(problem.code)
        return Response(msgspec.json.encode(problem), problem.status, headers, CONTENT_TYPE)

    async def known(_request: Request, error: Exception) -> Response:
        assert isinstance(error, errors.HeadwaterError)
        problem = problem_of(error)
        if problem.status == HTTPStatus.INTERNAL_SERVER_ERROR:
            _log.error("request failed", exc_info=error)
        later = isinstance(error, errors.ChannelNotLive)  # a show may begin; WHEP wants to hear when to ask
        return respond(problem, _headers(503 if later else problem.status))

    async def http(_request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        status = HTTPStatus(error.status_code)
        code = status.name.lower()
        detail = error.detail if error.detail != status.phrase else ""
        return respond(make_problem(status, code, status.phrase, detail), dict(error.headers or {}))

    async def invalid(_request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        where = "; ".join(f"{'.'.join(str(p) for p in e['loc'])}: {e['msg']}" for e in error.errors()[:5])
        return respond(make_problem(422, "invalid_request", "The request does not fit its schema", where))

    async def unknown(_request: Request, error: Exception) -> Response:
        _log.error("request failed", exc_info=error)
        return respond(make_problem(500, "error", "Internal error", "see the server's log"))

    app.add_exception_handler(errors.HeadwaterError, known)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(Exception, unknown)


def make_problem(status: int, code: str, title: str, detail: str) -> Problem:
    """Write a problem document."""
    return Problem(
        type=f"urn:headwater:problem:{code}", title=title, status=int(status), detail=detail, code=code
    )


def _headers(status: int) -> dict[str, str]:
    if status == HTTPStatus.UNAUTHORIZED:
        return {"WWW-Authenticate": 'Bearer realm="headwater"'}
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        return {"Retry-After": str(RETRY_AFTER)}
    return {}
