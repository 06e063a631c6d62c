"""Metrics are read once per scrape; logs never hold what opens a door."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from headwater.telemetry import Metrics, configure_logs, get_logger


@pytest.fixture
def _restored_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def test_a_scrape_reads_the_media_threads_once_and_writes_their_counters() -> None:
    reads = 0

    def media() -> dict[str, int]:
        nonlocal reads
        reads += 1
        return {"packets_received": 7, "transports": 2}

    metrics = Metrics(media=media, rooms=lambda: {"participants": 3})
    assert reads == 0
    text = metrics.render().decode()
    assert reads == 1
    assert "headwater_media_packets_received_total 7.0" in text
    assert "# TYPE headwater_media_transports gauge" in text
    assert "headwater_participants 3.0" in text


@pytest.mark.usefixtures("_restored_logging")
def test_tokens_and_keys_are_blanked_by_name_and_by_shape(capfd: pytest.CaptureFixture[str]) -> None:
    configure_logs(level="info", style="json")
    token = "eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJoZWFkd2F0ZXIifQ.c2lnbmF0dXJl"
    get_logger("headwater.test").info("joined", token="t0p", detail=f"with {token}", key="hwk_abcdefghijkl")
    logging.getLogger("foreign").warning("GET /x?access=%s", token)
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert lines[0]["token"] == "[hidden]"
    assert lines[0]["event"] == "joined"
    text = json.dumps(lines)
    for secret in ("t0p", token, "hwk_abcdefghijkl"):
        assert secret not in text
    assert lines[1]["event"] == "GET /x?access=[hidden]"
