"""Structured logs: for people on a console, or one JSON object per line.

Everything goes through structlog, uvicorn's records included. Ids travel as context variables
(``room``, ``participant``, ``connection``). Values that could open a door are blanked by key and by
shape, whatever code logged them.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, Literal

import structlog

__all__ = ["configure_logs", "get_logger"]

_SECRET_KEYS = frozenset({"token", "secret", "api_key", "authorization", "credential", "password"})
_TOKEN_SHAPE = re.compile(r"\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*|\bhwk_[\w-]{8,}")


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """Get the logger of a module, named below ``headwater``."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger


def configure_logs(*, level: str = "info", style: Literal["console", "json"] = "console") -> None:
    """Send every record of the process to standard error in one style."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _redact,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if style == "json"
        # Plain tracebacks: the decorated ones print local variables, and those may be secrets.
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).handlers = []
        logging.getLogger(name).propagate = True
    # One line per request, or per step of a database's upgrade, is noise for people.
    for name in ("uvicorn", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key, value in event.items():
        if key.lower() in _SECRET_KEYS:
            event[key] = "[hidden]"
        elif isinstance(value, str):
            event[key] = _TOKEN_SHAPE.sub("[hidden]", value)
    return event
