"""The version of the tables that this code works with: the newest of ``headwater/migrations/versions``."""

from __future__ import annotations

__all__ = ["HEAD"]

HEAD = "0004"
