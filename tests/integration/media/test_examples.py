"""The examples do what they say, and the README shows one of them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import shlex
import sys
import urllib.request
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from cyclopts import CycloptsError
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from headwater.cli import app
from tests.integration.media.test_recording import probe
from tests.support.peer import Camera, Peer

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "examples"


def test_readme_shows_the_six_lines() -> None:
    """The library snippet in the README is the example that this test runs."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    shown = [line.strip() for line in blocks[0].splitlines() if line.strip()]
    run = [line.strip() for line in (EXAMPLES / "six_lines.py").read_text().splitlines()]
    assert [line for line in run if line in shown] == shown


def test_pages_show_lines_of_examples() -> None:
    """What a page shows as Python stands, line by line, in one of the examples run here."""
    run = [[line.strip() for line in path.read_text().splitlines()] for path in EXAMPLES.glob("*.py")]
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
    blocks = [
        (page.name, [line.strip() for line in block.splitlines()])
        for page in pages
        for block in re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)
        if page != ROOT / "README.md"
    ]
    assert len(blocks) >= 3
    for page, shown in blocks:
        assert any(
            shown == lines[start : start + len(shown)] for lines in run for start in range(len(lines))
        ), f"{page}: {shown[0]}"


def test_pages_show_commands_that_are_taken() -> None:
    """Every `headwater` line that a page shows in a block names a command and flags that exist."""
    shown = [
        (page.name, shlex.split(line, comments=True))
        for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
        for block in re.findall(r"^```\w*\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)
        for line in re.findall(r"^(?:[A-Z_]+=\S+ )?headwater (.*)$", block, re.MULTILINE)
    ]
    assert len(shown) > 5
    for page, words in shown:
        try:
            app.parse_args(words, exit_on_error=False, print_error=False)
        except CycloptsError as error:
            pytest.fail(f"{page}: {words}: {error}")


def test_examples_stay_small() -> None:
    """An example is read in one go, and the room itself is thirty lines; the rest serves its page."""
    for path in EXAMPLES.iterdir():
        if path.name != "gstreamer_whip.py":  # no example of the library: the WHIP that GStreamer 1.22 lacks
            assert len(path.read_text().splitlines()) < 100, path
    text = (EXAMPLES / "room.py").read_text()
    room = text[text.index("async def visit") : text.index("def page")]
    assert len([line for line in room.splitlines() if line.strip()]) <= 30


async def test_six_lines() -> None:
    """One client sees the other."""
    out = await output_of("six_lines.py")
    assert "bob sees video in m-line" in out
    assert "640x480" in out


async def test_layers() -> None:
    """The viewer is told of its first picture; the line and its wishes are answered."""
    out = await output_of("layers.py")
    assert "None -> Layer(spatial=0, temporal=0) start" in out
    assert re.search(r"the line carries \d+ bit/s", out)
    assert "may get 0 is to get 0" in out


async def test_threads() -> None:
    """The second member sits on the second thread."""
    assert "media threads of the room: 2" in await output_of("threads.py")


async def output_of(name: str) -> str:
    """What an example prints; it ends by itself, without a warning."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "error", str(EXAMPLES / name), stdout=asyncio.subprocess.PIPE
    )
    out, _ = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode == 0
    return out.decode()


async def test_record(tmp_path: Path) -> None:
    """The recorded file has a picture and sound."""
    film = tmp_path / "talk.mkv"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "error", str(EXAMPLES / "record.py"), str(film)
    )
    assert await asyncio.wait_for(process.wait(), 120) == 0
    streams = {stream["codec_type"]: stream for stream in await probe(film)}
    assert int(streams["video"]["nb_read_frames"]) > 60
    assert int(streams["audio"]["nb_read_frames"]) > 150


async def test_plain_out(tmp_path: Path) -> None:
    """The file that FFmpeg makes of encrypted RTP has a picture and sound."""
    film = tmp_path / "talk.mkv"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "error", str(EXAMPLES / "plain_out.py"), str(film)
    )
    assert await asyncio.wait_for(process.wait(), 120) == 0
    streams = {stream["codec_type"]: stream for stream in await probe(film)}
    assert int(streams["video"]["nb_read_frames"]) > 60
    assert int(streams["audio"]["nb_read_frames"]) > 150


async def test_plain_in() -> None:
    """What FFmpeg pushes arrives, key frames and all."""
    out = await output_of("plain_in.py")
    told = re.fullmatch(r"video/VP8: (\d+) packets, (\d+) key frames", out.strip())
    assert told, out
    assert int(told[1]) > 50
    assert int(told[2]) >= 3


@pytest.fixture
async def room() -> AsyncIterator[str]:
    """The running example's link."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(EXAMPLES / "room.py"), "0",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    async with asyncio.timeout(100):
        line = (await process.stdout.readline()).decode()
    link = re.search(r"http://localhost:\d+", line)
    assert link, line
    yield link.group()
    process.terminate()
    _, errors = await process.communicate()
    assert "Traceback" not in errors.decode().split("KeyboardInterrupt")[0], errors.decode()


class Visitor:
    """What the example's page does, with aiortc."""

    def __init__(self, link: str, make: Callable[[], Peer]) -> None:
        self._link = link
        self.publishing, self.watching = make(), make()

    async def enter(self, camera: Camera) -> None:
        self._socket = await connect(self._link.replace("http", "ws").replace("localhost", "127.0.0.1"))
        connection = self.publishing.connection
        connection.addTrack(camera)
        await connection.setLocalDescription(await connection.createOffer())
        await self._socket.send(json.dumps({"offer": connection.localDescription.sdp}))
        self._reading = asyncio.create_task(self._read(self._socket))

    async def sees(self, others: int) -> None:
        """Wait for the pictures of that many others."""
        frames = self.watching.frames
        await self.watching.until(lambda: sum(count > 2 for count in frames.values()) == others)

    async def leave(self) -> None:
        await self._socket.close()
        with contextlib.suppress(ConnectionClosed):  # an offer was on its way
            await self._reading

    async def _read(self, socket: ClientConnection) -> None:
        async for text in socket:
            message = json.loads(text)
            if "answer" in message:
                await self.publishing.set_remote(message["answer"], "answer")
            else:
                connection = self.watching.connection
                await self.watching.set_remote(message["offer"], "offer")
                await connection.setLocalDescription(await connection.createAnswer())
                await socket.send(json.dumps({"answer": connection.localDescription.sdp}))


async def test_room(room: str, peer: Callable[[], Peer]) -> None:
    """Three visitors see each other; one leaves and comes back, and is seen again."""
    visitors = [Visitor(room, peer) for _ in range(3)]
    for visitor in visitors:
        await visitor.enter(Camera())
    for visitor in visitors:
        await visitor.sees(2)
    await visitors[0].leave()
    before = dict(visitors[1].watching.frames)
    again = Visitor(room, peer)
    await again.enter(Camera())
    seen = visitors[1].watching
    await seen.until(lambda: sum(n > before.get(mid, 0) + 2 for mid, n in seen.frames.items()) >= 2)
    await again.sees(2)
    for visitor in (*visitors[1:], again):
        await visitor.leave()


async def test_room_page(room: str) -> None:
    """The link is a page."""

    def get() -> tuple[str, str]:
        with urllib.request.urlopen(room.replace("localhost", "127.0.0.1")) as reply:
            return reply.headers["Content-Type"], reply.read().decode()

    kind, text = await asyncio.to_thread(get)
    assert kind == "text/html; charset=utf-8"
    assert "RTCPeerConnection" in text
