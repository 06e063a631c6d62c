"""HAProxy with the configuration that is shipped, in front of nodes of the tests."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.support.children import end_with_parent
from tests.support.ports import free_port
from tests.support.server import Server

__all__ = ["CONFIGURATION", "TRUSTING", "Haproxy"]

CONFIGURATION = Path(__file__).resolve().parents[2] / "deploy/haproxy.cfg"
_READY_SECONDS = 60.0


class Haproxy:
    """A running proxy: the one address of two nodes.

    Args:
        port: Where it listens.
        token: What its clients send as ``Authorization``.
    """

    def __init__(self, port: int, token: str | None) -> None:
        self.port = port
        self.url = f"https://localhost:{port}"
        self._token = token

    @classmethod
    @contextlib.asynccontextmanager
    async def start(cls, folder: Path, a: Server, b: Server) -> AsyncIterator[Haproxy]:
        """Start it, and wait until it finds both nodes alive.

        Args:
            folder: For its certificate and log; holds the nodes' data as ``a/data`` and ``b/data``.
            a: The node of that name.
            b: The other.
        """
        port = free_port()
        public, log = folder / "public.pem", folder / "haproxy.log"
        public.write_bytes(_certificate())
        told = {
            "BIND": f"127.0.0.1:{port}", "PEERS": f"127.0.0.1:{free_port()}",
            "CERT": str(public),
            "A": f"127.0.0.1:{a.port}", "A_CA": str(folder / "a/data/tls-cert.pem"),
            "B": f"127.0.0.1:{b.port}", "B_CA": str(folder / "b/data/tls-cert.pem"),
        }  # fmt: skip
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *(shutil.which("haproxy") or "/usr/sbin/haproxy", "-db", "-f", str(CONFIGURATION)),
                env={**os.environ, **{f"HEADWATER_{name}": value for name, value in told.items()}},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=asyncio.subprocess.STDOUT,
                preexec_fn=end_with_parent,
            )
        try:
            proxy = cls(port, a.api_key)
            await proxy._wait_ready(process, log)
            yield proxy
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()

    def acting(self, token: str | None) -> Haproxy:
        """The same proxy for somebody else."""
        return Haproxy(self.port, token)

    def client(self) -> httpx.AsyncClient:
        """An HTTP client of the one address."""
        headers = {} if self._token is None else {"Authorization": f"Bearer {self._token}"}
        return httpx.AsyncClient(
            base_url=self.url, headers=headers, verify=TRUSTING, trust_env=False, timeout=20
        )

    async def _wait_ready(self, process: asyncio.subprocess.Process, log: Path) -> None:
        async with self.client() as http, asyncio.timeout(_READY_SECONDS):
            while True:
                assert process.returncode is None, f"HAProxy ended, see {log}"
                with contextlib.suppress(httpx.TransportError):
                    if (await http.get("/readyz")).status_code == 200:
                        return
                await asyncio.sleep(0.05)


def _trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


TRUSTING = _trusting()
"""Of clients who take any certificate: made once, since that costs more than a request."""


def _certificate() -> bytes:
    """A certificate for ``localhost`` with its key, as HAProxy wants them: in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(serialization.Encoding.PEM) + private
