"""Nothing is open that was not asked for: the sockets of this process, as the kernel lists them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
from collections import Counter
from pathlib import Path

from headwater import Worker
from headwater.app import Node
from tests.integration.server.conftest import settings

LISTEN = "0A"
"""State of a listening TCP socket in /proc/net/tcp (include/net/tcp_states.h)."""


def own_sockets() -> set[str]:
    """Inodes of the sockets that this process holds."""
    inodes = set()
    for descriptor in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):  # the one that lists the folder
            if match := re.fullmatch(r"socket:\[(\d+)\]", os.readlink(f"/proc/self/fd/{descriptor}")):
                inodes.add(match[1])
    return inodes


def ports(protocol: str) -> Counter[int]:
    """Local ports of this process's sockets of a protocol, each as often as there are sockets."""
    inodes, found = own_sockets(), Counter[int]()
    for table in (protocol, f"{protocol}6"):
        path = Path("/proc/self/net") / table
        for line in path.read_text().splitlines()[1:] if path.exists() else []:
            fields = line.split()
            if fields[9] in inodes and (protocol == "udp" or fields[3] == LISTEN):
                found[int(fields[1].rpartition(":")[2], 16)] += 1
    return found


async def closed(tcp: Counter[int], udp: Counter[int]) -> None:
    """Wait until only these are open: the kernel takes a moment with what nobody holds any more."""
    async with asyncio.timeout(30):
        while (ports("tcp"), ports("udp")) != (tcp, udp):  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def test_a_node_listens_on_one_number(tmp_path: Path) -> None:
    before = ports("tcp"), ports("udp")
    async with Node(settings(tmp_path, dev=True, threads=2), allow_several=True) as node:
        assert set(ports("tcp") - before[0]) == {node.port}
        assert set(ports("udp") - before[1]) == {node.port}
    await closed(*before)


async def test_a_node_for_everybody_listens_on_one_number_too(tmp_path: Path) -> None:
    """One listener per address family, all of the same number."""
    before = ports("tcp"), ports("udp")
    async with Node(settings(tmp_path), allow_several=True) as node:
        assert set(ports("tcp") - before[0]) == {node.port}
        assert set(ports("udp") - before[1]) == {node.port}
    await closed(*before)


async def test_a_worker_opens_its_udp_port_alone() -> None:
    """The library opens no TCP port, and no listener for a relay, unasked."""
    before = ports("tcp"), ports("udp")
    async with Worker(threads=2) as worker:
        await worker.create_router()
        assert ports("tcp") == before[0]
        assert set(ports("udp") - before[1]) == {worker.port}
    await closed(*before)
