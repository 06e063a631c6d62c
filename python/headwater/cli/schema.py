"""Publishes the interfaces: the files of ``schema/``, and settings and signalling in ``docs/reference``.

``python -m headwater.cli.schema`` writes them, ``--check`` exits with 1 when they differ from what the
code says. The web client's types are generated from the schemas.
"""

from __future__ import annotations

import argparse
import json
import secrets
import sys
from pathlib import Path
from typing import Any, get_args

import msgspec

from headwater.api import messages
from headwater.api.channels import messages as channels
from headwater.app import build_parts
from headwater.auth import Gate, TokenAuthority
from headwater.cli.reference import settings_page, signaling_page
from headwater.config import Settings
from headwater.media.worker import Worker

__all__ = ["channels_schema", "main", "openapi_document", "signaling_schema"]

_TREE = Path(__file__).resolve().parents[3]


def signaling_schema() -> dict[str, Any]:
    """The JSON schema of all signalling messages, by name, with one definition per direction."""
    both = [*get_args(messages.ClientMessage), *get_args(messages.ServerMessage)]
    _, components = msgspec.json.schema_components(dict.fromkeys(both), ref_template="#/$defs/{name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://headwater.dev/schema/signaling.schema.json",
        "title": "Headwater signalling",
        "description": "One JSON object per WebSocket text frame at /signaling/join.",
        "oneOf": [{"$ref": "#/$defs/ClientMessage"}, {"$ref": "#/$defs/ServerMessage"}],
        "$defs": {
            "ClientMessage": _union(get_args(messages.ClientMessage)),
            "ServerMessage": _union(get_args(messages.ServerMessage)),
            **dict(sorted(components.items())),
        },
    }


def channels_schema() -> dict[str, Any]:
    """The JSON schema of what a client says on ``/channels``, and of what holds the replies."""
    requests = get_args(channels.Request)
    _, components = msgspec.json.schema_components([*requests, channels.Push], ref_template="#/$defs/{name}")
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://headwater.dev/schema/channels.schema.json",
        "title": "Headwater channels",
        "description": "One JSON object per WebSocket text frame at /channels: docs/reference/channels.md.",
        "oneOf": [{"$ref": "#/$defs/Request"}, {"$ref": "#/$defs/Push"}],
        "$defs": {"Request": _union(requests), **dict(sorted(components.items()))},
    }
    # The end of a text is written otherwise in the regular expressions of JSON schemas (ECMA-262).
    portable: dict[str, Any] = json.loads(json.dumps(document).replace("\\\\Z", "$"))
    return portable


def openapi_document() -> dict[str, Any]:
    """The OpenAPI document, from the application without anything behind it."""
    gate = Gate(authority=TokenAuthority(secrets.token_hex()), api_key_digest=b"")
    document: dict[str, Any] = build_parts(Settings(), worker=Worker(), gate=gate).api.openapi()
    document["info"]["version"] = "1"  # of the interface; the package's would change it every release
    return document


def main(arguments: list[str] | None = None) -> int:
    """Write or check the files; returns the exit code."""
    parser = argparse.ArgumentParser(description="Write the published interfaces.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a file differs")
    parser.add_argument("--directory", type=Path, default=_TREE)
    options = parser.parse_args(arguments)
    differs = False
    for name, text in (
        ("schema/signaling.schema.json", _json(signaling_schema())),
        ("schema/channels.schema.json", _json(channels_schema())),
        ("schema/openapi.json", _json(openapi_document())),
        ("docs/reference/settings.md", settings_page()),
        ("docs/reference/signaling.md", signaling_page()),
    ):
        path: Path = options.directory / name
        if options.check:
            same = path.is_file() and path.read_text() == text
            if not same:
                print(f"{path} differs; run: python -m headwater.cli.schema", file=sys.stderr)
            differs = differs or not same
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    return 1 if differs else 0


def _json(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _union(members: tuple[type, ...]) -> dict[str, Any]:
    return {
        "oneOf": [{"$ref": f"#/$defs/{member.__name__}"} for member in members],
        "discriminator": {
            "propertyName": "type",
            "mapping": {_tag(member): f"#/$defs/{member.__name__}" for member in members},
        },
    }


def _tag(member: type) -> str:
    return str(member.__struct_config__.tag)  # type: ignore[attr-defined]


if __name__ == "__main__":
    sys.exit(main())
