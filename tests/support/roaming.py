"""A client's machine of its own: a second network that gets and loses addresses, as a telephone does.

It is joined to the caller's network (`own_network()` of tests/support/network.py) by one wire without
faults. The near end is a router with an address in every network below; `Roaming.take` gives the far end
one of them, `Roaming.drop` takes it away again. Programs started under `inside()` live there.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass

from tests.support.children import end_with_parent

__all__ = ["HOME", "IPV6", "MOBILE", "Place", "Roaming", "RoamingUnavailable"]


class RoamingUnavailable(RuntimeError):
    """No right to make network namespaces, or a kernel without IPv6."""


@dataclass(frozen=True, slots=True)
class Place:
    """A network that the client can be in.

    Attributes:
        near: The server's address there, which is the router as well.
        far: The client's.
        prefix: Length of the network's prefix.
        anywhere: Of the default route.
    """

    near: str
    far: str
    prefix: int
    anywhere: str

    @property
    def family(self) -> str:
        """What `ip` calls its version."""
        return "-6" if ":" in self.near else "-4"


HOME = Place("10.96.1.1", "10.96.1.2", 24, "0.0.0.0/0")
MOBILE = Place("10.96.2.1", "10.96.2.2", 24, "0.0.0.0/0")
IPV6 = Place("2001:db8:96::1", "2001:db8:96::2", 64, "::/0")


class Roaming:
    """The client's network. Made by `start`, used from one thread."""

    def __init__(self, holder: int) -> None:
        self._far = f"/proc/{holder}/ns/net"

    @classmethod
    @contextlib.contextmanager
    def start(cls) -> Iterator[Roaming]:
        """Make the network, without any address yet.

        Raises:
            RoamingUnavailable: This machine cannot.
        """
        if os.geteuid() != 0 or not os.path.exists("/proc/sys/net/ipv6"):
            raise RoamingUnavailable("a client's network needs root and a kernel with IPv6")
        with _holder() as holder:
            roaming = cls(holder)
            roaming._wait(holder)
            _ip(f"link add {_NEAR} type veth peer name {_FAR} netns {holder}")
            try:
                for place in (HOME, MOBILE, IPV6):
                    _ip(f"{place.family} address add {place.near}/{place.prefix} dev {_NEAR} {_now(place)}")
                _ip(f"link set {_NEAR} up")
                with roaming.inside():
                    _ip("link set lo up")
                    _ip(f"link set {_FAR} up")
                yield roaming
            finally:
                _ip(f"link del {_NEAR}")

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        """Move the calling thread, and what it starts meanwhile, into the client's network."""
        with open("/proc/thread-self/ns/net") as home, open(self._far) as far:
            _enter(far.fileno())
            try:
                yield
            finally:
                _enter(home.fileno())

    def take(self, place: Place) -> None:
        """Give the client an address, and the way to everywhere by it."""
        with self.inside():
            _ip(f"{place.family} address add {place.far}/{place.prefix} dev {_FAR} {_now(place)}")
            # Browsers ask for the route to a public address to find the one that they may tell.
            _ip(f"{place.family} route replace {place.anywhere} via {place.near} dev {_FAR}")

    def drop(self, place: Place) -> None:
        """Take the address away; what was bound to it gets nothing any more."""
        with self.inside():
            _ip(f"{place.family} address del {place.far}/{place.prefix} dev {_FAR}")

    @contextlib.contextmanager
    def without_udp(self, port: int) -> Iterator[None]:
        """Refuse what the client sends to a UDP port, as a closed network does."""
        rules = [f"{family} rule %s pref 1 ipproto udp dport {port} prohibit" for family in ("-4", "-6")]
        with self.inside():
            for rule in rules:
                _ip(rule % "add")
        try:
            yield
        finally:
            with self.inside():
                for rule in rules:
                    _ip(rule % "del")

    def _wait(self, holder: int) -> None:
        """Until the holder has left our network for its own."""
        ours = os.readlink("/proc/thread-self/ns/net")
        deadline = time.monotonic() + 10
        while os.readlink(self._far) == ours:
            if time.monotonic() > deadline:
                raise RoamingUnavailable(f"process {holder} got no network of its own")
            time.sleep(0.01)


@contextlib.contextmanager
def _holder() -> Iterator[int]:
    """A process in a new network; its standard input is its life."""
    process = subprocess.Popen(["unshare", "--net", "cat"], stdin=subprocess.PIPE, preexec_fn=end_with_parent)
    try:
        yield process.pid
    finally:
        process.kill()
        process.communicate()


def _now(place: Place) -> str:
    """An IPv6 address is otherwise usable only after a second in which nobody else claims it."""
    return "nodad" if place.family == "-6" else ""


def _enter(namespace: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(namespace, _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "cannot change the network namespace")


def _ip(arguments: str) -> None:
    done = subprocess.run(["ip", *arguments.split()], capture_output=True, text=True)
    if done.returncode != 0:
        raise OSError(f"ip {arguments}: {done.stderr.strip()}")


_NEAR, _FAR = "hwr0", "hwr1"
_CLONE_NEWNET = 0x40000000
