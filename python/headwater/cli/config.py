"""``headwater config``: print the settings in force, as TOML that ``--config`` takes back."""

from __future__ import annotations

from typing import Any

import msgspec
from rich.console import Console

from headwater.cli.flags import NodeFlags

__all__ = ["config"]

_NO_FLAGS = NodeFlags()


def config(flags: NodeFlags = _NO_FLAGS) -> None:
    """Print the settings that `serve` with the same flags would use; secrets are hidden."""
    values = _without_none(flags.load().model_dump(mode="json"))
    tables = {name: value for name, value in values.items() if isinstance(value, dict)}
    plain = {name: value for name, value in values.items() if name not in tables}
    print(_toml(plain), end="")
    for name, table in tables.items():
        print(f"\n[{name}]\n{_toml(table)}", end="")
    if any(value == "**********" for value in values.values()):
        Console(stderr=True, emoji=False).print("Secrets are hidden; do not copy the stars.", highlight=False)


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_none(item) for item in value]
    return value


def _toml(values: dict[str, Any]) -> str:
    return "".join(f"{name} = {_value(value)}\n" for name, value in values.items())


def _value(value: Any) -> str:
    """A TOML value; its strings, numbers, booleans and arrays are written as in JSON."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_value(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    return msgspec.json.encode(value).decode()
