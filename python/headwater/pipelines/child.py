"""A supervised child process: it ends with us, tells how far it is, and is believed in nothing else.

Its exit status proves nothing (FFmpeg on a full disk ends with 0 and an empty playlist), so whoever starts
one looks at what was written. Here stand its life, its reports (lines of its standard output) and its log.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

__all__ = ["Child", "Report"]


class Child:
    """One running child; made by `run`.

    Attributes:
        heard_at: `time.monotonic` of its last report; none before the first, which comes when it has
            read enough of its input.
        worked_at: `time.monotonic` of its last report of work done, or when it began.
    """

    def __init__(self, process: asyncio.subprocess.Process, report: Report | None) -> None:
        """Use `run`."""
        self._process = process
        self._report = report
        self._last_lines: deque[str] = deque(maxlen=20)
        self.heard_at: float | None = None
        self.worked_at = time.monotonic()

    @classmethod
    @contextlib.asynccontextmanager
    async def run(
        cls, command: Sequence[str], *, folder: Path, report: Report | None = None
    ) -> AsyncIterator[Child]:
        """Run a program as long as the context lasts.

        Args:
            command: The program and its arguments.
            folder: Its working directory.
            report: Called with each line that it reports: whether it tells of work done; must not raise.

        Yields:
            The running child; it may end at any time, see `wait`.
        """
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            preexec_fn=_in_child,
        )
        child = cls(process, report)
        readers = [asyncio.create_task(child._read_reports()), asyncio.create_task(child._read_log())]
        try:
            yield child
        finally:
            await child._end()
            for reader in readers:
                reader.cancel()
            await asyncio.wait(readers)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def log(self) -> str:
        """The last lines that it wrote."""
        return "\n".join(self._last_lines)

    async def wait(self) -> int:
        """Wait until it ends; its exit status, which proves nothing."""
        return await self._process.wait()

    def kill(self) -> None:
        """End it without asking: it does not answer."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def _read_reports(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            self.heard_at = time.monotonic()
            if self._report is None or self._report(line.decode(errors="replace").rstrip()):
                self.worked_at = self.heard_at

    async def _read_log(self) -> None:
        assert self._process.stderr is not None
        with contextlib.suppress(ValueError):  # a line without an end
            async for line in self._process.stderr:
                self._last_lines.append(line.decode(errors="replace").rstrip()[:400])

    async def _end(self) -> None:
        """Ask, then insist; a stopped process hears nothing but SIGKILL."""
        if self._process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._process.wait()
        except TimeoutError:
            self.kill()
            await self._process.wait()


def _in_child() -> None:
    """Between fork and exec: nothing that takes a lock."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    os.nice(_NICE)  # packaging is less urgent than forwarding


Report = Callable[[str], bool]
"""Takes a line that a child reports; whether it tells of work done."""
_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1
_NICE = 5
_PATIENCE = 1.0
"""Seconds to end by itself."""
