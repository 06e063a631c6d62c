"""Prometheus metrics, computed when they are scraped.

The media threads count for themselves; one collector reads their sums once per scrape. Nothing is
called per packet, and a scrape never waits for a media thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

__all__ = ["Metrics"]

_GAUGE_ENDINGS = (
    "_open",
    "_active",
    "_current",
    "routers",
    "transports",
    "publishers",
    "branches",
    "relayed_tracks",
    "subscribers",
    "sessions",
    "connections",
)


class Metrics:
    """The registry of one node.

    Args:
        media: Reads the media threads' counters.
        rooms: Reads gauges of the product (rooms, participants, ...).
        load: Reads how busy the media threads are.
    """

    content_type = CONTENT_TYPE_LATEST

    def __init__(
        self,
        *,
        media: Callable[[], Mapping[str, int]],
        rooms: Callable[[], Mapping[str, int]],
        load: Callable[[], Mapping[str, float]] = dict,
    ) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(_NodeCollector(media, rooms, load))
        ProcessCollector(registry=self.registry)
        self.messages = Counter(
            "headwater_signaling_messages",
            "Signalling messages received, by type",
            ["type"],
            registry=self.registry,
        )
        self.problems = Counter(
            "headwater_problems", "Requests and messages refused, by code", ["code"], registry=self.registry
        )
        self.joins = Counter(
            "headwater_joins", "Participants that joined, by protocol", ["protocol"], registry=self.registry
        )

    def render(self) -> bytes:
        """Read everything and write the text format."""
        return generate_latest(self.registry)


class _NodeCollector(Collector):
    def __init__(
        self,
        media: Callable[[], Mapping[str, int]],
        rooms: Callable[[], Mapping[str, int]],
        load: Callable[[], Mapping[str, float]],
    ) -> None:
        self._media = media
        self._rooms = rooms
        self._load = load

    def describe(self) -> Iterable[Metric]:
        return []  # names come from the core; asking here would read it before it runs

    def collect(self) -> Iterable[Metric]:
        for name, value in sorted(self._media().items()):
            text = f"Media threads: {name.replace('_', ' ')}"
            if name.endswith(_GAUGE_ENDINGS):
                yield GaugeMetricFamily(f"headwater_media_{name}", text, value=value)
            else:
                yield CounterMetricFamily(f"headwater_media_{name}", text, value=value)
        for name, value in sorted(self._rooms().items()):
            yield GaugeMetricFamily(f"headwater_{name}", f"Now: {name.replace('_', ' ')}", value=value)
        for name, part in sorted(self._load().items()):
            yield GaugeMetricFamily(
                f"headwater_load_{name}", f"Media threads, last second: {name}", value=part
            )
