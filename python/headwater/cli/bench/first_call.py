"""`headwater bench first-call`: how long a person waits.

Two figures in wall time, on loopback: from the start of the server's process until ``/readyz``
answers 200, and from opening a meeting's page until the first frame of somebody already in the
meeting is on the screen. The page is the real one in a headless Chromium; a script types the name
and presses Join as soon as the preview of the camera stands, so that no human's time is in the figure.
"""

from __future__ import annotations

import http.client
import json
import statistics
from dataclasses import asdict, dataclass
from urllib.parse import urlsplit

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from headwater.cli.bench.chromium import Chromium, Page, find_chromium, started_chromium
from headwater.cli.bench.machine import this_machine
from headwater.cli.bench.node import started_node
from headwater.errors import HeadwaterError

__all__ = ["FirstCall", "run_first_call"]


@dataclass(frozen=True, slots=True)
class FirstCall:
    """The waits of each round, in seconds.

    Attributes:
        listening: From process start to a 200 of ``/readyz``.
        first_frame: From page open to the first remote frame.
        steps: Of the last round, from page open to each step on the way.
    """

    listening: tuple[float, ...]
    first_frame: tuple[float, ...]
    steps: dict[str, float]


def run_first_call(*, browser: str | None, as_json: bool) -> int:
    """Measure and print; the exit status is 1 when a goal is missed.

    Raises:
        HeadwaterError: There is no browser, or no frame arrived.
    """
    program = find_chromium(browser)
    listening, frames, steps = [], [], dict[str, float]()
    for _ in range(_ROUNDS):
        with started_node(threads=1, apart=False) as node, started_chromium(program) as chromium:
            listening.append(node.listening_seconds)
            steps = _call(chromium, node.url)
            frames.append(steps["frame"])
    result = FirstCall(tuple(listening), tuple(frames), steps)
    if as_json:
        print(json.dumps({"machine": asdict(this_machine()), **asdict(result)}, indent=2))
    else:
        _print(result)
    met = statistics.median(listening) <= _LISTENING_GOAL and statistics.median(frames) <= _FRAME_GOAL
    return 0 if met else 1


def _call(chromium: Chromium, url: str) -> dict[str, float]:
    """One person waits in a meeting, another opens its page; seconds to each step for the second."""
    meeting = f"{url}/m/{_new_meeting(url)}"
    first = chromium.open(meeting, script=_join_script("First"))
    first.wait_for("window.bench && window.bench.joined", timeout=_PATIENCE, what="the first person joins")
    _wait_sending(first)
    second = chromium.open(meeting, script=_join_script("Second"))
    second.wait_for("window.bench && window.bench.frame", timeout=_PATIENCE, what="the first remote frame")
    steps = second.evaluate("window.bench")
    return {name: round(milliseconds / 1000, 3) for name, milliseconds in steps.items()}


def _wait_sending(page: Page) -> None:
    own = "document.querySelector('[data-testid=tile][data-self=true] video')"
    page.wait_for(f"{own} && {own}.videoWidth > 0", timeout=_PATIENCE, what="the first person's camera")


def _new_meeting(url: str) -> str:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    try:
        connection.request("POST", "/meetings", body="{}", headers={"Content-Type": "application/json"})
        response = connection.getresponse()
        body = response.read()
    finally:
        connection.close()
    if response.status != 201:
        raise HeadwaterError(f"POST /meetings answered {response.status}: {body[:200]!r}")
    return str(json.loads(body)["id"])


def _join_script(name: str) -> str:
    return _SCRIPT.replace("NAME", name)


def _print(result: FirstCall) -> None:
    table = Table(box=SIMPLE_HEAD, title="What a person waits for", caption=str(this_machine()))
    for heading in ("wait", "median s", "worst s", "goal s"):
        table.add_column(heading, justify="left" if heading == "wait" else "right")
    rows = (
        ("process start to listening", result.listening, _LISTENING_GOAL),
        ("page open to first remote frame", result.first_frame, _FRAME_GOAL),
    )
    for words, waits, goal in rows:
        table.add_row(words, f"{statistics.median(waits):.2f}", f"{max(waits):.2f}", f"{goal:.0f}")
    console = Console(emoji=False)
    console.print(table)
    steps = ", ".join(f"{name} {seconds:.2f}" for name, seconds in result.steps.items())
    console.print(f"Steps of the last round: {steps}.", highlight=False)


_ROUNDS = 3
_LISTENING_GOAL = 5.0
_FRAME_GOAL = 3.0
_PATIENCE = 30.0

# performance.now() counts from the start of the navigation: from opening the page.
_SCRIPT = """
window.bench = {};
(function step() {
  const find = (id) => document.querySelector(`[data-testid="${id}"]`);
  const mark = (what) => { window.bench[what] ??= performance.now(); };
  const name = find("name");
  const join = find("join");
  if (name && join && find("preview") && !window.bench.form) {
    mark("form");
    name.value = "NAME";
    name.dispatchEvent(new Event("input", { bubbles: true }));
    setTimeout(() => join.click());
  }
  if (find("stage")) mark("joined");
  const video = document.querySelector('[data-testid="tile"][data-self="false"] video');
  if (video && !window.bench.tile) {
    mark("tile");
    video.requestVideoFrameCallback(() => mark("frame"));
  }
  if (!window.bench.frame) setTimeout(step, 10);
})();
"""
