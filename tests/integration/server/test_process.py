"""`headwater serve` as a process: what it prints, how it ends, and how it fails."""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal
import socket
import ssl
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.support.pace import slowdown
from tests.support.signaling import SignalingClient

pytestmark = pytest.mark.timeout(240)
_START = 100.0


class Process:
    """One node as its own process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[str] = []

    @classmethod
    @contextlib.asynccontextmanager
    async def start(
        cls, data: Path, *flags: str, program: tuple[str, ...] = ("-m", "headwater")
    ) -> AsyncIterator[Process]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, *program, "serve", "--data", str(data), "--threads", "1", *flags),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            yield cls(process)
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()

    async def link(self) -> str:
        """Read until the link, which is a line of its own."""
        assert self.process.stdout is not None
        async with asyncio.timeout(_START):
            async for raw in self.process.stdout:
                line = re.sub(r"\x1b\[[0-9;]*m", "", raw.decode()).rstrip()
                self.lines.append(line)
                if re.fullmatch(r"https?://\S+", line):
                    return line
        raise AssertionError(f"no link: {self.lines}")

    async def end(self, number: int = signal.SIGTERM) -> tuple[int, float]:
        """Send a signal; returns the exit code and how long it took."""
        started = time.monotonic()
        self.process.send_signal(number)
        async with asyncio.timeout(40):
            code = await self.process.wait()
        return code, time.monotonic() - started


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_development_node_prints_a_link_that_works_and_ends_cleanly(
    tmp_path: Path, number: int
) -> None:
    async with Process.start(tmp_path, "--dev", "--port", "0") as node:
        link = await node.link()
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/m/demo", link)
        base = link.removesuffix("/m/demo")
        async with httpx.AsyncClient(base_url=base, trust_env=False, timeout=60) as http:
            assert (await http.get("/readyz")).status_code == 200
            assert (await http.get("/m/demo")).status_code in (200, 503)  # 503: the web app is not built
        text = "\n".join(node.lines)
        assert re.search(r"listens after \d+\.\d\d s", text)
        assert "known to everyone" in text
        async with SignalingClient.join(base, "demo") as ada:
            code, took = await node.end(number)
            assert (await ada.expect("bye"))["reconnect"] is True
        assert code == 0
        assert took < 5 * slowdown()


HANGING = """
import asyncio, sys
from headwater.app import Node
from headwater.cli import main

async def hang(self):
    await asyncio.Event().wait()

Node.close = hang
main(sys.argv[1:])
"""
"""A node whose closing never ends."""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_second_signal_ends_a_node_that_hangs_while_closing(tmp_path: Path, number: int) -> None:
    async with Process.start(tmp_path, "--dev", "--port", "0", program=("-c", HANGING)) as node:
        await node.link()
        node.process.send_signal(number)
        assert node.process.stdout is not None
        async with asyncio.timeout(_START):
            async for line in node.process.stdout:
                if b"Closing" in line:
                    break
        assert node.process.returncode is None
        code, took = await node.end(number)
        assert code == 130
        assert took < 5 * slowdown()


async def test_tcp_and_udp_have_the_same_number(tmp_path: Path) -> None:
    async with Process.start(tmp_path, "--dev", "--port", "0") as node:
        port = int((await node.link()).split(":")[2].split("/")[0])
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            with socket.socket(socket.AF_INET, kind) as sock, pytest.raises(OSError, match="in use"):
                sock.bind(("127.0.0.1", port))


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
async def test_a_taken_port_is_one_clear_line(tmp_path: Path, kind: int) -> None:
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind(("127.0.0.1" if kind == socket.SOCK_STREAM else "0.0.0.0", 0))
        port = taken.getsockname()[1]
        if kind == socket.SOCK_STREAM:
            taken.listen()
        async with Process.start(tmp_path, "--dev", "--port", str(port)) as node:
            output, _ = await asyncio.wait_for(node.process.communicate(), _START)
            lines = [line for line in output.decode().splitlines() if "compiled core was built" not in line]
            assert node.process.returncode == 1
            assert len(lines) == 1, lines
            assert str(port) in lines[0]
            assert "--port" in lines[0]


async def test_production_prints_key_and_fingerprint_once_and_serves_tls(tmp_path: Path) -> None:
    flags = ("--port", "0", "--host", "127.0.0.1")
    async with Process.start(tmp_path, *flags) as node:
        link = await node.link()
        text = "\n".join(node.lines)
        assert link.startswith("https://127.0.0.1:")
        key = next(line for line in node.lines if line.startswith("hwk_"))
        fingerprint = next(
            line for line in node.lines if re.fullmatch(r"([0-9A-F]{2}:){31}[0-9A-F]{2}", line)
        )
        assert str(tmp_path / "secret") in text
        context = ssl.create_default_context(cafile=str(tmp_path / "tls-cert.pem"))
        async with httpx.AsyncClient(base_url=link, trust_env=False, timeout=60, verify=context) as http:
            assert (await http.post("/meetings")).status_code == 401
            made = await http.post("/meetings", headers={"Authorization": f"Bearer {key}"})
            assert made.status_code == 201
        assert (await node.end())[0] == 0
    async with Process.start(tmp_path, *flags) as node:
        await node.link()
        text = "\n".join(node.lines)
        assert key not in text
        assert fingerprint in text


async def test_a_token_from_the_command_line_opens_the_door(tmp_path: Path) -> None:
    async with Process.start(tmp_path, "--port", "0", "--host", "127.0.0.1") as node:
        link = await node.link()
        key = next(line for line in node.lines if line.startswith("hwk_"))
        context = ssl.create_default_context(cafile=str(tmp_path / "tls-cert.pem"))
        async with httpx.AsyncClient(base_url=link, trust_env=False, timeout=60, verify=context) as http:
            made = await http.post("/meetings", headers={"Authorization": f"Bearer {key}"})
            room = made.json()["id"]
        command = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "headwater", "token", "--room", room, "--identity", "ada"),
            *("--data", str(tmp_path)),
            stdout=asyncio.subprocess.PIPE,
        )
        output, _ = await command.communicate()
        token = output.decode().splitlines()[-1]
        async with SignalingClient.join(link, room, token=token, tls=context) as ada:
            assert ada.joined["name"] == "ada"


async def test_doctor_says_what_is_wrong_and_exits_with_it(tmp_path: Path) -> None:
    async def doctor(port: int) -> tuple[int | None, str]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "headwater", "doctor", "--port", str(port), "--data", str(tmp_path)),
            stdout=asyncio.subprocess.PIPE,
        )
        output, _ = await process.communicate()
        return process.returncode, output.decode()

    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, report = await doctor(port)
        assert code == 1
        assert f"TCP port {port} is taken" in report
        assert "--port" in report
    code, report = await doctor(port)
    assert code == 0, report
    assert "arrives at the media threads" in report
    assert not (tmp_path / "secret").exists()
