"""What the seam between asyncio and the media threads costs.

    python bench/seam.py [--json]

Prints a table: the round trip of one command at a time, how many commands a second can be in flight
at once, and how many events a second one asyncio thread takes in and looks at. The media thread does
nothing else meanwhile, and shares the machine's cores with asyncio.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import time
from dataclasses import asdict, dataclass
from typing import Any

from headwater._core import native

ROUND_TRIPS = 20_000
PIPELINED = 400_000
WINDOW = 2_000
"""Commands in flight while measuring throughput."""
BACKLOG = 8_000
"""Events that wait when a slow reader comes back."""


@dataclass(frozen=True, slots=True)
class Result:
    """One row."""

    what: str
    value: float
    unit: str


class Client:
    """The least that a client of the seam does: a future per command, a batch per wake-up."""

    def __init__(self, worker: native.Worker) -> None:
        """Listen on the running loop."""
        self.worker = worker
        self.loop = asyncio.get_running_loop()
        self.pending: dict[int, asyncio.Future[Any]] = {}
        self.wake_ups = 0
        self.loop.add_reader(worker.fileno(), self.drain)

    def call(self) -> asyncio.Future[Any]:
        """Send one command that asks for little."""
        future = self.loop.create_future()
        self.pending[self.worker.get_stats("publisher", 1)] = future
        return future

    def drain(self) -> None:
        """Resolve what has arrived."""
        self.wake_ups += 1
        for event in self.worker.drain_events():
            match event:
                case native.Replied(request, value):
                    self.pending.pop(request).set_result(value)
                case native.Failed(request, _):
                    self.pending.pop(request).set_result(None)

    def close(self) -> None:
        """Stop listening."""
        self.loop.remove_reader(self.worker.fileno())


async def round_trips(client: Client) -> list[Result]:
    """One command after another: the wait that a caller sees."""
    times = []
    for _ in range(ROUND_TRIPS):
        start = time.perf_counter()
        await client.call()
        times.append((time.perf_counter() - start) * 1e6)
    cuts = statistics.quantiles(times, n=1000)
    return [
        Result("command round trip, p50", cuts[499], "us"),
        Result("command round trip, p99", cuts[989], "us"),
        Result("command round trip, p99.9", cuts[998], "us"),
    ]


async def pipelined(client: Client) -> list[Result]:
    """Many commands at once: commands and events per second."""
    client.wake_ups = 0
    start = time.perf_counter()
    cpu = time.thread_time()
    for _ in range(0, PIPELINED, WINDOW):
        await asyncio.gather(*(client.call() for _ in range(WINDOW)))
    elapsed = time.perf_counter() - start
    cpu = time.thread_time() - cpu
    return [
        Result("commands and replies in flight together", PIPELINED / elapsed, "/s"),
        Result("asyncio thread, CPU per command and reply", cpu / PIPELINED * 1e6, "us"),
        Result("events per wake-up", PIPELINED / client.wake_ups, ""),
    ]


def backlog(worker: native.Worker) -> list[Result]:
    """A reader that comes back to a full ring: how fast events become Python objects."""
    taken, spent = 0, 0.0
    for _ in range(20):
        for _ in range(BACKLOG):
            worker.get_stats("publisher", 1)
        deadline = time.monotonic() + 10
        while worker.counters().get("commands", 0) < taken + BACKLOG and time.monotonic() < deadline:
            time.sleep(0.05)
        start = time.perf_counter()
        events = worker.drain_events(limit=BACKLOG)
        for event in events:
            match event:
                case native.Replied(request=_) | native.Failed(request=_):
                    pass
        spent += time.perf_counter() - start
        taken += len(events)
    return [Result("events drained and matched", taken / spent, "/s")]


def measure() -> list[Result]:
    """Run everything on a Worker of one media thread."""

    def open_worker() -> native.Worker:
        return native.Worker(
            threads=1, port=0, addresses=["127.0.0.1"], announce=[], announce_only=False, tcp=[]
        )

    async def in_loop() -> list[Result]:
        client = Client(open_worker())
        results = await round_trips(client) + await pipelined(client)
        client.close()
        client.worker.close()
        return results

    results = asyncio.run(in_loop())
    worker = open_worker()
    results += backlog(worker)
    worker.close()
    return results


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    results = measure()
    build = native.build_info()
    if arguments.json:
        print(json.dumps({"build": build, "results": [asdict(result) for result in results]}))
        return
    print(f"build {build['profile']}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n")
    for result in results:
        print(f"{result.what:<45} {result.value:>12,.1f} {result.unit}")


if __name__ == "__main__":
    main()
