"""Glass to glass: how late a picture is, and how soon there is one, as people see it.

A page in a headless Chromium draws the time of day as a grid of black and white blocks and sends it as a
camera would, by WHIP in H264. The watch page, in the same browser and so by the same clock, reads it back
from each frame that is displayed (`requestVideoFrameCallback`). Eight further blocks are a checksum: a
frame that cannot be read is not counted. `start` is from opening the watch page to its first frame.
"""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from headwater.cli.bench.chromium import Chromium, find_chromium, started_chromium
from headwater.cli.bench.node import Node, new_channel, started_node, wait_for_playlist
from headwater.cli.bench.sheet import Show
from headwater.errors import ConfigurationError
from headwater.pipelines.part_child import check_part_writer

__all__ = ["Glass", "measure_glass"]


@dataclass(frozen=True, slots=True)
class Glass:
    """One way of watching; times in seconds.

    Attributes:
        way: ``webrtc``, ``hls`` or ``low-latency hls``.
        starts: From page open to the first frame, of each page.
        start_median: Of them.
        late_p50: From drawing to display, of all frames that were read.
        late_p95: The same, 95th percentile.
        frames: How many those are.
    """

    way: str
    starts: tuple[float, ...]
    start_median: float
    late_p50: float
    late_p95: float
    frames: int


def measure_glass(rounds: int, segment: float, browser: str | None, show: Show) -> list[Glass]:
    """Open each kind of page so often.

    Args:
        rounds: Pages of each kind.
        segment: Length of HLS segments, seconds.
        browser: A Chromium to use; the first one found otherwise.
        show: Told how far it is.

    Raises:
        ConfigurationError: There is no Chromium.
        HeadwaterError: No picture arrived.
    """
    program = find_chromium(browser)
    settings = {"HEADWATER_HLS__SEGMENT_SECONDS": f"{segment:g}"}
    found = []
    with _broadcasting(program, settings) as (chromium, node, channel):
        look = partial(_look, chromium, f"{node.url}/watch/{channel}", rounds)
        show("WebRTC in Chromium", 0.1)
        found.append(look("webrtc", "webrtc", _SOON))
        show("HLS in Chromium", 0.3)
        found.append(look("hls", "hls", 3 * segment))
    if _can_write_parts():
        settings["HEADWATER_HLS__LOW_LATENCY"] = "1"
        with _broadcasting(program, settings) as (chromium, node, channel):
            show("low-latency HLS in Chromium", 0.7)
            look = partial(_look, chromium, f"{node.url}/watch/{channel}", rounds)
            found.append(look("low-latency hls", "hls", 3 * segment))
    return found


def _can_write_parts() -> bool:
    """Whether a node of this installation has low-latency HLS."""
    try:
        check_part_writer()
    except ConfigurationError:
        return False
    return True


@contextlib.contextmanager
def _broadcasting(program: str, settings: dict[str, str]) -> Iterator[tuple[Chromium, Node, str]]:
    """A node, a browser, and a page in it that is live on a channel that HLS plays."""
    with (
        started_node(threads=1, apart=False, settings=settings) as node,
        started_chromium(program) as chromium,
    ):
        channel = new_channel(node.url)
        page = chromium.open(f"{node.url}/healthz", script=_BROADCAST.replace("CHANNEL", channel))
        page.wait_for("window.bench && window.bench.live", timeout=_PATIENCE, what="the broadcast begins")
        wait_for_playlist(f"{node.url}/hls/{channel}/index.m3u8")
        yield chromium, node, channel


def _look(chromium: Chromium, url: str, rounds: int, way: str, by: str, settle: float) -> Glass:
    starts, delays = [], list[float]()
    for _ in range(rounds):
        page = chromium.open(f"{url}?by={by}", script=_VIEWER)
        first = page.wait_for(
            "window.bench && window.bench.first", timeout=_PATIENCE, what=f"a frame by {way}"
        )
        starts.append(first / 1000)
        time.sleep(settle)
        page.evaluate("window.bench.late = []")
        time.sleep(_WINDOW)
        delays += page.evaluate("window.bench.late")
        page.close()
    late = sorted(delay / 1000 for delay in delays) or [float("nan")]
    return Glass(
        way=way,
        starts=tuple(starts),
        start_median=statistics.median(starts),
        late_p50=late[len(late) // 2],
        late_p95=late[min(len(late) - 1, len(late) * 95 // 100)],
        frames=len(delays),
    )


_PATIENCE = 60.0
_SOON = 2.0
"""Seconds after the first frame before latency is judged."""
_WINDOW = 4.0

# The clock is 32 blocks of milliseconds and 8 of checksum, 8 in a row; what is around it moves, so that
# there is something to encode.
_BROADCAST = """
(() => {
  if (window.bench) return;
  const state = (window.bench = {});
  const canvas = Object.assign(document.createElement("canvas"), { width: 640, height: 360 });
  const pen = canvas.getContext("2d");
  const stream = canvas.captureStream(0);
  const [picture] = stream.getVideoTracks();
  let number = 0;
  function draw() {
    number += 1;
    for (let x = 0; x < 640; x += 16) {
      pen.fillStyle = `hsl(${(x + number * 3) % 360} 60% ${40 + (number * 7 + x) % 20}%)`;
      pen.fillRect(x, 0, 16, 360);
    }
    const now = Date.now() % 4294967296;
    const sum = (now ^ (now >>> 8) ^ (now >>> 16) ^ (now >>> 24)) & 255;
    for (let bit = 0; bit < 40; bit += 1) {
      const set = bit < 32 ? (now >>> bit) & 1 : (sum >>> (bit - 32)) & 1;
      pen.fillStyle = set ? "#fff" : "#000";
      pen.fillRect(64 + (bit % 8) * 64, 20 + Math.floor(bit / 8) * 64, 64, 64);
    }
    picture.requestFrame();
  }
  setInterval(draw, 33);
  async function send() {
    const sound = new AudioContext();
    const tone = new OscillatorNode(sound, { frequency: 440 });
    const out = new MediaStreamAudioDestinationNode(sound);
    tone.connect(new GainNode(sound, { gain: 0.2 })).connect(out);
    tone.start();
    const connection = (state.connection = new RTCPeerConnection());
    connection.addTransceiver(out.stream.getAudioTracks()[0], { direction: "sendonly", streams: [stream] });
    const sending = { direction: "sendonly", streams: [stream], sendEncodings: [{ maxBitrate: 1500000 }] };
    const line = connection.addTransceiver(picture, sending);
    const { codecs } = RTCRtpSender.getCapabilities("video");
    const first = codecs.filter(({ mimeType }) => mimeType === "video/H264");
    line.setCodecPreferences([...first, ...codecs.filter((codec) => !first.includes(codec))]);
    await connection.setLocalDescription();
    const headers = { "content-type": "application/sdp" };
    const request = { method: "POST", headers, body: connection.localDescription.sdp };
    const response = await fetch("/whip/CHANNEL", request);
    await connection.setRemoteDescription({ type: "answer", sdp: await response.text() });
    connection.addEventListener("connectionstatechange", () => {
      state.live = connection.connectionState === "connected";
    });
  }
  send().catch((error) => { state.problem = String(error); });
})();
"""

# The page's own scripts build the video, perhaps inside a custom element; performance.now() counts from
# opening the page.
_VIEWER = """
(() => {
  if (window.bench) return;
  const state = (window.bench = { late: [] });
  const canvas = Object.assign(document.createElement("canvas"), { width: 80, height: 45 });
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  function find(root) {
    const video = root.querySelector("video");
    if (video) return video;
    for (const element of root.querySelectorAll("*")) {
      const inside = element.shadowRoot && find(element.shadowRoot);
      if (inside) return inside;
    }
    return null;
  }
  function clock(video) {
    pen.drawImage(video, 0, 0, 80, 45);
    const { data } = pen.getImageData(0, 0, 80, 45);
    let now = 0;
    let sum = 0;
    for (let bit = 0; bit < 40; bit += 1) {
      const x = 8 + (bit % 8) * 8 + 4;
      const y = Math.floor((20 + Math.floor(bit / 8) * 64 + 32) / 8);
      const set = data[(y * 80 + x) * 4 + 1] > 127 ? 1 : 0;
      if (bit < 32) now += set * 2 ** bit;
      else sum += set << (bit - 32);
    }
    const right = (now ^ (now >>> 8) ^ (now >>> 16) ^ (now >>> 24)) & 255;
    return sum === right && now > 0 ? now : null;
  }
  function seen(video, { expectedDisplayTime }) {
    const ahead = Math.max(0, expectedDisplayTime - performance.now());
    const drawn = clock(video);
    state.first ??= performance.now();
    if (drawn !== null) state.late.push((Date.now() % 4294967296) - drawn + ahead);
    else state.unread = (state.unread ?? 0) + 1;
    video.requestVideoFrameCallback((_, frame) => seen(video, frame));
  }
  (function look() {
    const video = document.body && find(document);
    if (video) video.requestVideoFrameCallback((_, frame) => seen(video, frame));
    else setTimeout(look, 5);
  })();
})();
"""
