"""The FFmpeg line of the README publishes into a room.

Its Python example is run by tests/integration/media/test_examples.py.
"""

import asyncio
import re
import shlex
from pathlib import Path

import imageio_ffmpeg
from av import VideoFrame

from tests.support.aiortc_peer import watch_by_whep
from tests.support.server import Server

ROOT = Path(__file__).resolve().parents[2]
FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()


async def test_the_ffmpeg_line_publishes_into_a_room(tmp_path: Path) -> None:
    """As printed, but for the file, the port and the program's place; a watcher gets its picture."""
    talk = tmp_path / "talk.mp4"
    await to_its_end(
        *("-f", "lavfi", "-i", "testsrc=size=320x180:rate=10", "-f", "lavfi", "-i", "sine=frequency=440"),
        *("-t", "20", "-c:v", "libx264", "-preset", "ultrafast", "-g", "10", "-c:a", "aac", talk),
    )
    readme = (ROOT / "README.md").read_text().replace("\\\n", " ")
    (line,) = re.findall(r"^ffmpeg (.*-f whip .*)$", readme, re.MULTILINE)
    async with Server.start(tmp_path) as server:
        shown = line.replace("talk.mp4", str(talk)).replace("localhost:8443", f"localhost:{server.port}")
        with (tmp_path / "ffmpeg.log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                FFMPEG, *shlex.split(shown), stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log
            )
        try:
            await wait_for_publishers(server, 2)
            async with watch_by_whep(server, "demo") as watching, asyncio.timeout(60):
                video = next(
                    each.receiver.track for each in watching.getTransceivers() if each.kind == "video"
                )
                frame = await video.recv()
            assert isinstance(frame, VideoFrame)
            assert (frame.width, frame.height) == (320, 180)
            assert process.returncode is None, (tmp_path / "ffmpeg.log").read_text()[-2000:]
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()


async def to_its_end(*words: str | Path) -> None:
    """Run FFmpeg until it is done."""
    process = await asyncio.create_subprocess_exec(
        FFMPEG, "-v", "error", "-y", *words, stdin=asyncio.subprocess.DEVNULL
    )
    assert await process.wait() == 0


async def wait_for_publishers(server: Server, number: int) -> None:
    """Until so many tracks are published."""
    async with asyncio.timeout(60):
        while (await server.metrics()).get("headwater_media_publishers", 0) < number:  # noqa: ASYNC110 - another process's state
            await asyncio.sleep(0.2)
