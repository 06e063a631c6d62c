"""How much slower this machine is for us now than one that does nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import time

__all__ = ["slowdown"]


def slowdown() -> float:
    """Seconds that a second of work takes, 1 or more: a bound in seconds times this is one of work and waits.

    Other work comes and goes, so this is asked beside what is measured, and before a verdict.
    """
    before, began = os.times(), time.monotonic()
    subprocess.run([sys.executable, "-c", _WORK], check=True)
    took, after = time.monotonic() - began, os.times()
    worked = after.children_user + after.children_system - before.children_user - before.children_system
    return max(1.0, took / worked)


_WORK = "for number in range(5_000_000): pass"
