"""The node's secrets: the key that signs tokens, and the API key.

Both are made at first start and kept in the data directory, readable by its owner alone. The API
key is stored as a digest and shown once. A configured secret that could be guessed is refused,
because whoever knows it can join any room.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from headwater.auth.bearer import digest
from headwater.errors import ConfigurationError

__all__ = ["DEV_SECRET", "MIN_SECRET_BYTES", "check_secret", "load_api_key_digest", "load_secret"]

DEV_SECRET = "headwater-development-secret-known-to-everyone"  # noqa: S105
"""Signs tokens under ``--dev``, where loopback needs none."""

MIN_SECRET_BYTES = 32
_SECRET_FILE = "secret"  # noqa: S105
_API_KEY_FILE = "api-key.sha256"
_WELL_KNOWN = (
    "secret",
    "password",
    "changeme",
    "change-me",
    "change_me",
    "default",
    "example",
    "headwater",
    "test",
)


def check_secret(secret: str) -> str:
    """Refuse a secret that is short, repetitive or well known.

    Raises:
        ConfigurationError: With what to do instead.
    """
    remedy = "use 32 random bytes, for example from: openssl rand -hex 32"
    if len(secret.encode()) < MIN_SECRET_BYTES:
        raise ConfigurationError(f"the secret is shorter than {MIN_SECRET_BYTES} bytes; {remedy}")
    if secret == DEV_SECRET:
        raise ConfigurationError(f"the development secret is known to everyone; {remedy}")
    if len(set(secret)) < 8:
        raise ConfigurationError(f"the secret repeats a few characters; {remedy}")
    plain = secret.lower()
    for word in _WELL_KNOWN:
        if not plain.replace(word, "").strip("0123456789-_.!"):
            raise ConfigurationError(f"the secret is a well-known word repeated; {remedy}")
    return secret


def load_secret(data: Path, configured: str | None) -> tuple[str, bool]:
    """Get the secret in force, making ``<data>/secret`` when there is none.

    Returns:
        The secret, and whether it was made just now.

    Raises:
        ConfigurationError: The configured or stored secret is unsafe, or cannot be read.
    """
    if configured is not None:
        return check_secret(configured), False
    path = data / _SECRET_FILE
    made = _create_private(path, secrets.token_hex(32))
    if made is not None:
        return made, True
    return check_secret(_read_private(path)), False


def load_api_key_digest(data: Path, configured: str | None) -> tuple[bytes, str | None]:
    """Get the digest of the API key, making a key when there is none.

    Returns:
        The digest, and the key itself when it was made just now (it is not stored).
    """
    if configured is not None:
        return digest(check_secret(configured)), None
    key = f"hwk_{secrets.token_urlsafe(32)}"
    path = data / _API_KEY_FILE
    if _create_private(path, digest(key).hex()) is not None:
        return digest(key), key
    try:
        return bytes.fromhex(_read_private(path)), None
    except ValueError as error:
        raise ConfigurationError(f"{path} is damaged; delete it and a new API key is made") from error


def _create_private(path: Path, content: str) -> str | None:
    """Write a file of mode 0600 unless it exists; ``O_EXCL`` lets one of two racers win."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return None
    except OSError as error:
        raise ConfigurationError(f"cannot write {path}: {error.strerror}; choose another --data") from error
    with os.fdopen(descriptor, "w") as file:
        file.write(content + "\n")
    return content


def _read_private(path: Path) -> str:
    try:
        if path.stat().st_mode & 0o077:
            raise ConfigurationError(f"{path} is readable by others; run: chmod 600 {path}")
        return path.read_text().strip()
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}") from error
