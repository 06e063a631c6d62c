"""The certificate of the TCP listener: given, or self-signed and made at first start.

The self-signed one names this host and its addresses, so that a browser complains once and not about
the name. Its fingerprint is printed: who sees the same one in the browser talks to this server.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from headwater.errors import ConfigurationError

__all__ = ["Certificate", "load_certificate"]

_LIFETIME = timedelta(days=397)
"""Longer ones are refused by Apple's software."""
_RENEW_BEFORE = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Certificate:
    """Paths of a usable certificate. ``fingerprint`` is SHA-256 over DER, in hexadecimal pairs."""

    cert: Path
    key: Path
    fingerprint: str
    expires_at: datetime
    self_signed: bool


def load_certificate(
    *, data: Path, cert: Path | None, key: Path | None, addresses: Sequence[str] = ()
) -> Certificate:
    """Get the certificate to serve with.

    Args:
        data: Where the self-signed one is kept.
        cert: Given certificate chain.
        key: Its private key.
        addresses: Addresses that a fresh self-signed one names.

    Raises:
        ConfigurationError: The given files cannot be used.
    """
    if cert is not None and key is not None:
        _check_pair(cert, key)
        return _describe(cert, key, self_signed=False)
    cert, key = data / "tls-cert.pem", data / "tls-key.pem"
    if not (cert.is_file() and key.is_file()) or _expires_soon(cert):
        _make(cert, key, addresses)
    _check_pair(cert, key)
    return _describe(cert, key, self_signed=True)


def _check_pair(cert: Path, key: Path) -> None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key)
    except OSError as error:  # ssl.SSLError is one
        raise ConfigurationError(f"cannot use the certificate {cert} with the key {key}: {error}") from error


def _describe(cert: Path, key: Path, *, self_signed: bool) -> Certificate:
    leaf = x509.load_pem_x509_certificate(cert.read_bytes())
    fingerprint = leaf.fingerprint(hashes.SHA256()).hex(":").upper()
    return Certificate(cert, key, fingerprint, leaf.not_valid_after_utc, self_signed)


def _expires_soon(cert: Path) -> bool:
    try:
        leaf = x509.load_pem_x509_certificate(cert.read_bytes())
    except ValueError:
        return True
    return leaf.not_valid_after_utc - datetime.now(UTC) < _RENEW_BEFORE


def _make(cert: Path, key: Path, addresses: Sequence[str]) -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Headwater")])
    names: list[x509.GeneralName] = [x509.DNSName("localhost")]
    host = socket.gethostname()
    if host.isascii() and host != "localhost" and len(host) < 64:
        names.append(x509.DNSName(host))
    names.extend(
        x509.IPAddress(ipaddress.ip_address(address.partition("%")[0]))
        for address in dict.fromkeys(("127.0.0.1", "::1", *addresses))
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + _LIFETIME)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(private, hashes.SHA256())
    )
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    try:
        cert.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write(key, pem, 0o600)
        _write(cert, certificate.public_bytes(serialization.Encoding.PEM), 0o644)
    except OSError as error:
        raise ConfigurationError(
            f"cannot write the certificate to {cert.parent}: {error.strerror}"
        ) from error


def _write(path: Path, content: bytes, mode: int) -> None:
    """Replace a file in one step, so that a crash leaves the old one or the new one."""
    temporary = path.with_suffix(".new")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
        file.write(content)
    temporary.replace(path)
