"""``headwater serve``: run a node in the foreground until a signal ends it."""

from __future__ import annotations

import asyncio
import os
import signal

import uvloop
from rich.console import Console

from headwater.app import DEMO_ROOM, Node
from headwater.auth import DEV_SECRET
from headwater.cli.flags import NodeFlags
from headwater.config import Settings
from headwater.errors import PortInUse
from headwater.telemetry import configure_logs
from headwater.version import package_version

__all__ = ["serve"]

_NO_FLAGS = NodeFlags()


def serve(flags: NodeFlags = _NO_FLAGS) -> None:
    """Run a node: pages, signalling and media on one port number.

    SIGTERM or SIGINT ends it cleanly; a second one at once.
    """
    settings = flags.load()
    configure_logs(level=settings.log_level, style=settings.log_format)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(settings))
    except PortInUse as error:
        raise PortInUse(f"{error}; choose another with --port, or end that program") from error


async def _serve(settings: Settings) -> None:
    ending = asyncio.Event()
    loop = asyncio.get_running_loop()

    def end() -> None:
        if ending.is_set():
            os._exit(130)  # asked twice: somebody is in a hurry
        ending.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end)
    async with Node(settings) as node:
        _announce(node)
        await ending.wait()
        Console(stderr=True, emoji=False).print(
            "Closing: people in calls are told to come back.", highlight=False
        )


def _announce(node: Node) -> None:
    """Say what a person needs now, the link alone on the last line."""
    settings = node.settings
    console = Console(highlight=False, soft_wrap=True, emoji=False)
    threads = node.worker.threads
    console.print(
        f"[bold]Headwater {package_version()}[/bold] listens after {node.start_seconds:.2f} s: "
        f"TCP and UDP port {node.port}, {threads} media thread{'s' if threads != 1 else ''}."
    )
    if node.addresses:
        console.print(f"Media is announced on {', '.join(node.addresses)}.")
    else:
        console.print(
            "[yellow]This machine has no address besides loopback: Chromium will connect, "
            "Firefox will not (it never pairs with 127.0.0.1).[/yellow]"
        )
    if settings.dev:
        console.print("Development: loopback only, no tokens needed. Do not use it for real calls.")
        console.print(f"Tokens are signed with the development secret, known to everyone: {DEV_SECRET}")
        link = f"{node.url}/m/{DEMO_ROOM}"
    else:
        _announce_secrets(node, console)
        link = node.url
    console.print("\nOpen:\n")
    console.print(link, style="bold green", markup=False)


def _announce_secrets(node: Node, console: Console) -> None:
    settings = node.settings
    if node.new_secret:
        console.print(f"A secret for signing tokens was made in {settings.data / 'secret'}.")
    if node.new_api_key is not None:
        console.print("API key for making meetings and tokens; it is not shown again:")
        console.print(node.new_api_key, style="bold", markup=False)
    certificate = node.certificate
    if certificate is not None and certificate.self_signed:
        console.print("The certificate is self-signed, so browsers warn once. Its SHA-256 fingerprint:")
        console.print(certificate.fingerprint, markup=False)
