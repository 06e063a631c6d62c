"""The name of this node: given, or made at first start and kept, so that its next process has it too."""

from __future__ import annotations

import re
import secrets
from pathlib import Path

from headwater.errors import ConfigurationError

__all__ = ["node_name"]


def node_name(data: Path, configured: str) -> str:
    """Return the node's name.

    Args:
        data: The data directory; of each node its own.
        configured: The name that the operator gave; empty: none.

    Raises:
        ConfigurationError: It cannot be kept.
    """
    if configured:
        return configured
    path = data / _FILE
    try:
        if path.is_file() and _NAME.fullmatch(kept := path.read_text().strip()):
            return kept
        name = secrets.token_hex(4)
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.write_text(f"{name}\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"the name of this node cannot be kept in {path}: {error}") from error
    return name


_FILE = "node"
_NAME = re.compile(r"[A-Za-z0-9_-]{1,32}")
