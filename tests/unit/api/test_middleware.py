"""Who may open a WebSocket from which page."""

from __future__ import annotations

import pytest

from headwater.api.middleware import origin_allowed


@pytest.mark.parametrize(
    ("origin", "host", "expected"),
    [
        (None, "h:1", True),
        ("https://h:1", "h:1", True),
        ("https://H:1", "h:1", True),
        ("https://friend.example", "h:1", True),
        ("https://evil.example", "h:1", False),
        ("https://h:2", "h:1", False),
        ("https://h:1.evil.example", "h:1", False),
        ("https://evil.example/h:1", "h:1", False),
        ("null", "h:1", False),
        ("file://", "h:1", False),
        ("chrome-extension://h:1", "h:1", False),
        ("http://[::1", "h:1", False),
        ("https://h:1", None, False),
    ],
)
def test_outside_development_only_our_own_and_named_origins_pass(
    origin: str | None, host: str | None, expected: bool
) -> None:
    assert origin_allowed(origin, host, allowed=["https://friend.example"], dev=False) is expected


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        (None, True),
        ("http://localhost:5173", True),
        ("http://127.0.0.1:8443", True),
        ("http://[::1]:8443", True),
        ("http://evil.example", False),
        ("http://127.0.0.1.evil.example", False),
        ("null", False),
    ],
)
def test_development_lets_pages_of_this_machine_in(origin: str | None, expected: bool) -> None:
    assert origin_allowed(origin, "127.0.0.1:8443", allowed=[], dev=True) is expected
