"""The Worker: the one container of a server process. It owns the media threads and their UDP port.

    async with Worker() as worker:
        router = await worker.create_router()

A Worker belongs to the event loop that opened it, and a process has one: media threads are one per
core already, so a second Worker would only compete with the first. ``allow_several`` is for tests.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import warnings
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, ClassVar, Self

from headwater.errors import InvalidState, PortInUse, WorkerClosed
from headwater.media.codec import CodecName
from headwater.media.load_monitor import LoadMonitor
from headwater.media.object import MediaObject, Statistics
from headwater.media.overload import OverloadLimits
from headwater.media.placement import DEFAULT_SPREAD
from headwater.media.router import Router
from headwater.media.seam import Seam
from headwater.media.stats_feed import Sampled, SampleKind, StatsFeed

if TYPE_CHECKING:
    from headwater._core import _native

__all__ = ["DEFAULT_CODECS", "Worker"]

DEFAULT_CODECS: tuple[CodecName, ...] = ("opus", "vp8", "vp9", "av1", "h264")
"""What a router carries unless told otherwise; VP8 first, for every browser has it."""

DEFAULT_RECORD_LIMIT = 256 * 1024 * 1024
"""Bytes of a record of decisions: about two hours of one sender of 2.5 Mbit/s."""

_LIMITS = OverloadLimits()
CLOSE_TIMEOUT = 2.0
"""Seconds that `Worker.close` waits for the media threads to say goodbye to peers."""


class Worker:
    """Media threads, sockets and routers of this process."""

    _opened: ClassVar[set[Worker]] = set()

    def __init__(
        self,
        *,
        threads: int | None = None,
        port: int = 0,
        addresses: Sequence[str] = (),
        announce: Sequence[str] = (),
        announce_only: bool = False,
        tcp: Sequence[str] = (),
        spread: int = DEFAULT_SPREAD,
        overload: OverloadLimits = _LIMITS,
        record: Path | None = None,
        record_limit: int = DEFAULT_RECORD_LIMIT,
        heartbeats: bool = True,
        allow_several: bool = False,
    ) -> None:
        """Note the settings; nothing starts before `open` or ``async with``.

        Args:
            threads: Media threads; one per core that this process may use when ``None``.
            port: UDP port for all media; 0 lets the system pick one.
            addresses: Local addresses to advertise; empty for those of every interface
                (link-local skipped) and loopback.
            announce: Further addresses to advertise, as seen from outside a NAT.
            announce_only: Advertise ``announce`` without the private addresses.
            tcp: Local addresses on which you accept TCP on the same port number and hand connections
                that begin with a framed STUN check to `adopt_connection`; the unspecified address
                stands for all of its family. They are advertised for clients without UDP (RFC 6544).
            spread: Transports of one router on one media thread before it takes another; 0: spread at once.
            overload: When there is too much to do: layers are given up, `check_capacity` refuses.
            record: Write down there what enters decisions, for `replay`; what is in the file is lost.
            record_limit: Bytes after which the record ends.
            heartbeats: Send four small datagrams a second to clients that ask for them, so that they
                notice a dead path within a second; without, a browser needs seven.
            allow_several: Permit other open Workers in this process.
        """
        self._threads = threads
        self._port = port
        self._addresses = tuple(addresses)
        self._announce = tuple(announce)
        self._announce_only = announce_only
        self._tcp = tuple(tcp)
        self._spread = spread
        self._overload = overload
        self._monitor: LoadMonitor | None = None
        self._record = None if record is None else (record, record_limit)
        self._heartbeats = heartbeats
        self._allow_several = allow_several
        self._seam: Seam | None = None
        self._routers: dict[Router, None] = {}
        self._finished = False

    def __repr__(self) -> str:
        """Name the port and the state."""
        state = "closed" if self._finished else f"port {self.port}" if self._seam else "not open"
        return f"<Worker {state}>"

    @property
    def closed(self) -> bool:
        """Whether the Worker was closed."""
        return self._finished

    @property
    def port(self) -> int:
        """The UDP port in use."""
        return self._core.port

    @property
    def threads(self) -> int:
        """How many media threads run."""
        return self._core.threads

    @property
    def routers(self) -> tuple[Router, ...]:
        """The open routers, oldest first."""
        return tuple(self._routers)

    def candidates(self) -> list[str]:
        """Return the advertised ``address:port`` strings."""
        return self._core.candidates()

    def counters(self) -> dict[str, int]:
        """Return the counters of all media threads, summed, as they published them within the last second."""
        return self._core.counters()

    def adopt_connection(self, connection: socket.socket, check: bytes) -> bool:
        """Give an accepted TCP connection to the media thread that its first frame names.

        Args:
            connection: Nothing has been read from it. It is taken away from its owner in any case.
            check: The first frame that waits in it, a STUN check, without its length (RFC 4571).

        Returns:
            False when it is nobody's; it is closed then.
        """
        return self._core.adopt_tcp(connection.detach(), check)

    async def get_stats(self) -> Statistics:
        """Return `counters` and `load` with the number of threads and the port."""
        return {**self.counters(), **self.load(), "threads": self.threads, "port": self.port}

    def stats_feed(self, interval: float = 1.0, *, kinds: Collection[SampleKind] | None = None) -> StatsFeed:
        """Follow the statistics of everything: the Worker, its routers, and all that hangs on them.

        Each sample names its object; new objects join at the next round. What you do not read in time is
        not kept for you: `StatsFeed.lost` counts it.

        Args:
            interval: Seconds between two samples of one object.
            kinds: ``"worker"``, ``"router"``, ``"transport"``, ``"publisher"``, ``"subscriber"``,
                ``"data_publisher"``, ``"data_subscriber"``, ``"recording_track"``; all of them if ``None``.

        Raises:
            ConfigurationError: The interval is not above 0.
        """
        return StatsFeed(self._open_seam(), self._sampled, interval=interval, kinds=kinds)

    def load(self) -> dict[str, float]:
        """Return how busy the media threads are, averaged over the last second.

        ``busy``: part of a core that the busiest one uses; ``egress``: bit/s sent; ``share``: what part of
        what viewers would get is sent, 1 unless there is too much to do; ``overloaded``: 1 while
        `check_capacity` refuses.
        """
        self._open_seam()
        return self._monitor.values() if self._monitor is not None else {}

    def check_capacity(self) -> None:
        """Ask before somebody new is let in; who is in a call already is never refused.

        Raises:
            Overloaded: The machine has too much to do; ask again in some seconds.
        """
        self._open_seam()
        if self._monitor is not None:
            self._monitor.check()

    async def open(self) -> Self:
        """Bind the port and start the media threads; ``async with`` does it too.

        Raises:
            InvalidState: This Worker is open or was closed, or the process has another one.
            PortInUse: Another program has the port.
        """
        if self._finished:
            raise WorkerClosed("a closed Worker cannot be opened again; make a new one")
        if self._seam is not None:
            raise InvalidState("this Worker is open already")
        if Worker._opened and not self._allow_several:
            raise InvalidState(
                "this process has an open Worker already; share it, or pass allow_several=True"
            )
        try:
            native = self._make_core()
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise PortInUse(f"UDP port {self._port} is taken by another program") from error
            raise
        self._seam = Seam(native)
        self._monitor = LoadMonitor(self._seam, self._overload)
        self._monitor.start()
        Worker._opened.add(self)
        return self

    async def create_router(
        self, *, codecs: Sequence[CodecName] = DEFAULT_CODECS, router_id: str | None = None
    ) -> Router:
        """Make a router, on the media thread with the least to do.

        Args:
            codecs: Codecs that its transports accept and offer, in order of preference.
            router_id: Its public id instead of a random one; it is on you that no other has it.
        """
        seam = self._open_seam()
        handle = seam.native.allocate_router()
        router = Router(seam, handle, self._routers, spread=self._spread, router_id=router_id)
        return await router._open(codecs)

    async def close(self) -> None:
        """Close all routers, so that peers are told, then the threads and sockets. Twice is fine."""
        if self._finished:
            return
        self._finished = True
        Worker._opened.discard(self)
        if self._seam is None:
            return
        if self._monitor is not None:
            self._monitor.stop()
        seam, routers = self._seam, self.routers
        for router in routers:
            router._mark_closed("parent")
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await asyncio.gather(
                    *(seam.call(router._send_close()) for router in routers), return_exceptions=True
                )
        except TimeoutError:
            warnings.warn(
                "a media thread did not answer while the Worker closed", ResourceWarning, stacklevel=2
            )
        finally:
            seam.stop()
            seam.native.close()

    async def __aenter__(self) -> Self:
        """Open the Worker."""
        return await self.open()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the Worker."""
        await self.close()

    def _sampled(self) -> Iterator[tuple[SampleKind, str, Sampled]]:
        """Everything that has statistics, parents first."""
        yield "worker", "worker", self
        below: list[MediaObject] = list(reversed(self._routers))
        while below:
            item = below.pop()
            yield item._kind, item.id, item
            below.extend(reversed(item._children))

    def _make_core(self) -> _native.Worker:
        from headwater._core import native

        return native.Worker(
            threads=self._threads or len(os.sched_getaffinity(0)),
            port=self._port,
            addresses=self._addresses,
            announce=self._announce,
            announce_only=self._announce_only,
            tcp=self._tcp,
            record=self._record,
            heartbeats=self._heartbeats,
        )

    @property
    def _core(self) -> _native.Worker:
        return self._open_seam().native

    def _open_seam(self) -> Seam:
        if self._finished:
            raise WorkerClosed("the Worker was closed")
        if self._seam is None:
            raise InvalidState("open the Worker first: `async with Worker() as worker`")
        self._seam.check()
        return self._seam
