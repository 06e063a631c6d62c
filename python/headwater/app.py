"""The composition root: the one place where the parts of a node meet.

Order of opening: secrets, ports, Worker (UDP port of the same number), database, rooms, listeners, HTTP.
Closing goes the other way: nobody new is let in, people are told to come back, listeners end,
HTTP drains, the media threads are joined, the port is given back.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import uvicorn
from fastapi import FastAPI

from headwater.api.routes import ApiParts, build_api
from headwater.auth import DEV_SECRET, Gate, TokenAuthority, load_api_key_digest, load_secret
from headwater.channels import ChannelOptions, Channels, ChannelStore
from headwater.channels.sql_store import SqlStore
from headwater.cluster import Endpoints, node_name
from headwater.config import Settings
from headwater.errors import ConfigurationError, PortInUse
from headwater.media.overload import OverloadLimits
from headwater.media.worker import Worker
from headwater.meetings.rooms import RoomOptions, RoomsService
from headwater.servers.acceptor import Acceptor
from headwater.servers.hls import HlsListener
from headwater.servers.http import HEAD_BYTES, PatientProtocol
from headwater.servers.tcp import bind_tcp
from headwater.servers.tls import Certificate, load_certificate
from headwater.servers.whip import WhipCors, WhipListener
from headwater.storage.address import database_address
from headwater.storage.database import Database
from headwater.telemetry import Metrics, get_logger
from headwater.version import package_version

__all__ = ["DEMO_ROOM", "Node", "Parts", "build_parts"]

_log = get_logger(__name__)
DEMO_ROOM = "demo"
"""The room that is there under ``--dev``."""
_CLOSE_ROOMS_SECONDS = 1.5
_DRAIN_SECONDS = 2
_PORT_TRIES = 20
_KEEP_ALIVE_SECONDS = 20
_TICK_SECONDS = 1.0
_SPARE_CONNECTIONS = 1000
"""Requests and connections that may be open besides those of participants; more are answered 503."""


class Node:
    """One running server.

    Use it as a context manager: inside the block it serves, after it everything is closed.

    Args:
        settings: All of them.
        allow_several: Whether other nodes may run in this process (tests).
        worker_type: What makes the media; `headwater.testing.FakeWorker` needs no media at all.
    """

    def __init__(
        self, settings: Settings, *, allow_several: bool = False, worker_type: type[Worker] = Worker
    ) -> None:
        self.settings = settings
        self.new_secret = False
        self.new_api_key: str | None = None
        self.certificate: Certificate | None = None
        self.start_seconds = 0.0
        self._allow_several = allow_several
        self._worker_type = worker_type
        self._store: ChannelStore | None = None
        self._ready = False
        self._closed = False

    async def __aenter__(self) -> Self:
        """Open everything.

        Raises:
            PortInUse: The TCP or UDP port is taken.
            ConfigurationError: A setting cannot be followed.
        """
        started = time.monotonic()
        self.settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        authority, gate = self._open_gate()
        self.authority, self.gate = authority, gate
        sockets, self.worker = await self._open_ports()
        try:
            node = node_name(self.settings.data, self.settings.node)
            store = await self._open_store(node)
            parts = build_parts(
                self.settings,
                worker=self.worker,
                gate=gate,
                ready=self._media_flows,
                store=store,
                node=node,
            )
            self.rooms, self.whip, self.api, self.metrics = parts.rooms, parts.whip, parts.api, parts.metrics
            self.channels = parts.channels
            await self.channels.load()
            self.hls = parts.hls
            self.hls.open(self.channels, self.settings.data / "hls" / str(self.worker.port))
            if self.settings.dev:
                self.rooms.create_meeting(meeting_id=DEMO_ROOM)
            if not self.settings.dev:
                self.certificate = load_certificate(
                    data=self.settings.data,
                    cert=self.settings.tls_cert,
                    key=self.settings.tls_key,
                    addresses=self.addresses,
                )
            self._server = _Server(self._server_config(), self.worker)
            self._serving = asyncio.create_task(self._server.serve(sockets), name="http")
            await self._until_listening()
        except BaseException:
            for sock in sockets:
                sock.close()
            await self.worker.close()
            if self._store is not None:
                await self._store.close()
            raise
        self._ready = True
        self.start_seconds = time.monotonic() - started
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close everything, in under five seconds."""
        await self.close()

    @property
    def port(self) -> int:
        """The TCP port and the UDP port."""
        return self.worker.port

    @property
    def url(self) -> str:
        """Where the pages are, for a person at this machine or in its network."""
        scheme = "http" if self.settings.dev else "https"
        host = self.settings.host
        if not host or host in ("0.0.0.0", "::"):
            host = "127.0.0.1" if self.settings.dev else next(iter(self.addresses), "127.0.0.1")
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{self.port}"

    @property
    def addresses(self) -> list[str]:
        """Addresses on which media is announced, loopback aside."""
        hosts = [candidate.rpartition(":")[0].strip("[]") for candidate in self.worker.candidates()]
        return [host for host in dict.fromkeys(hosts) if not host.startswith("127.") and host != "::1"]

    async def wait(self) -> None:
        """Wait until HTTP ends by itself, which it only does after ``close``."""
        await asyncio.shield(self._serving)

    async def close(self) -> None:
        """Close everything; idempotent."""
        if self._closed:
            return
        self._closed = True
        self._ready = False
        try:
            async with asyncio.timeout(_CLOSE_ROOMS_SECONDS):
                await self.rooms.close()
                await self.whip.close()
                await self.channels.close()
                await self.hls.close()
        except TimeoutError:
            _log.warning("rooms did not close in time")
        finally:  # whatever the rooms do, the ports are given back
            self._server.leave()
            try:
                await self._serving
            finally:
                await self.worker.close()

    # --- opening -------------------------------------------------------------------------------

    def _open_gate(self) -> tuple[TokenAuthority, Gate]:
        settings = self.settings
        configured = settings.secret.get_secret_value() if settings.secret else None
        secret, self.new_secret = load_secret(settings.data, configured)
        if settings.dev:
            # Tokens made by `headwater token` for this data directory work here too.
            authority = TokenAuthority(DEV_SECRET, also_accepted=[secret])
            return authority, Gate(authority=authority, api_key_digest=None, open_house=True)
        authority = TokenAuthority(secret)
        api_key = settings.api_key.get_secret_value() if settings.api_key else None
        digest, self.new_api_key = load_api_key_digest(settings.data, api_key)
        return authority, Gate(authority=authority, api_key_digest=digest)

    async def _open_store(self, node: str) -> ChannelStore:
        """Open the database; a node that cannot keep what it is told to keep does not start."""
        given = self.settings.database.get_secret_value() if self.settings.database else ""
        database = Database(database_address(given, self.settings.data))
        try:
            await database.open(SqlStore.tables)
        except BaseException:
            await database.close()
            raise
        self._store = SqlStore(database, node)
        return self._store

    async def _open_ports(self) -> tuple[list[socket.socket], Worker]:
        """Bind TCP and UDP to one number; with port 0 try until both are free."""
        for _ in range(_PORT_TRIES):
            sockets: list[socket.socket] = []
            try:
                sockets = bind_tcp(self.settings.bind_hosts, self.settings.port)
                port: int = sockets[0].getsockname()[1]
                worker = self._worker_type(
                    threads=self.settings.threads or None,
                    port=port,
                    announce=self.settings.announce,
                    announce_only=self.settings.announce_only,
                    tcp=[sock.getsockname()[0] for sock in sockets],
                    spread=self.settings.spread,
                    overload=overload_limits(self.settings),
                    record=self.settings.record_decisions,
                    record_limit=self.settings.record_limit,
                    heartbeats=self.settings.heartbeat,
                    allow_several=self._allow_several,
                )
                return sockets, await worker.open()
            except PortInUse:
                for sock in sockets:
                    sock.close()
                if self.settings.port != 0:
                    raise
            except BaseException:
                for sock in sockets:
                    sock.close()
                raise
        raise PortInUse("no port was found that is free for both TCP and UDP")

    def _media_flows(self) -> bool:
        return self._ready and not self.worker.closed and bool(self.worker.candidates())

    def _server_config(self) -> uvicorn.Config:
        certificate = self.certificate
        return uvicorn.Config(
            self.api,
            http=PatientProtocol,
            h11_max_incomplete_event_size=HEAD_BYTES,
            limit_concurrency=self.settings.max_participants + _SPARE_CONNECTIONS,
            ws="websockets-sansio",
            ws_max_size=max(self.settings.limits.message_bytes, self.settings.limits.answer_bytes),
            ws_ping_interval=_KEEP_ALIVE_SECONDS,
            ws_ping_timeout=_KEEP_ALIVE_SECONDS,
            ws_per_message_deflate=False,  # a compression bomb needs a decompressor
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=_DRAIN_SECONDS,
            ssl_certfile=certificate.cert if certificate else None,
            ssl_keyfile=certificate.key if certificate else None,
        )

    async def _until_listening(self) -> None:
        while not self._server.started:
            if self._serving.done():
                await self._serving  # raises what went wrong
                raise ConfigurationError("the HTTP server ended while starting")
            await asyncio.sleep(0.005)


@dataclass(frozen=True, slots=True)
class Parts:
    """What serves above the media."""

    endpoints: Endpoints
    rooms: RoomsService
    channels: Channels
    metrics: Metrics
    whip: WhipListener
    hls: HlsListener
    api: FastAPI


def build_parts(
    settings: Settings,
    *,
    worker: Worker,
    gate: Gate,
    ready: Callable[[], bool] = lambda: False,
    store: ChannelStore | None = None,
    node: str = "",
) -> Parts:
    """Build everything above the Worker; nothing starts by it.

    Args:
        settings: All of them.
        worker: Open, or for the interface documents not.
        gate: Checks who may do what.
        ready: Answers ``/readyz``.
        store: Keeps the channels; none: they end with the process.
        node: Its name.
    """
    endpoints = Endpoints(node=node, limit=settings.max_participants)
    options = RoomOptions(
        limits=settings.limits,
        dtls=settings.dtls,
        hear_all=settings.hear_all,
        voice_slots=settings.voice_slots,
        check_capacity=worker.check_capacity,
    )
    rooms = RoomsService(
        worker=worker,
        endpoints=endpoints,
        options=options,
        ad_hoc=settings.dev,
        taken=lambda name: name in channels,
    )
    hls = HlsListener(settings.hls, gate=gate)
    channels = Channels(
        worker=worker,
        endpoints=endpoints,
        options=ChannelOptions(
            settings.limits,
            settings.dtls,
            worker.check_capacity,
            node=node,
            named_ids=bool(settings.node),
        ),
        attendants=(hls.attend,),
        store=store,
        taken=rooms.has_meeting,
    )
    metrics = Metrics(
        media=worker.counters,
        rooms=lambda: {**rooms.counts(), **channels.counts(), **hls.counts()},
        load=worker.load,
    )
    whip = WhipListener(service=rooms, channels=channels, gate=gate, settings=settings, metrics=metrics)
    api = build_api(
        ApiParts(
            settings=settings,
            service=rooms,
            channels=channels,
            gate=gate,
            metrics=metrics,
            ready=ready,
            listeners=(whip.routes(), hls.routes()),
            version=package_version(),
        )
    )
    api.router.routes.insert(0, hls.short_route())
    api.add_middleware(WhipCors)
    return Parts(endpoints, rooms, channels, metrics, whip, hls, api)


class _Server(uvicorn.Server):
    """uvicorn in our loop, behind our acceptor; signals are the business of the command."""

    def __init__(self, config: uvicorn.Config, worker: Worker) -> None:
        super().__init__(config)
        self._worker = worker
        self._leaving = asyncio.Event()

    def leave(self) -> None:
        """Serve no more, from now on."""
        self.should_exit = True
        self._leaving.set()

    async def main_loop(self) -> None:
        """Renew the date of answers once a second until it is time to leave.

        uvicorn looks ten times a second whether it is: on a node that does nothing but media, most of
        what Python costs.
        """
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._leaving.wait(), _TICK_SECONDS)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve what the acceptor finds to be HTTP, WebSocket or TLS."""
        config = self.config
        await self.lifespan.startup()

        def serve() -> asyncio.Protocol:
            return PatientProtocol(config, self.server_state, self.lifespan.state)

        acceptor = Acceptor(
            sockets or [],
            serve=serve,
            tls=config.ssl,
            adopt=self._worker.adopt_connection,
            backlog=config.backlog,
        )
        self.servers = [acceptor]  # type: ignore[list-item]  # what uvicorn does with it, it can do
        self.started = True

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield


def overload_limits(settings: Settings) -> OverloadLimits:
    """When the Worker has too much to do."""
    return OverloadLimits(
        busy=settings.overload.busy,
        recovery=settings.overload.recovery,
        max_egress=settings.max_egress * 1e6 or None,
    )
