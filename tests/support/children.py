"""Child processes that end with the test run, whatever ends it."""

from __future__ import annotations

import ctypes
import signal

__all__ = ["end_with_parent"]

_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1


def end_with_parent() -> None:
    """For `preexec_fn`: the kernel ends the child when its parent is gone, even by SIGKILL."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
