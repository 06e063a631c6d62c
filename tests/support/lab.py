"""The impairment lab: a second network behind a link that does as it is told.

`own_network()` gives the tests' own network, where the server runs. `Lab.start()` adds a far one, joined
to it by two TUN devices and `headwater-lab emulate` between them: delay, jitter, loss in bursts, a narrow
rate with a queue, outages and new ports, changed while it runs. Programs started under `inside()` live in
the far network; all their traffic to the server, signalling too, takes that link.

The server of the tests listens on loopback only. `Lab.bring()` makes its port appear on the far loopback,
so that a far browser sees the same secure origin.

A machine that is too busy to keep time proves nothing: `check()` asks with a UDP echo, `trust()` asks the
emulator how late it was since, and a test skips then ("machine too busy").
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import json
import os
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headwater.cli.bench.generator import find_lab
from tests.support.children import end_with_parent

__all__ = ["FAR", "NEAR", "Lab", "LabUnavailable"]

NEAR = "10.98.0.1"
"""The server's end of the link."""
FAR = "10.98.0.2"
"""The client's end."""

_BUSY_MS = 2.0
_CLONE_NEWNET = 0x40000000


class LabUnavailable(RuntimeError):
    """No TUN devices, or no right to make them."""


@dataclass(frozen=True, slots=True)
class Trust:
    """Whether the link kept time.

    Attributes:
        error_ms: By how much it was off, at the 99th percentile.
    """

    error_ms: float

    @property
    def void(self) -> str:
        """Why nothing measured here counts; empty when it does."""
        if self.error_ms <= _BUSY_MS:
            return ""
        return f"machine too busy: the link was {self.error_ms:.1f} ms off at the 99th percentile"


class Lab:
    """A far network and the link to it. Made by `start`, used from one thread."""

    def __init__(self, emulator: subprocess.Popen[str], holder: subprocess.Popen[bytes]) -> None:
        self._emulator = emulator
        self._holder = holder
        self._far = f"/proc/{holder.pid}/ns/net"
        self._forwarding: list[asyncio.Server] = []
        self._late_ms = 0.0

    @classmethod
    @contextlib.contextmanager
    def start(cls, *, seed: int = 1) -> Iterator[Lab]:
        """Make the far network, with a link that does nothing yet.

        Args:
            seed: Decides every loss and every jitter.

        Raises:
            LabUnavailable: This system has no TUN devices, or not for us.
        """
        if os.geteuid() != 0 or not Path("/dev/net/tun").exists():
            raise LabUnavailable("the impairment lab needs root and /dev/net/tun")
        near, far = f"hwn{os.getpid()}", f"hwf{os.getpid()}"
        command = [str(find_lab()), "emulate", "--near", near, "--far", far, "--seed", str(seed)]
        with contextlib.ExitStack() as stack:
            emulator = stack.enter_context(_child(command, text=True))
            if not json.loads(emulator.stdout.readline() or "{}").get("event") == "ready":
                raise LabUnavailable("the emulator did not start")
            holder = stack.enter_context(_child(["unshare", "--net", "cat"], text=False))
            lab = cls(emulator, holder)
            lab._wait_for_far()
            _ip(f"address add {NEAR} peer {FAR} dev {near}")
            _ip(f"link set {near} up mtu 1500")
            _ip(f"link set {far} netns {holder.pid}")
            with lab.inside():
                _ip(f"address add {FAR} peer {NEAR} dev {far}")
                _ip(f"link set {far} up mtu 1500")
                _ip("link set lo up")
                _ip(f"route add default via {NEAR} dev {far}")
            yield lab

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        """Move the calling thread, and what it starts or opens meanwhile, into the far network."""
        with open("/proc/thread-self/ns/net") as home, open(self._far) as far:
            _enter(far.fileno())
            try:
                yield
            finally:
                _enter(home.fileno())

    def order(self, **changes: Any) -> None:
        """Change the link: `both`, `down` (to the far side), `up`, `rebind`; see `emulate.rs`."""
        assert self._emulator.stdin is not None
        self._emulator.stdin.write(json.dumps(changes) + "\n")
        self._emulator.stdin.flush()

    def clean(self, **both: Any) -> None:
        """A link without faults, but for what is named."""
        self.order(both={"preset": "clean", **both})

    def stats(self) -> dict[str, Any]:
        """What the link carried and lost so far, and how late it was."""
        self.order(stats=True)
        assert self._emulator.stdout is not None
        found: dict[str, Any] = json.loads(self._emulator.stdout.readline())
        self._late_ms = max(self._late_ms, found["late_p99_ms"])
        return found

    def trust(self) -> Trust:
        """Whether the link has kept time since the last `check`."""
        self.stats()
        return Trust(self._late_ms)

    def check(self, *, delay_ms: float = 40.0, count: int = 200) -> Trust:
        """Measure round trips over the link, with this one-way delay; leaves the link clean.

        Other work comes in bursts: the best of three measurements counts.
        """
        self.clean(delay_ms=delay_ms)
        best = min((self._echo(delay_ms, count) for _ in range(3)), key=lambda trust: trust.error_ms)
        self.clean()
        self.stats()
        self._late_ms = 0.0
        return best

    def _echo(self, delay_ms: float, count: int) -> Trust:
        lab = str(find_lab())
        with _child([lab, "echo", f"{NEAR}:{_ECHO_PORT}"], text=True) as echo:
            echo.stdout.readline()
            command = [lab, "probe", f"{NEAR}:{_ECHO_PORT}", "--count", str(count)]
            with self.inside():
                output = subprocess.run(
                    [*command, "--expected-ms", str(2 * delay_ms)], capture_output=True, text=True, check=True
                )
        return Trust(json.loads(output.stdout)["error_p99_ms"])

    async def bring(self, port: int) -> None:
        """Make TCP `port` of the near loopback appear on the far one, over the link."""
        with self.inside():
            far = _listener("127.0.0.1", port)
        near = _listener(NEAR, 0)
        near_port = near.getsockname()[1]

        async def to_near(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with self.inside():
                out = socket.socket()
            await _pass_on(reader, writer, out, (NEAR, near_port))

        async def to_server(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await _pass_on(reader, writer, socket.socket(), ("127.0.0.1", port))

        self._forwarding.append(await asyncio.start_server(to_near, sock=far))
        self._forwarding.append(await asyncio.start_server(to_server, sock=near))

    @contextlib.asynccontextmanager
    async def bringing(self, port: int) -> AsyncIterator[None]:
        """As `bring`, until the end of the block."""
        await self.bring(port)
        try:
            yield
        finally:
            for server in self._forwarding:
                server.close()
            self._forwarding.clear()

    def _wait_for_far(self) -> None:
        """Until the holder has left our network for its own."""
        ours = os.readlink("/proc/thread-self/ns/net")
        deadline = time.monotonic() + 10
        while os.readlink(self._far) == ours:
            if time.monotonic() > deadline or self._holder.poll() is not None:
                raise LabUnavailable("no second network namespace")
            time.sleep(0.01)


async def _pass_on(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, out: socket.socket, to: tuple[str, int]
) -> None:
    out.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(out, to)
        other_reader, other_writer = await asyncio.open_connection(sock=out)
        async with asyncio.TaskGroup() as group:
            group.create_task(_pump(reader, other_writer))
            group.create_task(_pump(other_reader, writer))
    except* OSError:
        pass  # a connection over a bad link ends as it ends
    finally:
        out.close()
        writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()


def _listener(host: str, port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen(64)
    listener.setblocking(False)
    return listener


@contextlib.contextmanager
def _child(command: list[str], *, text: bool) -> Iterator[Any]:
    """A process that ends with us; its standard input is its life."""
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=text, preexec_fn=end_with_parent
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _enter(namespace: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(namespace, _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "cannot change the network namespace")


def _ip(arguments: str) -> None:
    subprocess.run(["ip", *arguments.split()], check=True, capture_output=True, text=True)


_ECHO_PORT = 7
