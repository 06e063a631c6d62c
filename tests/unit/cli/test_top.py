"""What ``headwater top`` draws of two looks at a node."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from headwater.cli.top import Look, picture


def person(
    id_: str, received: int, sent: int, quality: int | None, line: int | None = None
) -> dict[str, Any]:
    """Somebody with both connections."""
    sending = {"bytes_received": received, "bytes_sent": 0, "round_trip_time_ms": 20.0}
    receiving = {"bytes_received": 0, "bytes_sent": sent, "round_trip_time_ms": 45.0}
    return {
        "id": id_, "name": id_.title(), "protocol": "webrtc", "quality": quality, "tracks": [1, 2],
        "sending": sending | {"available_outgoing_bitrate": None},
        "receiving": receiving | {"available_outgoing_bitrate": line},
    }  # fmt: skip


def drawn(before: Look, now: Look) -> list[str]:
    """The lines of the picture, with single spaces."""
    console = Console(width=200, color_system=None)
    with console.capture() as capture:
        console.print(picture("http://node", before, now))
    return [" ".join(line.split()) for line in capture.get().splitlines()]


def test_rates_are_differences_and_the_worst_comes_first() -> None:
    before = Look(10.0, {"headwater_media_packets_forwarded_total": 100.0}, {"m": [person("ada", 0, 0, 90)]})
    metrics = {
        "headwater_media_packets_forwarded_total": 300.0,
        "headwater_media_packets_retransmitted_total": 10.0,
        "headwater_media_bytes_out_total": 500_000.0,
        "headwater_load_busy": 0.5,
        "headwater_load_share": 0.8,
        "headwater_load_overloaded": 1.0,
    }
    people = {"m": [person("ada", 250_000, 125_000, 90), person("bob", 7, 9, 12, line=300_000)]}
    lines = drawn(before, Look(12.0, metrics, people))
    assert "in 0 kbit/s, out 2.0 Mbit/s, 100 packets/s forwarded, 5.0 % sent again" in lines
    assert (
        "busiest media thread 50 % of a core, layers given up: 80 % is sent, newcomers are refused" in lines
    )
    assert "m 2 4 1.0 Mbit/s 500 kbit/s poor 12" in lines
    bob = lines.index("Bob m webrtc 0 kbit/s 0 kbit/s 45 ms 300 kbit/s poor 12")
    assert lines[bob + 1] == "Ada m webrtc 1.0 Mbit/s 500 kbit/s 45 ms excellent 90"


def test_a_crowd_is_cut_after_the_worst() -> None:
    crowd = {"m": [person(f"p{number}", 0, 0, number) for number in range(100)]}
    lines = drawn(Look(0.0, {}, {}), Look(1.0, {}, crowd))
    assert "and 60 more, who fare better" in lines
    assert any(line.startswith("P0 ") for line in lines)
    assert not any(line.startswith("P99 ") for line in lines)


def test_a_name_has_no_power_over_the_terminal() -> None:
    stranger = person("x", 0, 0, 5) | {"name": "\x1b[2J[red]Eve"}
    lines = drawn(Look(0.0, {}, {}), Look(1.0, {}, {"m": [stranger]}))
    assert any(line.startswith("\N{REPLACEMENT CHARACTER}[2J[red]Eve m ") for line in lines)


def test_an_empty_node_says_so() -> None:
    assert "nobody is in a meeting" in drawn(Look(0.0, {}, {}), Look(1.0, {}, {}))
