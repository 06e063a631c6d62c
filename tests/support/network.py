"""A network of the tests' own: loopback plus one real interface, and nothing else.

Firefox never pairs with 127.0.0.1 and the tests must not set its loopback preference, so media has to
go to an interface address. A fresh network namespace gives one that is the same on every machine and
keeps the tests off the host's network. Processes started inside inherit it. The namespace has no
name: it ends with the last process in it, whatever happens to the test run.

Without root the host's own network is used; it then needs an interface besides loopback.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import subprocess
from collections.abc import Iterator

__all__ = ["ADDRESS", "NetworkUnavailable", "own_network", "silent_udp", "without_udp"]

ADDRESS = "10.99.0.1"
"""Address of the interface inside the namespace."""

_CLONE_NEWNET = 0x40000000
_inside: list[str] = []
"""The address, while this process is in a namespace of its own; one within another has its own."""


class NetworkUnavailable(RuntimeError):
    """No namespace could be made and the host has only loopback."""


@contextlib.contextmanager
def own_network() -> Iterator[str]:
    """Move the calling thread, and what it starts, into a new network namespace.

    Yields:
        The interface address that media will use.

    Raises:
        NetworkUnavailable: Without root on a machine that has only loopback.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    outer = len(_inside)
    with open("/proc/self/ns/net") as home:
        if os.geteuid() != 0 or libc.unshare(_CLONE_NEWNET) != 0:
            yield _host_address()
            return
        try:
            _ip("link add hw0 type veth peer name hw1")
            _ip(f"address add {ADDRESS}/24 dev hw0")
            for device in ("lo", "hw0", "hw1"):
                _ip(f"link set {device} up")
            # Firefox asks for the route to a public address to find the interface it may show.
            _ip("route add default via 10.99.0.254 dev hw0")
            _inside.append(ADDRESS)
            yield ADDRESS
        finally:
            del _inside[outer:]
            if libc.setns(home.fileno(), _CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "cannot return to the host's network namespace")


@contextlib.contextmanager
def silent_udp(port: int) -> Iterator[None]:
    """Lose every datagram from and to a port of this namespace, as a firewall that drops does.

    They are routed out of an interface behind which nobody is; TCP goes on.

    Raises:
        NetworkUnavailable: This is not a namespace of ours: the host's routes are left alone.
    """
    if not _inside:
        raise NetworkUnavailable("only a network namespace of the tests may lose datagrams")
    _ip("neigh replace 10.99.0.254 lladdr 02:00:00:00:00:fe dev hw0 nud permanent")
    _ip("route replace default via 10.99.0.254 dev hw0 table 77")
    _ip("rule add pref 100 lookup local")
    _ip("rule del pref 0")
    try:
        for pref, side in ((10, "dport"), (11, "sport")):
            _ip(f"rule add pref {pref} ipproto udp {side} {port} lookup 77")
        yield
    finally:
        for pref in (10, 11):
            _ip(f"rule del pref {pref}")
        _ip("rule add pref 0 lookup local")
        _ip("rule del pref 100")


@contextlib.contextmanager
def without_udp(port: int) -> Iterator[None]:
    """Refuse UDP towards `port` in the calling thread's namespace, as a closed network does.

    By routing policy, which every kernel has; senders get an error, as from a firewall that rejects.

    Raises:
        NetworkUnavailable: Without a namespace of our own.
    """
    if not _inside:
        raise NetworkUnavailable("only a network namespace of the tests may refuse datagrams")
    refusal = f"pref 1 ipproto udp dport {port} prohibit"
    for family in ("-4", "-6"):
        # The kernel asks the table of local addresses first; move it behind our rule.
        _ip(f"{family} rule add pref 100 lookup local")
        _ip(f"{family} rule del pref 0")
        _ip(f"{family} rule add {refusal}")
    try:
        yield
    finally:
        for family in ("-4", "-6"):
            _ip(f"{family} rule del {refusal}")
            _ip(f"{family} rule add pref 0 lookup local")
            _ip(f"{family} rule del pref 100")


def _ip(arguments: str) -> None:
    subprocess.run(["ip", *arguments.split()], check=True, capture_output=True, text=True)


def _host_address() -> str:
    out = subprocess.run(
        ["ip", "-brief", "-4", "address", "show", "up", "scope", "global"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    for word in out:
        if "/" in word:
            return word.split("/")[0]
    raise NetworkUnavailable("the browser tests need root, or a network interface besides loopback")
