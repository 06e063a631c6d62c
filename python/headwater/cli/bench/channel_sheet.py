"""What `headwater bench channel` says: tables, goals and pictures of the windows that it measured."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from headwater.cli.bench.film import Codec
from headwater.cli.bench.generator import Report
from headwater.cli.bench.glass import Glass
from headwater.cli.bench.machine import this_machine
from headwater.cli.bench.plot import Bars, Chart
from headwater.cli.bench.sheet import Part, Sheet, built
from headwater.media.build import build_info

__all__ = ["ChannelPlan", "Window", "channel_sheet"]


@dataclass(frozen=True, slots=True)
class ChannelPlan:
    """What to measure.

    Attributes:
        webrtc: Viewers by WebRTC.
        hls: Viewers by HLS.
        codec: Of the broadcaster's pictures; VP8 is encoded again for HLS.
        mbits: What they take, Mbit/s.
        segment: Length of an HLS segment, seconds.
        seconds: Length of a window.
        threads: Media threads of the node.
        rounds: Pages opened for each way of watching; 0: no browser.
        browser: A Chromium to use; the first one found otherwise.
    """

    webrtc: int = 300
    hls: int = 500
    codec: Codec = "h264"
    mbits: float = 1.5
    segment: float = 2.0
    seconds: float = 12.0
    threads: int = 1
    rounds: int = 3
    browser: str | None = None

    def small(self) -> ChannelPlan:
        """The same with a few viewers and no browser: to see that it works."""
        return dataclasses.replace(self, webrtc=3, hls=4, mbits=0.3, segment=1.0, seconds=3.0, rounds=0)


@dataclass(frozen=True, slots=True)
class Window:
    """One measured stretch of time.

    Attributes:
        name: Who watches.
        report: What the generator says of it.
        players: What changed in the players' tally; empty when there are none.
        packager_us: CPU time of the node's children.
        players_us: CPU time of the players.
    """

    name: str
    report: Report
    players: dict[str, Any]
    packager_us: float
    players_us: float

    @property
    def media_us(self) -> float:
        """CPU time of the node's media threads."""
        return float(sum(us for name, us in self.report["cpu"]["threads"] if name.startswith("hw-media")))

    @property
    def node_us(self) -> float:
        """CPU time of the node's process."""
        return float(self.report["cpu"]["total_us"])

    @property
    def seconds(self) -> float:
        """How long it was."""
        return float(self.report["seconds"])

    def share(self, microseconds: float) -> float:
        """What part of a core that is."""
        return microseconds / self.seconds / 1e6


def channel_sheet(
    plan: ChannelPlan, windows: Mapping[str, Window], glass: Sequence[Glass], problem: str
) -> Sheet:
    """Put it together.

    Args:
        plan: What was measured.
        windows: By name.
        glass: What was seen in a browser.
        problem: Why nothing was; empty: it was, or was not asked for.
    """
    costs = _costs(plan, windows)
    ordered = [windows[name] for name in _ORDER]
    notes = [f"{this_machine()}.", _generator_note(windows["both"]), built()]
    if problem:
        notes.append(f"Nobody looked: {problem}.")
    return Sheet(
        title=f"one broadcaster, {plan.mbits:g} Mbit/s {plan.codec.upper()}, segments of {plan.segment:g} s",
        headings=_HEADINGS,
        rows=[_row(window) for window in ordered],
        data={
            "plan": dataclasses.asdict(plan),
            "build": build_info(),
            "windows": [_as_json(window) for window in ordered],
            "costs": [dataclasses.asdict(cost) for cost in costs],
            "glass": [dataclasses.asdict(one) for one in glass],
        },
        notes=notes,
        charts=_charts(windows, costs),
        more=[
            Part("who works, % of a core", _WORK_HEADINGS, [_work_row(window) for window in ordered]),
            Part(
                "what viewers cost the node, by difference", _COST_HEADINGS, [_cost_row(one) for one in costs]
            ),
            *[Part("what a viewer sees, in Chromium", _GLASS_HEADINGS, [_glass_row(one) for one in glass])]
            * bool(glass),
            Part("goals", _GOAL_HEADINGS, _goals(plan, windows["both"], glass)),
        ],
    )


@dataclass(frozen=True, slots=True)
class _Cost:
    """What a kind of viewers adds to a node.

    Attributes:
        who: And what else the node does.
        per_hundred: Part of a core that a hundred of them take.
        us_per_packet: CPU time of each packet to them; none by HLS.
        us_per_megabyte: CPU time of each megabyte to them; none by WebRTC.
    """

    who: str
    per_hundred: float
    us_per_packet: float | None
    us_per_megabyte: float | None


def _costs(plan: ChannelPlan, windows: Mapping[str, Window]) -> list[_Cost]:
    return [
        _cost("WebRTC", plan.webrtc, windows["WebRTC"], windows["nobody"]),
        _cost("WebRTC, beside HLS", plan.webrtc, windows["both"], windows["HLS"]),
        _cost("HLS", plan.hls, windows["HLS"], windows["nobody"]),
        _cost("HLS, beside WebRTC", plan.hls, windows["both"], windows["WebRTC"]),
    ]


def _cost(who: str, viewers: int, more: Window, less: Window) -> _Cost:
    spent = more.node_us - less.node_us
    packets = more.report["forwarded"] - less.report["forwarded"]
    octets = more.players.get("octets", 0) - less.players.get("octets", 0)
    webrtc = who.startswith("WebRTC")
    return _Cost(
        who,
        more.share(spent) / viewers * 100,
        spent / packets if webrtc and packets else None,
        spent / octets * 1e6 if not webrtc and octets else None,
    )


def _lost(window: Window) -> int:
    """Segments that players did not get, or got too late."""
    players = window.players
    return sum(players.get(name, 0) for name in ("missed", "wrong", "stalls"))


def _row(window: Window) -> tuple[str, ...]:
    report, players = window.report, window.players
    watched = report["expected"] > 0
    return (
        window.name,
        f"{report['forwarded'] / window.seconds:,.0f}" if watched else "-",
        f"{report['loss_percent']:.2f} %" if watched else "-",
        f"{report['delay_p50_ms']:.1f} / {report['delay_p99_ms']:.1f}" if watched else "-",
        f"{players['octets'] * 8 / window.seconds / 1e6:,.0f}" if players else "-",
        f"{_lost(window)} of {players['segments']:,}" if players else "-",
        _both(players["segment_ms"]) if players else "-",
    )


def _work_row(window: Window) -> tuple[str, ...]:
    spent = (window.media_us, window.node_us - window.media_us, window.packager_us)
    busy = window.report["generator_busy"]
    return (
        window.name,
        *(_percent(window.share(one)) for one in spent),
        _percent(busy),
        _percent(window.share(window.players_us)),
    )


def _goals(plan: ChannelPlan, both: Window, glass: Sequence[Glass]) -> list[tuple[str, ...]]:
    report = both.report
    complete = report["received"] == report["expected"] and _lost(both) == 0
    words = f"{report['loss_percent']:.2f} % of packets, {_lost(both)} segments"
    watched = {one.way: one for one in glass}
    rows: list[tuple[str, ...]] = [
        (f"{plan.webrtc} by WebRTC and {plan.hls} by HLS", "nothing lost", words, _state(met=complete)),
    ]
    for way, what, most in _WANTED:
        one = watched.get(way)
        if one is None:
            rows.append((f"{_WORDS[way]}, {what}", f"{most:g} s", "-", "not measured"))
            continue
        value = one.start_median if what == "start" else one.late_p95
        rows.append((f"{_WORDS[way]}, {what}", f"{most:g} s", f"{value:.2f} s", _state(met=value <= most)))
    return rows


def _state(*, met: bool) -> str:
    return "met" if met else "**missed**"


def _cost_row(cost: _Cost) -> tuple[str, ...]:
    return (
        cost.who,
        f"{100 * cost.per_hundred:.1f} %",
        "-" if cost.us_per_packet is None else f"{cost.us_per_packet:.2f}",
        "-" if cost.us_per_megabyte is None else f"{cost.us_per_megabyte:,.0f}",
    )


def _glass_row(one: Glass) -> tuple[str, ...]:
    return (
        _WORDS[one.way],
        f"{one.start_median:.2f} / {max(one.starts):.2f} s",
        f"{one.late_p50:.2f} s",
        f"{one.late_p95:.2f} s",
        f"{one.frames:,}",
    )


def _as_json(window: Window) -> dict[str, Any]:
    players = dict(window.players)
    for name in ("playlist_ms", "segment_ms"):
        if name in players:
            players[name] = {f"p{part}": _part(players[name], part) for part in (50, 99, 100)}
    facts = {"media_us": window.media_us, "node_us": window.node_us, "packager_us": window.packager_us}
    return {
        "name": window.name,
        **facts,
        "players_us": window.players_us,
        "players": players,
        "webrtc": window.report,
    }


def _charts(windows: Mapping[str, Window], costs: Sequence[_Cost]) -> list[Chart]:
    watched = [windows[name] for name in ("WebRTC", "both")]
    return [
        Chart(
            "a hundred viewers, % of a core",
            [cost.who for cost in costs],
            [Bars("", [max(100 * cost.per_hundred, 0.0) for cost in costs])],
        ),
        Chart(
            "forwarding delay to WebRTC viewers, ms",
            [window.name for window in watched],
            [
                Bars("median", [window.report["delay_p50_ms"] for window in watched]),
                Bars("99 of 100", [window.report["delay_p99_ms"] for window in watched], "#90cdf4"),
            ],
        ),
    ]


def _generator_note(both: Window) -> str:
    busy = both.report["generator_busy"] + both.share(both.players_us)
    note = f"Generator and players took {_percent(busy)} of a core in the window of both"
    return note + (": delays and losses are theirs, too." if busy > _BUSY else ".")


def _both(values: list[float]) -> str:
    return f"{_part(values, 50):.0f} / {_part(values, 99):.0f}"


def _part(values: list[float], percent: int) -> float:
    """The value that so many of a hundred do not exceed; 0 of none."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)] if ordered else 0.0


def _percent(part: float) -> str:
    return f"{100 * part:.0f} %"


_ORDER = ("nobody", "WebRTC", "HLS", "both")
_WORDS = {"webrtc": "WebRTC", "hls": "HLS", "low-latency hls": "low-latency HLS"}
_WANTED = (
    ("webrtc", "start", 1.0),
    ("webrtc", "latency p95", 0.15),
    ("hls", "latency p95", 8.0),
    ("low-latency hls", "latency p95", 3.0),
)
_HEADINGS = (
    "watched by",
    "packets/s",
    "lost",
    "p50 / p99 ms",
    "HLS Mbit/s",
    "segments lost",
    "fetched in, p50 / p99 ms",
)
_WORK_HEADINGS = ("watched by", "media threads", "rest of the node", "packager", "generator", "players")
_COST_HEADINGS = ("viewers", "of a core per 100", "us/packet", "us/MB")
_GLASS_HEADINGS = ("way", "first frame, median / worst", "late, p50", "late, p95", "frames")
_GOAL_HEADINGS = ("goal", "asked", "measured", "state")
_BUSY = 0.9
