"""Ports for programs that open them later: no other process of the tests is given the same ones.

A port that was merely free a moment ago may be anybody's by the time a child binds it: two processes of
the tests find the same one, or the kernel gives it to a connection that goes out. So these are below the
range from which the kernel gives, and each is leased until this process ends, by an abstract socket of
its name: that is unique in a network namespace, and gone with the process however it ends.
"""

from __future__ import annotations

import contextlib
import random
import socket

__all__ = ["free_port", "free_ports"]


def free_port() -> int:
    """A number that is free for TCP and UDP, and ours."""
    return free_ports(1)


def free_ports(count: int) -> int:
    """So many numbers in a row, free for TCP and UDP, and ours; returns the first one, which is even.

    Raises:
        AssertionError: There are none.
    """
    numbers = range(_FIRST, _LAST - count, 2)
    for first in random.sample(numbers, len(numbers)):
        with contextlib.ExitStack() as leases:
            try:
                for port in range(first, first + count):
                    _look(port)
                    leases.enter_context(_lease(port))
            except OSError:
                continue
            _kept.append(leases.pop_all())
            return first
    raise AssertionError("no free ports")


def _look(port: int) -> None:
    """Fail unless nobody has it."""
    with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
        # As a server does that is started again: what is left of its connections is in nobody's way.
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        tcp.bind(("", port))
        udp.bind(("", port))


def _lease(port: int) -> socket.socket:
    """What nobody else has now."""
    lease = socket.socket(socket.AF_UNIX)
    try:
        lease.bind(f"\0headwater-test-port-{port}")
    except OSError:
        lease.close()
        raise
    return lease


_FIRST, _LAST = 22_000, 32_000
_kept: list[contextlib.ExitStack] = []
