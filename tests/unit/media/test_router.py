"""Settings of transports: defaults, what reaches the core, what is refused."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from headwater import ConfigurationError, Router
from headwater.testing import FakeWorker

CREATORS = ["create_publish_transport", "create_subscribe_transport"]


@pytest.mark.parametrize("name", CREATORS)
async def test_timeouts_reach_the_core(
    worker: FakeWorker, router: Router, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The documented 8 s and 30 s by default, else what the caller says, as floats."""
    seen: list[dict[str, Any]] = []
    real = getattr(type(worker.core), f"_do_{name}")

    def spy(core: object, router: int, transport: int, **options: Any) -> None:
        seen.append(options)
        real(core, router, transport, **options)

    monkeypatch.setattr(type(worker.core), f"_do_{name}", spy)
    await getattr(router, name)()
    await getattr(router, name)(disconnected_timeout=3, failed_timeout=4.5)
    assert [(s["disconnected_timeout"], s["failed_timeout"]) for s in seen] == [(8.0, 45.0), (3.0, 4.5)]
    assert all(type(value) is float for s in seen for key, value in s.items() if key.endswith("timeout"))


@pytest.mark.parametrize("name", CREATORS)
@pytest.mark.parametrize("seconds", [0, -1.0, float("nan"), float("inf"), 86_401])
async def test_senseless_timeouts_are_refused(router: Router, name: str, seconds: float) -> None:
    for option in ("disconnected_timeout", "failed_timeout"):
        with pytest.raises(ConfigurationError, match=option):
            await getattr(router, name)(**{option: seconds})
    assert not router.transports


@pytest.mark.parametrize("name", CREATORS)
def test_settings_are_named(name: str) -> None:
    """Two numbers of seconds side by side would be mixed up without their names."""
    parameters = list(inspect.signature(getattr(Router, name)).parameters.values())[1:]
    assert all(parameter.kind is inspect.Parameter.KEYWORD_ONLY for parameter in parameters)
