"""Certificates: made once, renewed in time, and a wrong pair is refused."""

from __future__ import annotations

import ipaddress
import stat
from pathlib import Path

import pytest
import trustme
from cryptography import x509

from headwater.errors import ConfigurationError
from headwater.servers import tls
from headwater.servers.tls import load_certificate


def test_the_first_start_makes_a_self_signed_certificate_and_the_second_keeps_it(tmp_path: Path) -> None:
    made = load_certificate(data=tmp_path, cert=None, key=None, addresses=["192.0.2.7", "fe80::1%eth0"])
    assert made.self_signed
    assert stat.S_IMODE(made.key.stat().st_mode) == 0o600
    names = x509.load_pem_x509_certificate(made.cert.read_bytes()).extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    assert ipaddress.ip_address("192.0.2.7") in names.value.get_values_for_type(x509.IPAddress)
    assert "localhost" in names.value.get_values_for_type(x509.DNSName)
    again = load_certificate(data=tmp_path, cert=None, key=None)
    assert again.fingerprint == made.fingerprint
    assert len(made.fingerprint.split(":")) == 32


def test_a_self_signed_certificate_is_renewed_before_it_expires(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = load_certificate(data=tmp_path, cert=None, key=None)
    monkeypatch.setattr(tls, "_RENEW_BEFORE", tls._LIFETIME)
    assert load_certificate(data=tmp_path, cert=None, key=None).fingerprint != first.fingerprint


def test_a_given_pair_is_used_and_a_mismatched_one_refused(tmp_path: Path) -> None:
    authority = trustme.CA()
    for name in ("a", "b"):
        issued = authority.issue_cert(f"{name}.example")
        issued.cert_chain_pems[0].write_to_path(tmp_path / f"{name}.pem")
        issued.private_key_pem.write_to_path(tmp_path / f"{name}.key")
    given = load_certificate(data=tmp_path, cert=tmp_path / "a.pem", key=tmp_path / "a.key")
    assert not given.self_signed
    with pytest.raises(ConfigurationError):
        load_certificate(data=tmp_path, cert=tmp_path / "a.pem", key=tmp_path / "b.key")
    with pytest.raises(ConfigurationError):
        load_certificate(data=tmp_path, cert=tmp_path / "none.pem", key=tmp_path / "a.key")
