"""FFmpeg as a supervised child: which one, and how it is told to report twice a second."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from headwater.errors import ConfigurationError
from headwater.pipelines.child import Child

__all__ = ["Progress", "find_ffmpeg", "run_ffmpeg"]


def find_ffmpeg(configured: Path | None = None) -> Path:
    """The FFmpeg to use: the configured one, that of the ``imageio-ffmpeg`` package, that of the system.

    Raises:
        ConfigurationError: There is none.
    """
    if configured is not None:
        if not os.access(configured, os.X_OK):
            raise ConfigurationError(f"the configured FFmpeg is no program: {configured}")
        return configured.absolute()  # it runs in another folder
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


def run_ffmpeg(
    program: Path, arguments: Sequence[str], *, folder: Path
) -> AbstractAsyncContextManager[Child]:
    """Run FFmpeg as long as the context lasts.

    Args:
        program: What to start.
        arguments: All but the general ones.
        folder: Its working directory.
    """
    return Child.run([str(program), *_GENERAL, *arguments], folder=folder, report=Progress().heard)


class Progress:
    """What FFmpeg says of itself with ``-progress``: names and values, a line each, again and again."""

    def __init__(self) -> None:
        self._values: dict[str, str] = {}

    def heard(self, line: str) -> bool:
        """Take a line; whether FFmpeg has written more than when it said this before."""
        name, _, value = line.partition("=")
        if name not in _GROWING or self._values.get(name) == value:
            return False
        self._values[name] = value
        return True


_GROWING = ("frame", "out_time_us")
_GENERAL = (
    *("-hide_banner", "-nostdin", "-y", "-nostats", "-loglevel", "warning"),
    *("-stats_period", "0.5", "-progress", "pipe:1"),
)
