"""Browsers for tests: a Python face of tests/e2e/driver/driver.mjs.

`Driver` is the Node process, `Browser` one running Chromium or Firefox, `Page` one page in a context
of its own (own cookies, own permissions). Everything waits with a deadline and fails with what was
seen last. Closing a driver closes its browsers.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

__all__ = ["CHROMIUM", "FIREFOX", "Browser", "Driver", "DriverError", "Page", "WaitTimeout"]

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = os.environ.get("HEADWATER_TEST_CHROMIUM", "/usr/bin/chromium")
FIREFOX = os.environ.get("HEADWATER_TEST_FIREFOX", "/usr/bin/firefox-esr")

_DRIVER = ROOT / "tests/e2e/driver/driver.mjs"
_WEB = ROOT / "web"
_REQUEST_TIMEOUT = 120.0
_LINE_LIMIT = 64 * 1024 * 1024

_CHROMIUM_ARGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    # A page in the background must keep painting and sending, as a window of its own would.
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    "--autoplay-policy=no-user-gesture-required",
)
_FIREFOX_PREFS: Mapping[str, object] = {
    "media.navigator.permission.disabled": True,
    "media.navigator.streams.fake": True,
    # Without a sound card no AudioContext would ever run.
    "media.cubeb.force_mock_context": True,
    "media.autoplay.default": 0,
    "media.autoplay.blocking_policy": 0,
    "dom.min_background_timeout_value": 4,
    "dom.timeout.enable_budget_timer_throttling": False,
    "media.gmp-manager.updateEnabled": False,
    "app.update.enabled": False,
}


class DriverError(RuntimeError):
    """The driver, or the page, reported a failure."""


class WaitTimeout(AssertionError):
    """A condition did not come true in time."""


class Driver:
    """The Node process that holds the browsers."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._ids = itertools.count(1)
        self._pending: dict[int, asyncio.Future[Any]] = {}
        self._reader = asyncio.create_task(self._read())
        self.pages: list[Page] = []
        self.profiles = tempfile.mkdtemp(prefix="headwater-browsers-")

    @classmethod
    @contextlib.asynccontextmanager
    async def start(cls) -> AsyncIterator[Driver]:
        """Start the driver; close everything at the end.

        Raises:
            DriverError: Node or puppeteer-core is not installed.
        """
        process = await asyncio.create_subprocess_exec(
            _node(),
            str(_DRIVER),
            str(_WEB / "package.json"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=_LINE_LIMIT,
        )
        driver = cls(process)
        try:
            yield driver
        finally:
            await driver.close()

    async def request(self, op: str, *, timeout: float = _REQUEST_TIMEOUT, **fields: Any) -> Any:
        """Send one request and wait for its reply.

        Raises:
            DriverError: The driver answered with an error, or ended.
            WaitTimeout: No reply within `timeout` seconds.
        """
        number = next(self._ids)
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._pending[number] = future
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"id": number, "op": op, **fields}).encode() + b"\n")
        try:
            await self._process.stdin.drain()
            return await asyncio.wait_for(future, timeout)
        except TimeoutError:
            raise WaitTimeout(f"the browser driver did not finish {op!r} within {timeout} s") from None
        finally:
            self._pending.pop(number, None)

    async def launch_chromium(
        self, *args: str, video: Path | None = None, audio: Path | None = None
    ) -> Browser:
        """Start Chromium; with `video` and `audio` files as its camera and microphone."""
        flags = [*_CHROMIUM_ARGS, *args]
        if video or audio:
            flags += ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
        if video:
            flags.append(f"--use-file-for-fake-video-capture={video}")
        if audio:
            flags.append(f"--use-file-for-fake-audio-capture={audio}")
        return await Browser.launch(self, "chromium", CHROMIUM, args=flags)

    async def launch_firefox(self) -> Browser:
        """Start Firefox ESR with its built-in fake devices."""
        return await Browser.launch(self, "firefox", FIREFOX, prefs=dict(_FIREFOX_PREFS))

    async def close(self) -> None:
        """Close every browser and end the driver; kill it after 40 s."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), 40)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        await self._reader
        shutil.rmtree(self.profiles, ignore_errors=True)

    async def _read(self) -> None:
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            reply = json.loads(line)
            future = self._pending.get(reply["id"])
            if future is None or future.done():
                continue
            if "error" in reply:
                future.set_exception(DriverError(reply["error"]))
            else:
                future.set_result(reply["value"])
        for future in self._pending.values():
            if not future.done():
                future.set_exception(DriverError("the browser driver ended"))


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _node() -> str:
    node = Path(sys.prefix, "bin/node")
    if not node.exists() or not (_WEB / "node_modules/puppeteer-core").exists():
        raise DriverError("the test tools are not installed: run `make test` once")
    return str(node)


class Browser:
    """One running browser with a profile of its own."""

    def __init__(self, driver: Driver, handle: str, kind: str, version: str) -> None:
        self.driver = driver
        self.kind = kind
        self.version = version
        self._handle = handle

    @classmethod
    async def launch(
        cls, driver: Driver, kind: str, executable: str, *, args: Sequence[str] = (), prefs: Any = None
    ) -> Browser:
        """Start `executable` as `kind` ("chromium" or "firefox")."""
        profile = tempfile.mkdtemp(prefix=kind, dir=driver.profiles)
        reply = await driver.request(
            "launch", kind=kind, executable=executable, args=list(args), prefs=prefs or {}, profile=profile
        )
        return cls(driver, reply["browser"], kind, reply["version"])

    async def open(
        self,
        url: str | None = None,
        *,
        name: str = "page",
        width: int = 1280,
        height: int = 720,
        routes: Mapping[str, Mapping[str, str]] | None = None,
        denied: Sequence[str] = (),
    ) -> Page:
        """Open a page in a fresh context.

        Args:
            url: Where to go first.
            name: How diagnostics call the page.
            width: Viewport width in CSS pixels.
            height: Viewport height in CSS pixels.
            routes: Paths answered by the test itself, each `{"type": ..., "body": ...}`.
            denied: Permissions refused to the page's origin, as a person would.
        """
        reply = await self.driver.request(
            "open",
            browser=self._handle,
            width=width,
            height=height,
            routes=dict(routes) if routes else None,
            permissions=[{"permission": {"name": name}, "state": "denied"} for name in denied] or None,
            origin=_origin(url) if url and denied else None,
        )
        page = Page(self, reply["page"], name)
        self.driver.pages.append(page)
        if url:
            await page.goto(url)
        return page

    async def close(self) -> None:
        """Close the browser and all its pages."""
        self.driver.pages = [page for page in self.driver.pages if page.browser is not self]
        await self.driver.request("close_browser", browser=self._handle)


class Page:
    """One page; JavaScript is given as the text of a function."""

    def __init__(self, browser: Browser, handle: str, name: str, *, frame: str | None = None) -> None:
        self.browser = browser
        self.name = name
        self._driver = browser.driver
        self._handle = handle
        self._frame = frame

    def frame(self, part: str) -> Page:
        """The frame in this page whose address contains `part`: JavaScript runs there."""
        return Page(self.browser, self._handle, f"{self.name}, frame", frame=part)

    async def goto(self, url: str) -> int | None:
        """Navigate; returns the HTTP status."""
        status: int | None = await self._send("goto", url=url)
        return status

    async def run(self, function: str, *args: Any, timeout: float = _REQUEST_TIMEOUT) -> Any:
        """Call a JavaScript function in the page and return its (awaited) result."""
        return await self._send(
            "evaluate", frame=self._frame, source=function, args=list(args), timeout=timeout
        )

    async def until(self, function: str, *args: Any, what: str, timeout: float = 45.0) -> Any:
        """Call a JavaScript function until it returns something truthy, and return that.

        Raises:
            WaitTimeout: Not within `timeout` seconds; says `what` was awaited and the last value.
        """
        reply = await self._send(
            "until",
            frame=self._frame,
            source=function,
            args=list(args),
            within=round(timeout * 1000),
            timeout=timeout + 30,
        )
        if not reply["ok"]:
            raise WaitTimeout(
                f"{self.name} ({self.browser.kind}): {what}: not within {timeout} s; "
                f"last value {reply['value']!r} {reply.get('problem') or ''}"
            )
        return reply["value"]

    async def click(self, selector: str, *, timeout: float = 45.0) -> None:
        """Click what the puppeteer `selector` finds, once it is visible and enabled."""
        await self._send("click", selector=selector, within=round(timeout * 1000))

    async def fill(self, selector: str, text: str) -> None:
        """Type `text` into a field."""
        await self._send("fill", selector=selector, text=text)

    async def press(self, key: str) -> None:
        """Press one key."""
        await self._send("press", key=key)

    async def resize(self, width: int, height: int) -> None:
        """Change the viewport."""
        await self._send("viewport", width=width, height=height)

    async def prefer(self, theme: str) -> None:
        """Pretend that the system is set to this theme, "light" or "dark"."""
        await self._send("theme", theme=theme)

    async def screenshot(self, path: Path) -> None:
        """Save what is visible as PNG."""
        path.parent.mkdir(parents=True, exist_ok=True)
        await self._send("screenshot", path=str(path))

    async def console(self) -> list[str]:
        """What the page wrote to its console, uncaught errors and failed requests included."""
        lines: list[str] = await self._send("log")
        return lines

    async def close(self) -> None:
        """Close the page and its context."""
        if self in self._driver.pages:
            self._driver.pages.remove(self)
            await self._send("close_page")

    async def _send(self, op: str, *, timeout: float = _REQUEST_TIMEOUT, **fields: Any) -> Any:
        return await self._driver.request(op, page=self._handle, timeout=timeout, **fields)
