"""The plot and the pictures of a line that narrows and widens, with Chromium behind it.

    python -m tests.network.step docs/images

Writes ``step.svg`` (line, estimate, bitrate and picture width over time), ``step-wide.jpg`` and
``step-narrow.jpg`` (what the watcher saw before and after) into the folder, and prints what it measured.
Ends with status 1, and keeps what is there, when the machine could not keep the link's time.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import imageio_ffmpeg

from headwater.telemetry.timeline import Curve, Panel, draw
from tests.network.call import Call
from tests.support.browser import Driver
from tests.support.lab import Lab
from tests.support.network import own_network
from tests.support.programs import built
from tests.support.server import Server

__all__ = ["main"]


@dataclass(frozen=True, slots=True)
class Moment:
    """What was seen at one time."""

    at: float
    line: float
    width: float | None
    received: float
    estimate: float | None


def main() -> None:
    """Run the step and write the files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    os.environ.setdefault("HEADWATER_LAB", str(built("headwater-lab")))
    with own_network(), Lab.start() as lab, tempfile.TemporaryDirectory() as scratch:
        before = lab.check()
        moments = asyncio.run(_run(lab, Path(scratch)))
        trust = lab.trust()
        if before.void or trust.void:
            sys.exit(f"void: {before.void or trust.void}")
        for picture in Path(scratch).glob("step-*.png"):
            _shrink(picture, folder / picture.with_suffix(".jpg").name)
    (folder / "step.svg").write_text(_plot(moments), encoding="utf-8")
    sys.stdout.writelines(f"{moment}\n" for moment in moments)


async def _run(lab: Lab, folder: Path) -> list[Moment]:
    lab.clean(delay_ms=40, rate=_WIDE, queue=_QUEUE)
    async with contextlib.AsyncExitStack() as stack:
        server = await stack.enter_async_context(Server.start(folder))
        await stack.enter_async_context(lab.bringing(server.port))
        near = await stack.enter_async_context(Driver.start())
        with lab.inside():
            far = await stack.enter_async_context(Driver.start())
            behind = await far.launch_chromium()
        call = await Call.start(lab, server, await near.launch_chromium(), behind)
        await call.bob.run(_SHOW)
        return await _watch(call, folder)


async def _watch(call: Call, folder: Path) -> list[Moment]:
    moments: list[Moment] = []
    begun = time.monotonic()
    for rate, until, picture in _PHASES:
        call.lab.order(both={"rate": rate, "queue": _QUEUE})
        while (at := time.monotonic() - begun) < until:
            seen: dict[str, Any] = await call.bob.run(_LOOK)
            received = seen["bytes"] * 8 / 1e6
            estimate = None if seen["estimate"] is None else seen["estimate"] / 1e6
            moments.append(Moment(at, rate / 1e6, seen["width"], received, estimate))
            await asyncio.sleep(_EVERY)
        if picture:
            await call.bob.screenshot(folder / picture)
    return moments


def _shrink(picture: Path, target: Path) -> None:
    """A screenshot as a small JPEG: a moving, noisy picture is megabytes as PNG."""
    ffmpeg = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-loglevel", "error", "-y"]
    subprocess.run([*ffmpeg, "-i", picture, "-vf", "scale=800:-1", "-q:v", "4", target], check=True)


def _plot(moments: list[Moment]) -> str:
    bitrate = [(b.at, (b.received - a.received) / (b.at - a.at)) for a, b in pairwise(moments)]
    rates = [
        Curve("line", [(m.at, m.line) for m in moments], "#999", steps=True),
        Curve("estimate", [(m.at, m.estimate) for m in moments], "#d60"),
        Curve("received", bitrate, "#06c"),
    ]
    widths = [Curve("frameWidth", [(m.at, m.width) for m in moments], "#070", steps=True)]
    panels = [Panel("Mbit/s", rates, 4.0), Panel("pixels across", widths, 1280.0)]
    return draw(panels, seconds=_PHASES[-1][1])


_WIDE, _NARROW = 3_000_000, 300_000
_QUEUE = 48_000
"""Bytes that wait in front of the line, as in a home router."""
_PHASES = ((_WIDE, 20.0, "step-wide.png"), (_NARROW, 40.0, "step-narrow.png"), (_WIDE, 70.0, ""))
_EVERY = 0.5
_LOOK = """async () => {
    const [audio, video] = [await call.inbound("ada", "audio"), await call.inbound("ada", "video")];
    const why = await call.subscriber("ada", "video").why();
    const width = video.frameWidth ?? null;
    const bytes = audio.bytesReceived + video.bytesReceived;
    window.caption.textContent = `${width} x ${video.frameHeight}`;
    return { width, bytes, estimate: why.estimate ?? null };
}"""
_SHOW = """() => {
    const video = document.createElement("video");
    video.srcObject = new MediaStream([call.subscriber("ada", "video").track]);
    video.muted = true;
    Object.assign(video.style, { position: "fixed", inset: "0", width: "100%", height: "100%" });
    window.caption = document.createElement("p");
    Object.assign(caption.style, { position: "fixed", left: "16px", bottom: "8px", font: "32px sans-serif",
        color: "#fff", background: "#000c", padding: "4px 12px" });
    document.body.replaceChildren(video, caption);
    return video.play();
}"""

if __name__ == "__main__":
    main()
