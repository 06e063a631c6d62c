"""A pair of free UDP ports for a program that is about to start: RTP on the even one, RTCP behind it.

The kernel cannot reserve a port for another program. So the pair is held by sockets until just before
the program starts, and no other pair of this process gets it while this one lives; somebody else may
still be faster in between. The program then fails to bind: start again with another pair::

    with PortPair.reserve() as ports:
        ...                       # write the SDP that names ports.port
        ports.release()
        ...                       # start the program
        if not await ports.wait_bound(5):
            ...                   # it did not come up: once more
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import secrets
import socket
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from headwater.errors import LimitReached

__all__ = ["PortPair"]


class PortPair:
    """Two neighbouring UDP ports of one address; made by `PortPair.reserve`."""

    _taken: ClassVar[set[tuple[str, int]]] = set()

    def __init__(self, address: str, port: int, sockets: list[socket.socket]) -> None:
        """Use `PortPair.reserve`."""
        self._address = address
        self._port = port
        self._sockets = sockets
        self._taken.add((address, port))

    @classmethod
    def reserve(cls, address: str = "127.0.0.1") -> Self:
        """Find a free pair and hold it.

        Raises:
            LimitReached: There is none.
        """
        for _ in range(_ATTEMPTS):
            port = _FIRST + 2 * secrets.randbelow((_LAST - _FIRST) // 2)
            if (address, port) in cls._taken:
                continue
            with contextlib.suppress(OSError):
                return cls(address, port, _bind(address, port))
        raise LimitReached(f"no pair of free UDP ports was found on {address}")

    @property
    def address(self) -> str:
        """The address that they are ports of."""
        return self._address

    @property
    def port(self) -> int:
        """The port for RTP, an even one."""
        return self._port

    @property
    def rtcp_port(self) -> int:
        """The port for RTCP."""
        return self._port + 1

    def release(self) -> None:
        """Let the program have them; twice is fine."""
        sockets, self._sockets = self._sockets, []
        for one in sockets:
            one.close()

    def is_bound(self) -> bool:
        """Whether another program has bound both."""
        if self._sockets:
            return False
        version = ipaddress.ip_address(self._address).version
        table = Path("/proc/net/udp6" if version == 6 else "/proc/net/udp").read_text("ascii")
        return all(f":{port:04X} " in table for port in (self.port, self.rtcp_port))

    async def wait_bound(self, timeout: float) -> bool:
        """Wait until another program has bound both.

        Args:
            timeout: Seconds to wait at most.

        Returns:
            False when it has not by then.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while not self.is_bound():  # noqa: ASYNC110  # the kernel tells nobody
                    await asyncio.sleep(_LOOK_AGAIN)
                return True
        return False

    def close(self) -> None:
        """Give the pair back: others of this process may reserve it again."""
        self.release()
        self._taken.discard((self._address, self._port))

    def __enter__(self) -> Self:
        """Return the pair; leaving the block closes it."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the pair back."""
        self.close()


def _bind(address: str, port: int) -> list[socket.socket]:
    """Bind both, or raise `OSError` and leave nothing open."""
    family = socket.AF_INET6 if ipaddress.ip_address(address).version == 6 else socket.AF_INET
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket(family, socket.SOCK_DGRAM)) for _ in range(2)]
        for offset, one in enumerate(sockets):
            one.bind((address, port + offset))
        stack.pop_all()
    return sockets


_FIRST, _LAST = 20_000, 32_000
"""Below what the kernel hands out by itself (``ip_local_port_range``), where collisions are rarer."""
_ATTEMPTS = 200
_LOOK_AGAIN = 0.02
