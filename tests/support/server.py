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
import secrets
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.support.children import end_with_parent
from tests.support.ports import free_port

__all__ = ["Server", "ServerFailed"]

_READY_SECONDS = 100.0
_STOP_SECONDS = 40.0


class ServerFailed(AssertionError):
    """The server did not start, died, or did not end in time; carries the end of its log."""


@dataclass(frozen=True)
class Visitor:
    """Somebody at a node: whoever has this token, or a stranger."""

    url: str
    token: str | None

    def client(self) -> httpx.AsyncClient:
        """An HTTP client of theirs."""
        headers = {} if self.token is None else {"Authorization": f"Bearer {self.token}"}
        # Its certificate is its own: who would vouch for an address of the tests?
        return httpx.AsyncClient(
            base_url=self.url, headers=headers, verify=False, trust_env=False, timeout=15
        )


class Server:
    """One running node."""

    def __init__(
        self, process: asyncio.subprocess.Process, port: int, log: Path, api_key: str | None
    ) -> None:
        self.port = port
        self.api_key = api_key
        # By a name: Firefox looks for its own address by a datagram towards a numeric host of the page,
        # which a network that refuses datagrams answers with an error.
        self.url = f"{'http' if api_key is None else 'https'}://localhost:{port}"
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
        production: bool = False,
        api_key: str | None = None,
    ) -> AsyncIterator[Server]:
        """Start a node and wait until it is ready.

        Args:
            folder: For its data and log.
            threads: Media threads.
            settings: Further `HEADWATER_*` variables, by name.
            python: The interpreter whose `headwater` runs.
            port: The port to take; any free one when None.
            production: On every address, by TLS and with tokens, instead of `--dev`.
            api_key: The API key in production; one of its own when None.

        Raises:
            ServerFailed: It did not become ready, or did not end when asked to.
        """
        port = port or free_port()
        log = folder / f"server-{threads}.log"
        api_key = (api_key or secrets.token_urlsafe(32)) if production else None
        mode = {} if api_key is None else {"HEADWATER_API_KEY": api_key}
        with log.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                *(
                    python,
                    "-m",
                    "headwater",
                    "serve",
                    "--port",
                    str(port),
                    *(() if production else ("--dev",)),
                ),
                *("--data", str(folder / "data"), "--threads", str(threads)),
                env={**os.environ, "PYTHONUNBUFFERED": "1", **mode, **(settings or {})},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=asyncio.subprocess.STDOUT,
                preexec_fn=end_with_parent,
            )
        server = cls(process, port, log, api_key)
        try:
            await server._wait_ready()
            yield server
        finally:
            await server._stop()

    def client(self) -> httpx.AsyncClient:
        """An HTTP client for this node, of whoever runs it."""
        return self.acting(self.api_key).client()

    def acting(self, token: str | None) -> Visitor:
        """The same node for somebody else."""
        return Visitor(self.url, token)

    async def new_meeting(self) -> str:
        """Create a meeting; returns its id."""
        async with self.client() as client:
            response = await client.post("/meetings", json={})
        assert response.status_code == 201, response.text
        meeting: str = response.json()["id"]
        return meeting

    async def new_token(self, meeting: str, identity: str) -> str | None:
        """Mint a token for a meeting; under `--dev` nobody needs one."""
        if self.api_key is None:
            return None
        async with self.client() as client:
            response = await client.post(f"/meetings/{meeting}/tokens", json={"identity": identity})
        assert response.status_code == 201, response.text
        token: str = response.json()["token"]
        return token

    async def new_channel(self) -> str:
        """Create a live channel; returns its id."""
        async with self.client() as client:
            response = await client.post("/channels")
        assert response.status_code == 201, response.text
        channel: str = response.json()["channelId"]
        return channel

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
