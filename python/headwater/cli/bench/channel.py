"""`headwater bench channel`: what a channel costs that is watched by WebRTC and by HLS at once.

One node, one channel, one broadcaster who shows a film (`film.py`) from the generator. Four windows are
measured on it: nobody watches, HLS alone, both, WebRTC alone. What a viewer costs is the difference. The
WebRTC viewers are the generator's, those by HLS are players in a process of their own (`players.py`);
both work on the last core, the node on the others.

How long a person waits and how late the pictures are is another measurement, on a node of its own, with
pages in a real Chromium (`glass.py`): the load above would measure the browser's core and not the server.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from headwater.cli.bench.channel_sheet import ChannelPlan, Window, channel_sheet
from headwater.cli.bench.film import FilmPlan, make_film
from headwater.cli.bench.generator import Conversation, conversing_generator
from headwater.cli.bench.glass import Glass, measure_glass
from headwater.cli.bench.node import new_channel, started_node, wait_for_playlist
from headwater.cli.bench.sheet import Sheet, Show, carry_out
from headwater.errors import ConfigurationError, HeadwaterError

__all__ = ["ChannelPlan", "measure_channel", "run_channel"]


def run_channel(plan: ChannelPlan, *, as_json: bool, plot: Path | None) -> int:
    """Run the plan and print it.

    Raises:
        HeadwaterError: The node, the generator, FFmpeg or the browser failed.
    """
    return carry_out(lambda show: measure_channel(plan, show), as_json=as_json, plot=plot)


def measure_channel(plan: ChannelPlan, show: Show) -> Sheet:
    """Run the plan.

    Raises:
        HeadwaterError: The node, the generator, FFmpeg or the browser failed.
    """
    windows = {window.name: window for window in _load(plan, lambda text, done: show(text, done * _LOAD))}
    glass, problem = list[Glass](), ""
    if plan.rounds:
        try:
            glass = measure_glass(plan.rounds, plan.segment, plan.browser, partial(_later, show))
        except ConfigurationError as error:
            problem = str(error)
    return channel_sheet(plan, windows, glass, problem)


def _later(show: Show, text: str, done: float) -> None:
    show(text, _LOAD + (1 - _LOAD) * done)


# --- the load ----------------------------------------------------------------------------------------


def _load(plan: ChannelPlan, show: Show) -> list[Window]:
    settings = {"HEADWATER_HLS__SEGMENT_SECONDS": f"{plan.segment:g}"}
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="headwater-channel-"))
        show("encoding the film", 0.0)
        film = Path(folder, "film")
        make_film(FilmPlan(plan.codec, plan.mbits, key_seconds=2 * plan.segment), film)
        node = stack.enter_context(started_node(threads=plan.threads, settings=settings))
        channel = new_channel(node.url)
        playlist = f"{node.url}/hls/{channel}/index.m3u8"
        arguments = ["--whip", f"{node.url}/whip/{channel}", "--whep", f"{node.url}/whep/{channel}"]
        arguments += ["--film", str(film), "--viewers", str(plan.webrtc), "--seconds", str(plan.seconds)]
        generator = stack.enter_context(conversing_generator([*arguments, "--server-pid", str(node.pid)]))
        show("going live", 0.1)
        generator.tell("", until="live")
        wait_for_playlist(playlist)
        measure = partial(_measure, generator, node.pid)
        show("nobody watches", 0.2)
        windows = [measure("nobody", None)]
        with _started_players(playlist, plan.hls, over=plan.segment) as players:
            show(f"{plan.hls} viewers by HLS", 0.3)
            players.wait_until_playing(plan.hls)
            windows.append(measure("HLS", players))
            show(f"and {plan.webrtc} by WebRTC", 0.5)
            generator.tell("join", until="joined")
            windows.append(measure("both", players))
        show("WebRTC alone", 0.8)
        windows.append(measure("WebRTC", None))
    return windows


def _measure(generator: Conversation, pid: int, name: str, players: _Players | None) -> Window:
    time.sleep(_SETTLE)
    before, packager = players.tally() if players else {}, _children_us(pid)
    report = generator.tell("measure", until="result")
    after, packager = players.tally() if players else {}, _children_us(pid) - packager
    changed = {
        key: value - before[key] if isinstance(value, (int, float)) else value for key, value in after.items()
    }
    return Window(name, report, changed, packager, changed.get("cpu", 0.0) * 1e6)


class _Players:
    """The process of the HLS viewers."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def tally(self) -> dict[str, Any]:
        """What they have got so far.

        Raises:
            HeadwaterError: They have ended.
        """
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write("\n")
            process.stdin.flush()
        if line := process.stdout.readline():
            tally: dict[str, Any] = json.loads(line)
            return tally
        assert process.stderr is not None
        raise HeadwaterError(f"the HLS viewers ended: {process.stderr.read()[-1000:]}")

    def wait_until_playing(self, count: int) -> None:
        """All of them have a segment."""
        deadline = time.monotonic() + _PATIENCE
        while (tally := self.tally())["playing"] < count:
            if time.monotonic() > deadline:
                raise HeadwaterError(f"{tally['playing']} of {count} HLS viewers play")
            time.sleep(0.2)


@contextlib.contextmanager
def _started_players(url: str, count: int, *, over: float) -> Iterator[_Players]:
    command = [sys.executable, "-m", "headwater.cli.bench.players", url, str(count), str(over)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            yield _Players(process)
        finally:
            process.kill()


def _children_us(pid: int) -> float:
    """CPU time of all processes below one."""
    total = 0.0
    tick = 1e6 / os.sysconf("SC_CLK_TCK")
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):  # gone meanwhile
            for child in map(int, (task / "children").read_text().split()):
                fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
                total += (int(fields[11]) + int(fields[12])) * tick + _children_us(child)
    return total


_LOAD = 0.6
"""Part of the time that the load takes."""
_SETTLE = 2.0
"""Seconds before a window: lines and queues recover from what was before."""
_PATIENCE = 90.0
