"""FFmpeg 9 as the recorder of a RecordingTransport, and what there is in the file it wrote.

Debian's FFmpeg 5.1 neither receives AV1 over RTP nor decodes it, so recording and decoding are done by
FFmpeg 9 of the `imageio-ffmpeg` wheel. That wheel has no ffprobe: the system's reads the container, where
counting packets needs no decoder.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import imageio_ffmpeg
import numpy as np

from tests.support.children import end_with_parent

__all__ = ["Recorder", "Stream", "loudest", "pictures", "recorder", "streams"]


@dataclass
class Recorder:
    """A running FFmpeg."""

    process: asyncio.subprocess.Process
    film: Path

    async def finish(self) -> str:
        """Let FFmpeg write the end of the file; returns its log."""
        _, log = await asyncio.wait_for(self.process.communicate(b"q"), 60)
        return log.decode(errors="replace")


@dataclass
class Stream:
    """One stream of a file, as the container tells it."""

    codec: str
    packets: int
    seconds: float
    """From the first packet to the last."""


@contextlib.asynccontextmanager
async def recorder(description: str, port: int, folder: Path) -> AsyncIterator[Recorder]:
    """Record to `folder` what `description` (SDP) announces; nothing is transcoded.

    Yields:
        The recorder, once it has opened UDP `port` of the description.
    """
    (folder / "room.sdp").write_text(description)
    film = folder / "room.mkv"
    process = await asyncio.create_subprocess_exec(
        *(imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-loglevel", "warning"),
        *("-protocol_whitelist", "file,rtp,udp", "-localaddr", "127.0.0.1"),
        # By RTP, FFmpeg does not know VP9's key frames, and a copy would wait for one for ever.
        *("-i", str(folder / "room.sdp"), "-c", "copy", "-copyinkf", str(film)),
        stdin=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        preexec_fn=end_with_parent,
    )
    try:
        await _opened(port)
        yield Recorder(process, film)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def streams(film: Path) -> dict[str, Stream]:
    """The streams by kind ("audio", "video")."""
    out = json.loads(
        await _output(
            *("ffprobe", "-loglevel", "error", "-of", "json"),
            *("-show_entries", "stream=index,codec_type,codec_name:packet=stream_index,pts_time"),
            str(film),
        )
    )
    found = {}
    for stream in out["streams"]:
        times = [
            float(each["pts_time"]) for each in out["packets"] if each["stream_index"] == stream["index"]
        ]
        found[stream["codec_type"]] = Stream(stream["codec_name"], len(times), max(times) - min(times))
    return found


async def pictures(film: Path, width: int, height: int) -> np.ndarray:
    """Decode the video: its luma planes, as frames x height x width."""
    raw = await _decode(film, "-map", "0:v", "-fps_mode", "passthrough", "-pix_fmt", "gray", "-f", "rawvideo")
    return np.frombuffer(raw, np.uint8).reshape(-1, height, width)


async def loudest(film: Path, *, rate: int = 48_000) -> float:
    """Decode the audio: its loudest frequency in Hz."""
    raw = await _decode(film, "-map", "0:a", "-ac", "1", "-ar", str(rate), "-f", "f32le")
    wave = np.frombuffer(raw, np.float32)
    spectrum = np.abs(np.fft.rfft(wave * np.hanning(len(wave))))
    return float(spectrum.argmax() * rate / len(wave))


async def _opened(port: int) -> None:
    sockets = Path("/proc/net/udp")
    async with asyncio.timeout(60):
        while f":{port:04X} " not in sockets.read_text():  # noqa: ASYNC110, ASYNC240 - another process's state
            await asyncio.sleep(0.02)


async def _decode(film: Path, *arguments: str) -> bytes:
    ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()
    return await _output(ffmpeg, "-loglevel", "error", "-xerror", "-i", str(film), *arguments, "-")


async def _output(*command: str) -> bytes:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, preexec_fn=end_with_parent
    )
    out, problems = await asyncio.wait_for(process.communicate(), 90)
    assert process.returncode == 0, problems.decode(errors="replace")
    return out
