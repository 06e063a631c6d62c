"""The pages of ``docs/reference`` that say what the code says: settings and signalling messages.

``python -m headwater.cli.schema`` writes them beside the schemas.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, SecretStr

from headwater.api import messages
from headwater.cli.flags import NodeFlags
from headwater.config import Settings

__all__ = ["settings_page", "signaling_page"]


def settings_page() -> str:
    """Every setting with its default, as Markdown."""
    flags = {field.name for field in dataclasses.fields(NodeFlags)}
    parts = [_SETTINGS]
    tables: list[str] = []
    for name, default, what in _fields(Settings):
        if isinstance(default, BaseModel):
            about = (inspect.getdoc(type(default)) or "").replace("``", "`")
            rows = [
                f"| `{inner}` | {_value(value)} | {text} |" for inner, value, text in _fields(type(default))
            ]
            tables += [f"\n## [{name}]\n", about, "\n| setting | default | what |", "|---|---|---|", *rows]
        else:
            flag = _flag(name) if name in flags else ""
            parts.append(f"| `{name}` | {flag} | {_value(default)} | {what} |")
    return "\n".join([*parts, *tables, ""])


def signaling_page() -> str:
    """Every signalling message, as Markdown."""
    parts = [_SIGNALING]
    for title, union in (
        ("From the client", messages.ClientMessage),
        ("From the server", messages.ServerMessage),
    ):
        rows = [_message(member) for member in get_args(union)]
        parts += [f"\n## {title}\n", "| type | fields | what |", "|---|---|---|", *rows]
    return "\n".join(parts) + "\n"


def _fields(model: type[BaseModel]) -> Iterator[tuple[str, Any, str]]:
    for name, field in model.model_fields.items():
        yield name, field.get_default(call_default_factory=True), field.description or ""


def _flag(name: str) -> str:
    return f"`--{name.replace('_', '-')}`"


def _value(value: Any) -> str:
    if value is None or isinstance(value, SecretStr | Path) or value in ("", []):
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _message(member: Any) -> str:
    names = [name for name in member.__struct_encode_fields__ if name != "id"]
    fields = ", ".join(f"`{name}`" for name in names)
    what = (inspect.getdoc(member) or "").partition("\n\n")[0].replace("\n", " ")
    return f"| `{member.__struct_config__.tag}` | {fields} | {what.replace('``', '`')} |"


_SETTINGS = """\
# Settings

Written by `python -m headwater.cli.schema`. Flags win over `HEADWATER_*` variables (`HEADWATER_PORT`,
`HEADWATER_LIMITS__ROOMS`), these over the TOML file of `--config`, that over the defaults. `headwater config`
prints what is in force. An empty default: none, or made at first start in `data`.

| setting | flag of `serve` | default | what |
|---|---|---|---|"""
_SIGNALING = """\
# Signalling

Written by `python -m headwater.cli.schema`. One JSON object per WebSocket text frame at `/signaling/join`,
told apart by `type`. A request may carry an `id`; its reply, or `error`, carries the same. Types and ranges
of the fields are in `schema/signaling.schema.json`; the browser library speaks all of it."""
