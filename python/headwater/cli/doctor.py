"""``headwater doctor``: look at this machine as a node would, and say what to fix.

Every check is a function that returns findings; it tries the thing itself where it can (binds the
port, opens the Worker, sends the datagram) instead of guessing from configuration.
"""

from __future__ import annotations

import asyncio
import ctypes
import ipaddress
import platform
import resource
import socket
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from rich.console import Console

from headwater.auth import load_secret
from headwater.cli.flags import NodeFlags
from headwater.config import Settings
from headwater.errors import ConfigurationError, HeadwaterError, PortInUse
from headwater.media.build import build_info
from headwater.media.worker import Worker
from headwater.pipelines.ffmpeg import find_ffmpeg
from headwater.servers.tcp import bind_tcp
from headwater.servers.tls import load_certificate
from headwater.version import package_version

__all__ = ["Finding", "doctor", "examine"]

_NO_FLAGS = NodeFlags()
_MIN_FILES = 4096
_GOOD_RECEIVE_BUFFER = 2 * 1024 * 1024
_SELF_TEST_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report; ``fix`` says what to do when it is not ``ok``."""

    state: Literal["ok", "warning", "error"]
    what: str
    fix: str = ""


def doctor(flags: NodeFlags = _NO_FLAGS) -> None:
    """Check ports, addresses, certificate, clock, build and UDP; exit code 1 when something is broken."""
    settings = flags.load()
    console = Console(highlight=False, soft_wrap=True, emoji=False)
    marks = {
        "ok": "[green]ok[/green]     ",
        "warning": "[yellow]warning[/yellow]",
        "error": "[red]error[/red]  ",
    }
    broken = False
    for finding in examine(settings):
        console.print(marks[finding.state], end=" ")
        console.print(finding.what, markup=False)
        if finding.fix:
            console.print(f"        -> {finding.fix}", markup=False)
        broken = broken or finding.state == "error"
    sys.exit(1 if broken else 0)


def examine(settings: Settings) -> Iterator[Finding]:
    """Run all checks; one that fails to run is itself a finding."""
    checks: list[Callable[[Settings], Iterator[Finding]]] = [
        _build, _tcp_port, _udp_port, _media, _secret, _certificate, _clock, _limits, _hls,
    ]  # fmt: skip
    for check in checks:
        try:
            yield from check(settings)
        except (HeadwaterError, OSError) as error:
            yield Finding("error", f"{check.__name__.strip('_').replace('_', ' ')}: {error}")


def _build(_settings: Settings) -> Iterator[Finding]:
    yield Finding("ok", f"Headwater {package_version()} on Python {platform.python_version()}")
    try:
        info = build_info()
    except ImportError as error:
        yield Finding(
            "error", f"the compiled core cannot be loaded: {error}", "install again, or run: make build"
        )
        return
    described = ", ".join(f"{key} {value}" for key, value in sorted(info.items()))
    if info.get("profile") == "debug":
        yield Finding("warning", f"compiled core: {described}", "a release build forwards with far less CPU")
    else:
        yield Finding("ok", f"compiled core: {described}")


def _tcp_port(settings: Settings) -> Iterator[Finding]:
    try:
        sockets = bind_tcp(settings.bind_hosts, settings.port)
    except PortInUse:
        yield Finding(
            "error",
            f"TCP port {settings.port} is taken (by a running node, perhaps)",
            f"end that program (ss -ltnp 'sport = :{settings.port}'), or choose another --port",
        )
        return
    hosts = ", ".join(str(sock.getsockname()[0]) for sock in sockets)
    for sock in sockets:
        sock.close()
    yield Finding("ok", f"TCP port {settings.port} is free on {hosts}")


def _udp_port(settings: Settings) -> Iterator[Finding]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.bind(("0.0.0.0", settings.port))
        except OSError:
            yield Finding(
                "error",
                f"UDP port {settings.port} is taken, and media needs the same number as TCP",
                f"end that program (ss -lunp 'sport = :{settings.port}'), or choose another --port",
            )
            return
    yield Finding("ok", f"UDP port {settings.port} is free")


def _media(settings: Settings) -> Iterator[Finding]:
    """Open a Worker on a port of its own and send it a datagram on every address it announces."""
    candidates, arrived, took = asyncio.run(_self_test(settings))
    hosts = [candidate.rpartition(":")[0].strip("[]") for candidate in candidates]
    outside = [host for host in hosts if not host.startswith("127.") and host != "::1"]
    if outside:
        yield Finding("ok", f"media is announced on {', '.join(hosts)}")
    else:
        yield Finding(
            "warning",
            "there is no address besides loopback: Chromium connects, Firefox does not",
            "connect a network, or give the public address with --announce",
        )
    if outside and not settings.announce and all(_is_private(host) for host in outside):
        yield Finding(
            "warning",
            "all addresses are private: people on the internet will not get media",
            f"forward TCP and UDP port {settings.port} and add --announce PUBLIC_ADDRESS",
        )
    for host, received in arrived.items():
        if received:
            yield Finding("ok", f"UDP to {host} arrives at the media threads")
        else:
            yield Finding("error", f"UDP to {host} does not arrive", "allow UDP in this machine's firewall")
    yield Finding("ok", f"a router opens and closes in {took * 1000:.1f} ms")


async def _self_test(settings: Settings) -> tuple[list[str], dict[str, bool], float]:
    worker = Worker(
        threads=settings.threads or None, announce=settings.announce, announce_only=settings.announce_only
    )
    async with worker, asyncio.timeout(_SELF_TEST_SECONDS):
        started = time.monotonic()
        router = await worker.create_router()
        await router.close()
        took = time.monotonic() - started
        announced = worker.candidates()
        local = [c for c in announced if c.rpartition(":")[0].strip("[]") not in settings.announce]
        arrived = {}
        for candidate in local:
            host = candidate.rpartition(":")[0].strip("[]")
            arrived[host] = await _datagram_arrives(worker, host)
        return announced, arrived, took


async def _datagram_arrives(worker: Worker, host: str) -> bool:
    before = worker.counters().get("datagrams_received", 0)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        try:
            sock.sendto(b"\xffheadwater doctor", (host, worker.port))
        except OSError:
            return False
    deadline = time.monotonic() + 0.5
    while time.monotonic() < deadline:
        if worker.counters().get("datagrams_received", 0) > before:
            return True
        await asyncio.sleep(0.01)
    return False


def _secret(settings: Settings) -> Iterator[Finding]:
    configured = settings.secret.get_secret_value() if settings.secret else None
    if configured is None and not (settings.data / "secret").exists():
        yield Finding("ok", f"no secret yet: the first start makes one in {settings.data}")
        return
    load_secret(settings.data, configured)
    yield Finding("ok", "the secret that signs tokens is private and strong")


def _certificate(settings: Settings) -> Iterator[Finding]:
    if settings.dev:
        yield Finding("ok", "no certificate is needed: --dev serves plain HTTP on loopback")
        return
    if settings.tls_cert is None and not (settings.data / "tls-cert.pem").exists():
        yield Finding(
            "warning",
            "the certificate will be self-signed: browsers warn once",
            "give a trusted one with --tls-cert and --tls-key",
        )
        return
    try:
        certificate = load_certificate(data=settings.data, cert=settings.tls_cert, key=settings.tls_key)
    except ConfigurationError as error:
        yield Finding("error", str(error), "give matching PEM files")
        return
    left = certificate.expires_at - datetime.now(UTC)
    when = f"{certificate.expires_at:%Y-%m-%d}"
    if left < timedelta(0):
        yield Finding("error", f"the certificate expired on {when}", "renew it and restart")
    elif left < timedelta(days=14):
        yield Finding("warning", f"the certificate expires on {when}", "renew it and restart")
    else:
        kind = "self-signed" if certificate.self_signed else "given"
        yield Finding("ok", f"the certificate ({kind}) is valid until {when}")


def _clock(_settings: Settings) -> Iterator[Finding]:
    built = Path(__file__).stat().st_mtime
    if time.time() < built - 86400:
        yield Finding(
            "error", f"the clock says {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, before this program existed",
            "set it: tokens depend on it",
        )  # fmt: skip
        return
    synchronised = _clock_synchronised()
    if synchronised is False:
        yield Finding(
            "warning",
            "the kernel does not know its clock to be synchronised",
            "run an NTP client (chrony, systemd-timesyncd); tokens allow 30 s of difference",
        )
    else:
        how = "synchronised" if synchronised else "plausible"
        yield Finding("ok", f"the clock is {how}: {datetime.now(UTC):%Y-%m-%d %H:%M} UTC")


def _clock_synchronised() -> bool | None:
    """Ask the kernel (adjtimex, read-only); ``None`` where it does not say."""
    try:
        state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.create_string_buffer(512))
    except (OSError, AttributeError):
        return None
    return None if state < 0 else state != 5  # TIME_ERROR


def _limits(_settings: Settings) -> Iterator[Finding]:
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= files < _MIN_FILES:
        yield Finding("warning", f"only {files} open files are allowed", f"ulimit -n {_MIN_FILES * 16}")
    else:
        yield Finding("ok", f"{files} open files are allowed")
    try:
        buffer = int(Path("/proc/sys/net/core/rmem_max").read_text())
    except (OSError, ValueError):
        return
    if buffer < _GOOD_RECEIVE_BUFFER:
        yield Finding(
            "warning",
            f"UDP receive buffers are limited to {buffer // 1024} KiB: bursts may be lost under load",
            f"sysctl -w net.core.rmem_max={_GOOD_RECEIVE_BUFFER * 4}",
        )
    else:
        yield Finding("ok", f"UDP receive buffers may have {buffer // 1024} KiB")


def _hls(settings: Settings) -> Iterator[Finding]:
    if not settings.hls.enabled or settings.hls.low_latency:
        return
    try:
        yield Finding("ok", f"FFmpeg for HLS: {find_ffmpeg(settings.hls.ffmpeg)}")
    except ConfigurationError:
        what = "live channels have no HLS: there is no FFmpeg"
        yield Finding("warning", what, "apt-get install ffmpeg, or pip install imageio-ffmpeg")


def _is_private(host: str) -> bool:
    return ipaddress.ip_address(host.partition("%")[0]).is_private
