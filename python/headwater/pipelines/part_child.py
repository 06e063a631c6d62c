"""The writer of parts as a supervised child: whether there can be one, and what it is told."""

from __future__ import annotations

import importlib.util
import sys
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import msgspec

from headwater.errors import ConfigurationError
from headwater.pipelines.child import Child, Report
from headwater.pipelines.hls_command import Packaging, Picture
from headwater.pipelines.part_job import PartJob, PartRendition

__all__ = ["check_part_writer", "run_part_writer"]


def check_part_writer() -> None:
    """Make sure that parts can be written.

    Raises:
        ConfigurationError: PyAV is not installed.
    """
    if importlib.util.find_spec("av") is None:
        raise ConfigurationError("low-latency HLS needs PyAV: `pip install headwater[lowlatency]`")


def run_part_writer(
    packaging: Packaging, *, part_seconds: float, folder: Path, report: Report
) -> AbstractAsyncContextManager[Child]:
    """Run the writer as long as the context lasts.

    Args:
        packaging: What it makes.
        part_seconds: Longest part.
        folder: For its files.
        report: Called with each line that it reports; see `part_job`.
    """
    job = msgspec.json.encode(_job(packaging, part_seconds)).decode()
    command = [sys.executable, "-m", "headwater.pipelines.part_writer", job]
    return Child.run(command, folder=folder, report=report)


def _job(packaging: Packaging, part_seconds: float) -> PartJob:
    pictures = [_rendition(packaging, one) for one in packaging.pictures]
    return PartJob(
        sdp=str(packaging.sdp),
        prefix=packaging.prefix,
        renditions=pictures or [PartRendition(name, None) for name in packaging.renditions],
        sound=packaging.sound is not None,
        part_seconds=part_seconds,
        segment_seconds=packaging.segment_seconds,
        thumbnail=str(packaging.thumbnail) if packaging.thumbnail else None,
    )


def _rendition(packaging: Packaging, picture: Picture) -> PartRendition:
    # VP9 goes through too: the writer knows its key frames where FFmpeg does not.
    passes = packaging.copies(picture) or (picture.codec.upper() == "VP9" and not picture.height)
    if passes:
        return PartRendition(picture.name, picture.line)
    return PartRendition(
        name=picture.name,
        picture=picture.line,
        width=picture.width,
        height=picture.height or packaging.height,
        bitrate=packaging.bitrate(picture),
        level=packaging.level(picture),
        follow=packaging.follows_sender,
    )
