"""A node of its own for a measurement: started, waited for, ended."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from headwater.cli.bench.processes import end_process
from headwater.errors import HeadwaterError

__all__ = ["Node", "media_counters", "new_channel", "started_node", "wait_for_playlist"]


@dataclass(frozen=True, slots=True)
class Node:
    """A running node.

    Attributes:
        url: Its base URL.
        pid: Its process.
        listening_seconds: From process start to the first 200 on ``/readyz``.
    """

    url: str
    pid: int
    listening_seconds: float


@contextmanager
def started_node(
    *, threads: int, apart: bool = True, settings: Mapping[str, str] | None = None
) -> Iterator[Node]:
    """Run ``headwater serve --dev`` on a free port; end it on exit.

    Args:
        threads: Media threads.
        apart: Keep it off the core where the generator works.
        settings: Further `HEADWATER_*` variables, by name.

    Raises:
        HeadwaterError: It did not become ready; the message holds its last words.
    """
    port = _free_port()
    with tempfile.TemporaryDirectory(prefix="headwater-bench-") as data:
        log = Path(data) / "log"
        command = [sys.executable, "-m", "headwater", "serve", "--dev", "--port", str(port)]
        command += ["--threads", str(threads), "--data", data]
        environment = {**os.environ, "HEADWATER_LIMITS__PARTICIPANTS": "5000", **(settings or {})}
        with log.open("wb") as output:
            begun = time.monotonic()
            process = subprocess.Popen(command, stdout=output, stderr=output, env=environment)
        if apart:
            _leave_a_core(process.pid, threads)
        try:
            _wait_ready(process, port, log)
            yield Node(f"http://127.0.0.1:{port}", process.pid, time.monotonic() - begun)
        finally:
            end_process(process)


def media_counters(url: str, names: Sequence[str]) -> dict[str, int]:
    """Counters of a node's media threads by name, since it started."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=15)
    try:
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
    finally:
        connection.close()
    found = {}
    for name in names:
        value = re.search(rf"^headwater_media_{name}(?:_total)? ([\d.e+]+)$", text, re.MULTILINE)
        found[name] = int(float(value[1])) if value else 0
    return found


def new_channel(url: str) -> str:
    """Make a channel.

    Raises:
        HeadwaterError: The node refused.
    """
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
    with contextlib.closing(connection):
        connection.request("POST", "/channels", body="{}", headers={"Content-Type": "application/json"})
        response = connection.getresponse()
        body = response.read()
    if response.status != 201:
        raise HeadwaterError(f"POST /channels answered {response.status}: {body[:200]!r}")
    return str(json.loads(body)["channelId"])


def wait_for_playlist(url: str) -> None:
    """Wait until a channel can be played by HLS.

    Raises:
        HeadwaterError: It never can.
    """
    parts = urlsplit(url)
    deadline, body = time.monotonic() + _PATIENCE, b""
    while time.monotonic() < deadline:
        connection = http.client.HTTPConnection(parts.netloc, timeout=_PATIENCE)
        with contextlib.closing(connection):
            connection.request("GET", parts.path)
            response = connection.getresponse()
            body = response.read()
        if response.status == 200 and body.count(b"#EXTINF") >= _ENOUGH:
            return
        if response.status == 200 and b"#EXT-X-STREAM-INF" in body:
            return
        time.sleep(0.2)
    raise HeadwaterError(f"the channel has no HLS: {body[:300]!r}")


def _leave_a_core(pid: int, threads: int) -> None:
    """Keep the node off the last core, where the generator works: who wakes whom changes the cost."""
    cores = sorted(os.sched_getaffinity(0))
    if threads < len(cores):
        os.sched_setaffinity(pid, cores[:-1])


def _wait_ready(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + _START_LIMIT
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise HeadwaterError(f"the node ended at once: {_last_words(log)}")
        if _ready(port):
            return
        time.sleep(_POLL)
    raise HeadwaterError(f"the node was not ready within {_START_LIMIT} s: {_last_words(log)}")


def _ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _last_words(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")[-2000:].strip()


def _free_port() -> int:
    """A number that is free for TCP and for UDP. It may be taken before the node binds it."""
    for _ in range(20):
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            tcp.bind(("127.0.0.1", 0))
            port = int(tcp.getsockname()[1])
            try:
                udp.bind(("0.0.0.0", port))
            except OSError:
                continue
            return port
    raise HeadwaterError("no port is free for both TCP and UDP")


_START_LIMIT = 120.0
_POLL = 0.02
_PATIENCE = 90.0
_ENOUGH = 3
