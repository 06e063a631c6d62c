"""The seam's Python face: re-exports of the compiled core, nothing else.

In a development checkout the binary may be older than the Rust sources beside it, and then fails in
ways nobody understands. The binary carries the hash of what it was built from; when the sources
here have another one, importing says so on standard error.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

_BUILD = ".venv/bin/maturin develop --skip-install"

try:
    from headwater._core import _native as native
except ImportError as error:  # pragma: no cover - there is no binary to test this with
    error.add_note(f"The compiled core is missing or does not fit; build it with: {_BUILD}")
    raise

__all__ = ["native", "source_hash"]


def source_hash(crates: Path) -> str:
    """Hash the sources of the shipped crates as ``crates/py/build.rs`` does.

    Args:
        crates: The ``crates`` folder of a checkout.
    """
    digest = hashlib.sha256()
    files = [file for name in ("core", "worker", "py") for file in (crates / name / "src").rglob("*.rs")]
    for name, file in sorted((file.relative_to(crates).as_posix(), file) for file in files):
        digest.update(name.encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()


def _warn_when_stale() -> None:
    crates = Path(__file__).resolve().parents[3] / "crates"
    if not (crates / "py" / "build.rs").is_file():
        return  # installed from a wheel
    if source_hash(crates) != native.build_info()["source_hash"]:
        sys.stderr.write(
            "headwater: warning: the compiled core was built from other sources than those in crates/;"
            f" rebuild it with: {_BUILD}\n"
        )


_warn_when_stale()
