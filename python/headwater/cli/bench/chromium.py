"""A headless Chromium spoken to over its DevTools protocol: pages, scripts in them, their values."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

from headwater.cli.bench.processes import end_process
from headwater.errors import ConfigurationError, HeadwaterError

__all__ = ["Chromium", "Page", "find_chromium", "started_chromium"]


class Chromium:
    """A running browser."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._numbers = itertools.count(1)

    def open(self, url: str, *, script: str) -> Page:
        """Open a window on ``url``; ``script`` runs in it before the page's own scripts."""
        target = self.call("Target.createTarget", {"url": "about:blank", "newWindow": True})["targetId"]
        attached = self.call("Target.attachToTarget", {"targetId": target, "flatten": True})
        page = Page(self, attached["sessionId"], target)
        page.call("Page.enable")
        page.call("Page.addScriptToEvaluateOnNewDocument", {"source": script})
        page.call("Page.navigate", {"url": url})
        return page

    def call(self, method: str, params: dict[str, Any] | None = None, session: str | None = None) -> Any:
        """Call a DevTools method and wait for its result.

        Raises:
            HeadwaterError: The browser refused it, or did not answer.
        """
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": params or {}}
        self._connection.send(json.dumps(message | ({"sessionId": session} if session else {})))
        while True:
            try:
                answer = json.loads(self._connection.recv(timeout=_TIMEOUT))
            except TimeoutError:
                raise HeadwaterError(f"the browser did not answer {method}") from None
            if answer.get("id") == number:
                break
        if "error" in answer:
            raise HeadwaterError(f"the browser refused {method}: {answer['error']['message']}")
        return answer["result"]


class Page:
    """One window."""

    def __init__(self, browser: Chromium, session: str, target: str) -> None:
        self._browser = browser
        self._session = session
        self._target = target

    def close(self) -> None:
        """Close the window."""
        self._browser.call("Target.closeTarget", {"targetId": self._target})

    def call(self, method: str, params: dict[str, Any] | None = None) -> Any:
        """Call a DevTools method of this page, as ``Chromium.call``."""
        return self._browser.call(method, params, self._session)

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression."""
        result = self.call("Runtime.evaluate", {"expression": expression, "returnByValue": True})
        return result["result"].get("value")

    def wait_for(self, expression: str, *, timeout: float, what: str) -> Any:
        """Wait until the expression is neither null nor false; its value.

        Raises:
            HeadwaterError: It did not become so within ``timeout`` seconds.
        """
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            value = self.evaluate(expression)
            if value is not None and value is not False:
                return value
            time.sleep(_POLL)
        text = self.evaluate("document.body ? document.body.innerText.slice(0, 300) : ''")
        raise HeadwaterError(f"{what}: not within {timeout:.0f} s; the page says: {text!r}")


def find_chromium(named: str | None) -> str:
    """The browser's program.

    Raises:
        ConfigurationError: There is none.
    """
    for name in (named,) if named else _NAMES:
        found = shutil.which(name)
        if found:
            return found
    raise ConfigurationError("no Chromium found: install one, or name it with --browser")


@contextmanager
def started_chromium(program: str) -> Iterator[Chromium]:
    """Run the browser with a fresh profile, a fake camera and a fake microphone; end it on exit.

    Raises:
        HeadwaterError: It did not start.
    """
    with tempfile.TemporaryDirectory(prefix="headwater-bench-", ignore_cleanup_errors=True) as profile:
        command = [program, *_FLAGS, f"--user-data-dir={profile}", "about:blank"]
        if os.geteuid() == 0:
            command.insert(1, "--no-sandbox")
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            with connect(_address(process, Path(profile)), max_size=None) as connection:
                yield Chromium(connection)
        finally:
            end_process(process)


def _address(process: subprocess.Popen[bytes], profile: Path) -> str:
    """Where the browser listens: it writes port and path into its profile."""
    file = profile / "DevToolsActivePort"
    deadline = time.monotonic() + _TIMEOUT
    while time.monotonic() < deadline and process.poll() is None:
        if file.is_file():
            port, _, path = file.read_text().strip().partition("\n")
            if path:
                return f"ws://127.0.0.1:{port}{path}"
        time.sleep(_POLL)
    raise HeadwaterError("the browser did not start")


_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_TIMEOUT = 30.0
_POLL = 0.02
_FLAGS = (
    "--headless=new",
    "--remote-debugging-port=0",
    "--remote-allow-origins=*",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
)
