"""A supervised FFmpeg: it ends with us, tells how far it is, and is believed in nothing else.

Its exit code proves nothing (a full disk ends with 0 and an empty playlist), so whoever starts one looks
at what was written. Here stand its life and its *progress*, the report that it writes twice a second.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import importlib.util
import os
import shutil
import signal
import time
from collections import deque
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from headwater.errors import ConfigurationError

__all__ = ["Ffmpeg", "find_ffmpeg"]


def find_ffmpeg(configured: Path | None = None) -> Path:
    """The FFmpeg to use: the configured one, that of the ``imageio-ffmpeg`` package, that of the system.

    Raises:
        ConfigurationError: There is none.
    """
    if configured is not None:
        if not os.access(configured, os.X_OK):
            raise ConfigurationError(f"the configured FFmpeg is no program: {configured}")
        return configured
    if importlib.util.find_spec("imageio_ffmpeg") is not None:
        import imageio_ffmpeg

        with contextlib.suppress(RuntimeError):  # a wheel without a program for this machine
            return Path(imageio_ffmpeg.get_ffmpeg_exe())
    if (found := shutil.which("ffmpeg")) is not None:
        return Path(found)
    raise ConfigurationError(
        "there is no FFmpeg: install your system's ffmpeg, or `pip install imageio-ffmpeg`, "
        "or name one in the setting hls.ffmpeg"
    )


class Ffmpeg:
    """One running FFmpeg; made by `run`.

    Attributes:
        heard_at: `time.monotonic` of its last report; none before the first, which comes when it has
            read enough of its input.
    """

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        """Use `run`."""
        self._process = process
        self._last_lines: deque[str] = deque(maxlen=20)
        self.heard_at: float | None = None

    @classmethod
    @contextlib.asynccontextmanager
    async def run(cls, program: Path, arguments: Sequence[str], *, folder: Path) -> AsyncIterator[Ffmpeg]:
        """Run FFmpeg as long as the context lasts.

        Args:
            program: What to start.
            arguments: All but the general ones.
            folder: Its working directory.

        Yields:
            The running child; it may end at any time, see `wait`.
        """
        process = await asyncio.create_subprocess_exec(
            str(program),
            *("-hide_banner", "-nostdin", "-y", "-nostats", "-loglevel", "warning"),
            *("-stats_period", "0.5", "-progress", "pipe:1"),
            *arguments,
            cwd=folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            preexec_fn=_in_child,
        )
        child = cls(process)
        readers = [asyncio.create_task(child._read_progress()), asyncio.create_task(child._read_log())]
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

    @property
    def silent_for(self) -> float:
        """Seconds since its last report; 0 before the first."""
        return 0.0 if self.heard_at is None else time.monotonic() - self.heard_at

    async def wait(self) -> int:
        """Wait until it ends; its exit status, which proves nothing."""
        return await self._process.wait()

    async def _read_progress(self) -> None:
        assert self._process.stdout is not None
        async for _ in self._process.stdout:  # that it comes says enough
            self.heard_at = time.monotonic()

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
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()


def _in_child() -> None:
    """Between fork and exec: nothing that takes a lock."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    os.nice(_NICE)  # packaging is less urgent than forwarding


_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1
_NICE = 5
_PATIENCE = 1.0
"""Seconds to end by itself."""
