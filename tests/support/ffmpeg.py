"""FFmpeg 9 from the `imageio-ffmpeg` wheel as a WHIP publisher."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import imageio_ffmpeg

from tests.support.children import end_with_parent
from tests.support.markers import write_marker_video

__all__ = ["whip_publisher"]


@contextlib.asynccontextmanager
async def whip_publisher(url: str, folder: Path, number: int, tone: float) -> AsyncIterator[Path]:
    """Publish a marker as H264 and a tone as Opus to a WHIP endpoint.

    Args:
        url: The endpoint.
        folder: For the picture and FFmpeg's log.
        number: The marker.
        tone: Frequency in Hz.

    Yields:
        The file that FFmpeg logs to.
    """
    picture = write_marker_video(folder / "whip.y4m", number, width=320, height=180, rate=10)
    log = folder / "ffmpeg.log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *(imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-loglevel", "verbose"),
            *("-re", "-stream_loop", "-1", "-i", str(picture)),
            *("-re", "-f", "lavfi", "-i", f"sine=frequency={tone}:sample_rate=48000"),
            *("-c:v", "libx264", "-profile:v", "baseline", "-preset", "ultrafast", "-tune", "zerolatency"),
            *("-pix_fmt", "yuv420p", "-g", "20", "-bf", "0"),
            *("-c:a", "libopus", "-ac", "2", "-b:a", "48k"),
            *("-f", "whip", url),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=asyncio.subprocess.STDOUT,
            preexec_fn=end_with_parent,
        )
    try:
        yield log
        assert process.returncode is None, f"FFmpeg ended:\n{log.read_text()[-3000:]}"
    finally:
        if process.returncode is None:
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), 30)
        except TimeoutError:
            process.kill()
            await process.wait()
