"""``headwater top``: a running node at a glance, renewed each second.

It asks the node over HTTP for what anybody with the API key can ask for: ``/metrics``, ``/meetings`` and
their participants. Rates are differences of two looks.
"""

from __future__ import annotations

import contextlib
import json
import os
import ssl
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlsplit

from cyclopts import Parameter
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from headwater.errors import ConfigurationError, HeadwaterError, NotFound
from headwater.loopback import is_loopback
from headwater.media.events import quality_level

__all__ = ["Look", "top"]


@dataclass(frozen=True, slots=True)
class Look:
    """What a node said at one moment."""

    at: float
    metrics: Mapping[str, float]
    people: Mapping[str, list[dict[str, Any]]]
    """By meeting, those that somebody is in."""


def top(
    url: str = "http://127.0.0.1:8443",
    /,
    *,
    api_key: str | None = None,
    interval: float = 1.0,
    once: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Show a running node: its load, its meetings, and its people, the worst connections first.

    Args:
        url: Where the node is.
        api_key: Its API key, also from HEADWATER_API_KEY; a node with --dev needs none.
        interval: Seconds between two looks.
        once: Print one picture and end.
    """
    if interval <= 0:
        raise ConfigurationError("--interval is a number of seconds above 0")
    ask = _Asking(url, api_key or os.environ.get("HEADWATER_API_KEY"))
    before = ask.look()
    console = Console(emoji=False, highlight=False)
    if once:
        time.sleep(interval)
        console.print(picture(url, before, ask.look()))
        return
    with (
        contextlib.suppress(KeyboardInterrupt),
        Live(console=console, screen=True, auto_refresh=False) as live,
    ):
        while True:
            time.sleep(interval)
            now = ask.look()
            live.update(picture(url, before, now), refresh=True)
            before = now


class _Asking:
    """The way to a node.

    Args:
        url: Where it is.
        api_key: Opens its doors.
    """

    def __init__(self, url: str, api_key: str | None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigurationError(f"not the address of a node: {url!r}")
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._tls = ssl.create_default_context()
        if is_loopback(parts.hostname):  # nobody in between, and most likely a self-signed certificate
            self._tls.check_hostname = False
            self._tls.verify_mode = ssl.CERT_NONE

    def look(self) -> Look:
        """Ask for everything.

        Raises:
            HeadwaterError: The node does not answer, or not this caller.
        """
        meetings = [each["id"] for each in json.loads(self._get("/meetings")) if each["participants"]]
        people = {}
        for id_ in meetings:
            with contextlib.suppress(NotFound):  # it has just ended
                people[id_] = json.loads(self._get(f"/meetings/{quote(id_, safe='')}/participants"))
        return Look(time.monotonic(), dict(_series(self._get("/metrics"))), people)

    def _get(self, path: str) -> str:
        request = urllib.request.Request(self._url + path, headers=self._headers)  # noqa: S310  # checked above
        try:
            with urllib.request.urlopen(request, timeout=_PATIENCE, context=self._tls) as answer:  # noqa: S310
                text: str = answer.read().decode()
                return text
        except HTTPError as error:
            if error.code == 404:
                raise NotFound(f"{self._url}{path}") from error
            hint = "; give its API key with --api-key" if error.code in (401, 403) else ""
            raise HeadwaterError(f"{self._url}{path} answers {error.code}{hint}") from error
        except (URLError, OSError) as error:
            raise HeadwaterError(
                f"no node answers at {self._url}: {getattr(error, 'reason', error)}"
            ) from error


def _series(text: str) -> Iterator[tuple[str, float]]:
    """Read the Prometheus text format; series without labels are all we need."""
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        if name and not name.startswith("#") and "{" not in name:
            yield name, float(value)


def picture(url: str, before: Look, now: Look) -> RenderableType:
    """Draw what happened between two looks."""
    return Group(_head(url, before, now), Text(), _meetings(before, now), Text(), _people(before, now))


def _head(url: str, before: Look, now: Look) -> Text:
    def rate(name: str) -> float:
        return (now.metrics.get(name, 0) - before.metrics.get(name, 0)) / (now.at - before.at)

    forwarded = rate("headwater_media_packets_forwarded_total")
    again = rate("headwater_media_packets_retransmitted_total") / forwarded if forwarded else 0.0
    load = {name: now.metrics.get(f"headwater_load_{name}", 0.0) for name in ("busy", "share", "overloaded")}
    come, go = (_rate(8 * rate(f"headwater_media_bytes_{way}_total")) for way in ("in", "out"))
    text = Text.assemble(
        ("Headwater", "bold"),
        f" {url}\n",
        f"in {come}, out {go}, {forwarded:.0f} packets/s forwarded, {100 * again:.1f} % sent again\n",
        f"busiest media thread {100 * load['busy']:.0f} % of a core",
    )
    if load["share"] < 1:
        text.append(f", layers given up: {100 * load['share']:.0f} % is sent", style="yellow")
    if load["overloaded"]:
        text.append(", newcomers are refused", style="bold red")
    return text


def _meetings(before: Look, now: Look) -> Table:
    table = Table("meeting", "people", "tracks", "in", "out", "worst", box=None, pad_edge=False)
    for column in table.columns[1:5]:
        column.justify = "right"
    rates = _rates(before, now)
    for id_, people in sorted(now.people.items(), key=lambda each: -len(each[1])):
        come, go = (sum(rates[person["id"]][way] for person in people) for way in (0, 1))
        tracks = sum(len(person["tracks"]) for person in people)
        scores = [person["quality"] for person in people if person["quality"] is not None]
        worst = _quality(min(scores, default=None))
        table.add_row(_plain(id_), str(len(people)), str(tracks), _rate(come), _rate(go), worst)
    if not now.people:
        table.add_row(Text("nobody is in a meeting", style="dim"))
    return table


def _people(before: Look, now: Look) -> Table:
    """Those with the worst connections first."""
    table = Table(
        "name", "meeting", "by", "sends", "receives", "round trip", "line carries", "quality",
        box=None, pad_edge=False,
    )  # fmt: skip
    for column in table.columns[3:7]:
        column.justify = "right"
    rates = _rates(before, now)
    everybody = [(person, id_) for id_, people in now.people.items() for person in people]
    everybody.sort(key=lambda each: 101 if each[0]["quality"] is None else each[0]["quality"])
    for person, id_ in everybody[:_MOST_ROWS]:
        sends, receives = rates[person["id"]]
        ways = [way for way in (person["receiving"], person["sending"]) if way]
        trips = [way["round_trip_time_ms"] for way in ways if way["round_trip_time_ms"] is not None]
        trip = f"{max(trips):.0f} ms" if trips else ""
        carries = (person["receiving"] or {}).get("available_outgoing_bitrate")
        table.add_row(
            _plain(person["name"]), _plain(id_), person["protocol"], _rate(sends), _rate(receives), trip,
            "" if carries is None else _rate(carries), _quality(person["quality"]),
        )  # fmt: skip
    if len(everybody) > _MOST_ROWS:
        table.add_row(Text(f"and {len(everybody) - _MOST_ROWS} more, who fare better", style="dim"))
    return table


def _rates(before: Look, now: Look) -> dict[str, tuple[float, float]]:
    """Of each person bit/s sent to the node and received from it; none for a newcomer."""
    known = {person["id"]: person for people in before.people.values() for person in people}

    def rate(person: dict[str, Any], way: str, name: str) -> float:
        earlier, later = known.get(person["id"], {}).get(way), person[way]
        grown = later[name] - earlier[name] if earlier and later else 0
        return 8 * max(0, grown) / (now.at - before.at)

    return {
        person["id"]: (rate(person, "sending", "bytes_received"), rate(person, "receiving", "bytes_sent"))
        for people in now.people.values()
        for person in people
    }


def _plain(text: str) -> Text:
    """What a stranger may have chosen, without power over the terminal."""
    return Text("".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text))


def _rate(bits: float) -> str:
    return f"{bits / 1e6:.1f} Mbit/s" if bits >= 1e6 else f"{bits / 1e3:.0f} kbit/s"


def _quality(score: int | None) -> Text:
    if score is None:
        return Text("not known", style="dim")
    level = quality_level(score)
    return Text(f"{level} {score}", style=_STYLES[level])


_PATIENCE = 5.0
"""Seconds that a node may take to answer."""
_MOST_ROWS = 40
_STYLES = {"excellent": "green", "good": "", "poor": "yellow", "lost": "red"}
