"""What counts as this machine."""

from __future__ import annotations

import pytest

from headwater.loopback import is_loopback, is_loopback_origin, is_loopback_request


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("LocalHost.", True),
        ("a.localhost", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("::ffff:10.0.0.1", False),
        ("10.0.0.1", False),
        ("0.0.0.0", False),
        ("localhost.example", False),
        ("127.0.0.1.example", False),
        ("", False),
    ],
)
def test_a_host_is_this_machine_only_where_it_can_mean_nothing_else(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        ("http://localhost", True),
        ("https://app.localhost:5173", True),
        ("http://127.0.0.1:8443", True),
        ("http://[::1]:8443", True),
        ("http://localhost.example:80", False),
        ("http://example/localhost", False),
        ("file://localhost", False),
        ("null", False),
        ("http://[::1", False),
        ("localhost", False),
    ],
)
def test_an_origin_is_this_machine_by_its_host_alone(origin: str, expected: bool) -> None:
    assert is_loopback_origin(origin) is expected


@pytest.mark.parametrize(
    ("client", "headers", "expected"),
    [
        ("127.0.0.1", {"host": "127.0.0.1:8443"}, True),
        ("::1", {"host": "[::1]:8443"}, True),
        ("::ffff:127.0.0.1", {"host": "localhost:8443"}, True),
        ("127.0.0.1", {"host": "media.example"}, False),
        ("127.0.0.1", {}, False),
        ("127.0.0.1", {"host": "localhost", "x-forwarded-for": "203.0.113.9"}, False),
        ("127.0.0.1", {"host": "localhost", "forwarded": "for=203.0.113.9"}, False),
        ("127.0.0.1", {"host": "localhost", "x-real-ip": "203.0.113.9"}, False),
        ("127.0.0.1", {"host": "localhost", "via": "1.1 proxy"}, False),
        ("203.0.113.9", {"host": "localhost"}, False),
        (None, {"host": "localhost"}, False),
    ],
)
def test_a_request_through_a_proxy_or_for_another_name_is_not_ours(
    client: str | None, headers: dict[str, str], expected: bool
) -> None:
    assert is_loopback_request(client, headers) is expected
