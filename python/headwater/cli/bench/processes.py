"""Ending what a measurement started."""

from __future__ import annotations

import subprocess

__all__ = ["end_process"]


def end_process(process: subprocess.Popen[bytes]) -> None:
    """Ask it to end, and after some seconds do not ask."""
    process.terminate()
    try:
        process.wait(timeout=_PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


_PATIENCE = 5
"""Seconds."""
