"""Shows with segments, one after the other, and what the process holds before and after them.

As a command, for many of them (six to ten seconds each)::

    python -m tests.integration.server.shows 200
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from headwater.app import Node
from tests.integration.server.conftest import settings
from tests.support.ffmpeg import whip_publisher
from tests.support.resources import resident, resources

__all__ = ["Held", "children", "eventually", "first_playlist", "folders", "show_often", "udp_ports", "until"]


@dataclass(frozen=True, slots=True)
class Held:
    """What the process holds between two shows.

    Attributes:
        counts: Descriptors, threads, tasks, objects of the library, FFmpegs, UDP ports, folders.
        memory: Resident, in KiB.
    """

    counts: dict[str, int]
    memory: int


async def show_often(
    folder: Path, count: int, *, warm: int, told: Callable[[int, Held], None] | None = None
) -> tuple[Held, Held]:
    """Go live by WHIP, be watched by HLS, and leave, again and again.

    Args:
        folder: For all files.
        count: Shows that count.
        warm: Shows before them, which fill caches.
        told: Called after every tenth.

    Returns:
        What is held before and after the shows that count.
    """
    hls = {"segment_seconds": 0.5, "grace_seconds": 0.1}
    async with (
        Node(settings(folder, dev=True, hls=hls), allow_several=True) as node,
        httpx.AsyncClient(base_url=node.url, trust_env=False, timeout=60) as http,
    ):
        await http.get("/healthz")
        idle = len(asyncio.all_tasks())

        async def show() -> None:
            channel = node.channels.open("")
            async with whip_publisher(f"{node.url}/whip/{channel.id}", folder, 7, 440.0):
                await first_playlist(http, f"/hls/{channel.id}/index.m3u8")
                assert len(children()) == 2, "one that sends, one that packages"
            await eventually(lambda: channel.over and not children())

        async def held() -> Held:
            await eventually(lambda: len(asyncio.all_tasks()) <= idle)
            await eventually(lambda: not folders(folder))
            return Held(await _settled(), resident())

        for _ in range(warm):
            await show()
        before = await held()
        for number in range(1, count + 1):
            await show()
            if told and number % 10 == 0:
                told(number, await held())
        return before, await held()


async def _settled() -> dict[str, int]:
    """What is held once it stays the same for half a second: threads and connections end a moment later."""
    counts: dict[str, int] = {}
    same = 0
    async with asyncio.timeout(60):
        while same < 5:
            now = {**resources(), "children": len(children()), "ports": udp_ports()}
            same = same + 1 if now == counts else 0
            counts = now
            await asyncio.sleep(0.1)
    return counts


def folders(data: Path) -> list[Path]:
    """Those of channels, in that of the process."""
    return list((data / "data/hls").glob("*/*"))


def children() -> list[int]:
    """The FFmpegs of this process."""
    parent = os.getpid()
    found = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return [int(child) for child in found if "ffmpeg" in Path(f"/proc/{child}/comm").read_text()]


def udp_ports() -> int:
    """UDP sockets of this process and of the FFmpegs that it started."""
    bound = {line.split()[9] for line in Path("/proc/net/udp").read_text().splitlines()[1:]}
    found = 0
    for process in (os.getpid(), *children()):
        for entry in Path(f"/proc/{process}/fd").iterdir():
            with contextlib.suppress(OSError):
                found += entry.readlink().name[8:-1] in bound
    return found


async def eventually(condition: Callable[[], bool]) -> None:
    """Wait until something holds that no event tells."""
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def first_playlist(http: httpx.AsyncClient, path: str) -> httpx.Response:
    """A playlist, once there is one."""
    return await until(http, path, lambda reply: reply.status_code == 200)


async def until(http: httpx.AsyncClient, path: str, condition: Any) -> httpx.Response:
    """What an address answers once it is as wanted."""
    async with asyncio.timeout(60):
        while True:
            reply = await http.get(path, timeout=30)
            if condition(reply):
                return reply
            await asyncio.sleep(0.2)


def main() -> None:
    """Run many, and say what they left."""
    parser = argparse.ArgumentParser(prog="python -m tests.integration.server.shows", description=__doc__)
    parser.add_argument("count", type=int, nargs="?", default=200)
    count, begun = parser.parse_args().count, time.monotonic()

    def told(number: int, held: Held) -> None:
        line = ", ".join(f"{value} {name}" for name, value in held.counts.items())
        print(f"{number:4} shows, {time.monotonic() - begun:5.0f} s: {line}, {held.memory} KiB", flush=True)  # noqa: T201

    with tempfile.TemporaryDirectory() as folder:
        before, after = asyncio.run(show_often(Path(folder), count, warm=10, told=told))
    told(0, before)
    told(count, after)
    if after.counts != before.counts:
        raise SystemExit("something was left")


if __name__ == "__main__":
    main()
