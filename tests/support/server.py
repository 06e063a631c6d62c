"""`headwater serve` as a child process, for tests from the outside.

The child inherits the caller's network namespace. `Server.start` returns when the node says it is
ready, and the context ends it: SIGTERM, then SIGKILL after a deadline (which fails the test, since a
clean end is promised).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import httpx

from tests.support.children import end_with_parent

__all__ = ["Server", "ServerFailed", "free_port"]

_READY_SECONDS = 40.0
_STOP_SECONDS = 15.0


class ServerFailed(AssertionError):
    """The server did not start, died, or did not end in time; carries the end of its log."""


class Server:
    """One running node."""

    def __init__(self, process: asyncio.subprocess.Process, port: int, log: Path) -> None:
        self.port = port
        self.url = f"http://localhost:{port}"
        self.log = log
        self._process = process
        self._killed = False

    @classmethod
    @contextlib.asynccontextmanager
    async def start(
        cls,
        folder: Path,
        *,
        threads: int = 1,
        settings: Mapping[str, str] | None = None,
        python: str = sys.executable,
        port: int | None = None,
    ) -> AsyncIterator[Server]:
        """Start a development node and wait until it is ready.

        Args:
            folder: For its data and log.
            threads: Media threads.
            settings: Further `HEADWATER_*` variables, by name.
            python: The interpreter whose `headwater` runs.
            port: The port to take; any free one when None.

        Raises:
            ServerFailed: It did not become ready, or did not end when asked to.
        """
        port = port or free_port()
        log = folder / f"server-{threads}.log"
        with log.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                *(python, "-m", "headwater", "serve", "--dev", "--port", str(port)),
                *("--data", str(folder / "data"), "--threads", str(threads)),
                env={**os.environ, "PYTHONUNBUFFERED": "1", **(settings or {})},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=asyncio.subprocess.STDOUT,
                preexec_fn=end_with_parent,
            )
        server = cls(process, port, log)
        try:
            await server._wait_ready()
            yield server
        finally:
            await server._stop()

    def client(self) -> httpx.AsyncClient:
        """An HTTP client for this node."""
        return httpx.AsyncClient(base_url=self.url, trust_env=False, timeout=15)

    async def new_meeting(self) -> str:
        """Create a meeting; returns its id."""
        async with self.client() as client:
            response = await client.post("/meetings", json={})
        assert response.status_code == 201, response.text
        meeting: str = response.json()["id"]
        return meeting

    async def kill(self) -> None:
        """End the node as a crash would: at once, without a word to anybody."""
        self._killed = True
        self._process.kill()
        await self._process.wait()

    async def metrics(self) -> dict[str, float]:
        """What `/metrics` says now, by series."""
        async with self.client() as client:
            text = (await client.get("/metrics")).text
        lines = (line.rpartition(" ") for line in text.splitlines() if line and not line.startswith("#"))
        return {name: float(value) for name, _, value in lines}

    def tail(self, lines: int = 40) -> str:
        """The end of the log, without colours."""
        text = re.sub(r"\x1b\[[0-9;]*m", "", self.log.read_text(errors="replace"))
        return "\n".join(text.splitlines()[-lines:])

    async def _wait_ready(self) -> None:
        async with self.client() as client:
            try:
                async with asyncio.timeout(_READY_SECONDS):
                    while not await self._is_ready(client):  # noqa: ASYNC110 - another process's state
                        await asyncio.sleep(0.1)
            except TimeoutError:
                raise ServerFailed(f"not ready after {_READY_SECONDS} s:\n{self.tail()}") from None

    async def _is_ready(self, client: httpx.AsyncClient) -> bool:
        if self._process.returncode is not None:
            raise ServerFailed(f"ended with {self._process.returncode}:\n{self.tail()}")
        try:
            return (await client.get("/readyz")).status_code == 200
        except httpx.TransportError:
            return False

    async def _stop(self) -> None:
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            code = await asyncio.wait_for(self._process.wait(), _STOP_SECONDS)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
            raise ServerFailed(f"still running {_STOP_SECONDS} s after SIGTERM:\n{self.tail()}") from None
        if not self._killed and code not in (0, -signal.SIGTERM, 128 + signal.SIGTERM):
            raise ServerFailed(f"ended with {code}:\n{self.tail()}")


def free_port() -> int:
    """A number that is free for TCP and UDP now."""
    while True:
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            tcp.bind(("127.0.0.1", 0))
            port: int = tcp.getsockname()[1]
            try:
                udp.bind(("", port))
            except OSError:
                continue
            return port
