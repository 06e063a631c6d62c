"""The seam's Python face: re-exports of the compiled core, nothing else."""

from headwater._core import _native as native

__all__ = ["native"]
