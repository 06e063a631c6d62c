"""The Rust programs that tests start, from the profile that the other Rust tests compile anyway."""

from __future__ import annotations

import os
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]


def built(name: str) -> Path:
    """Where cargo puts a program of the workspace: a gate may keep the build outside the checkout."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", _ROOT / "target"))
    return target / "debug" / name
