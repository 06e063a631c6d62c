"""`headwater bench all`: every measurement of docs/performance.md, its tables and its pictures.

A table stands between two comments that name it, and is replaced as a whole; a picture goes to the
folder `images` beside the page. The goals are judged from the tables of the same run. What a person
wrote around them stays.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from headwater.cli.bench.channel import ChannelPlan, measure_channel
from headwater.cli.bench.fanout import Plan, measure_fanout
from headwater.cli.bench.floor import floor_sheet, measure_floor
from headwater.cli.bench.generator import Report
from headwater.cli.bench.idle import IdlePlan, measure_idle, sessions_allowed
from headwater.cli.bench.plot import draw
from headwater.cli.bench.rooms import RoomsPlan, measure_rooms
from headwater.cli.bench.sheet import Sheet, Show, progress, replaced
from headwater.cli.bench.storm import StormPlan, measure_storm
from headwater.cli.bench.threads import ThreadsPlan, measure_threads
from headwater.errors import ConfigurationError

__all__ = ["goals", "run_everything"]

Measure = Callable[[Show], Sheet]


def run_everything(*, write: Path | None, only: Sequence[str], small: bool) -> int:
    """Measure, print, and write what there is a place for; the exit status is 1 when a table is void.

    Args:
        write: The page, if one is to be written.
        only: Names of the tables; all when empty.
        small: Few members and short windows.

    Raises:
        HeadwaterError: A node or the generator failed.
        ConfigurationError: A name is unknown, or the page has no place for a table.
    """
    plans = _plans(small=small)
    if unknown := [name for name in only if name not in plans]:
        raise ConfigurationError(f"no such table: {', '.join(unknown)}; there are {', '.join(plans)}")
    names = list(only) or list(plans)
    if write is not None:
        _check_places(write.read_text(encoding="utf-8"), names)
    sheets: dict[str, Sheet] = {}
    begun = time.monotonic()
    with progress() as show:
        for index, name in enumerate(names):
            base, share = index / len(names), 1 / len(names)
            sheets[name] = plans[name](_scaled(show, name, base, share))
            print(f"\n## {name}\n\n{sheets[name].markdown()}", flush=True)
            if write is not None:
                _write(write, name, sheets[name])
    if not only:
        verdict = goals(sheets)
        print(f"\n## goals\n\n{verdict}")
        if write is not None:
            _put(write, "goals", verdict)
    print(f"\nAll of it took {time.monotonic() - begun:.0f} s.")
    return 1 if any(sheet.void for sheet in sheets.values()) else 0


def goals(sheets: dict[str, Sheet]) -> str:
    """What was asked for and what came out, as a table."""
    bursts, singles = sheets["fanout"], sheets["fanout-spread"]
    rows = [
        _cost("AES-GCM, bursts", bursts, ratio=1.75, most=2.7),
        _cost("AES-GCM, one by one", singles, ratio=1.46, most=2.1),
        _cost("CM and SHA1, bursts", sheets["fanout-cm-sha1"], ratio=1.45, most=None),
    ]
    hundred = _largest_of(bursts, 100)
    memory = hundred["memory_per_subscriber"] / 1e6
    rows.append(_goal("memory per subscriber", "0.15 MB", f"{memory:.2f} MB", met=memory <= 0.15))
    few = bursts.data["runs"][0]
    delays = f"{few['delay_p50_ms']:.2f} / {few['delay_p99_ms']:.2f} ms"
    quick = few["delay_p50_ms"] <= 0.5 and few["delay_p99_ms"] <= 1.0
    rows.append(
        _goal(f"delay, {few['subscribers']} subscribers, p50 / p99", "0.5 / 1.0 ms", delays, met=quick)
    )
    many = sheets["fanout-500"].data["runs"][0]
    carried = 100 - many["loss_percent"]
    words = f"{carried:.1f} % arrived (with repairs)"
    rows.append(_goal(f"{many['subscribers']} subscribers, 1 % lost", "carried", words, met=carried >= 99.5))
    lines = [("goal", "asked", "measured", "state"), ("---",) * 4, *rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in lines)


def _cost(what: str, sheet: Sheet, *, ratio: float, most: float | None) -> tuple[str, ...]:
    """Cost per packet: a goal and a limit, both as multiples of the floor in the same run."""
    run = _largest_of(sheet, 100)
    cost, lowest = run["cpu_us_per_packet"], sheet.data["lowest"]
    times = cost / lowest
    asked = f"{ratio:g} times the floor" + (f", never above {most:g}" if most else "")
    measured = f"{cost:.2f} us, {times:.2f} times {lowest:.2f}"
    if sheet.void:
        return what, asked, measured, "void"
    if times <= ratio:
        return what, asked, measured, "met"
    return what, asked, measured, "missed, below the limit" if most and times <= most else "**missed**"


def _goal(what: str, asked: str, measured: str, *, met: bool) -> tuple[str, ...]:
    return what, asked, measured, "met" if met else "**missed**"


def _largest_of(sheet: Sheet, subscribers: int) -> Report:
    """The run with so many subscribers, or the last one there is."""
    runs: list[Report] = sheet.data["runs"]
    return next((run for run in runs if run["subscribers"] == subscribers), runs[-1])


def _plans(*, small: bool) -> dict[str, Measure]:
    """Every table by name, in the order in which they are measured."""
    seconds = 1.0 if small else 8.0
    idle = 8 if small else sessions_allowed()

    def fan(*subscribers: int, spread: bool = False, srtp: str = "", loss: float = 0.0) -> Measure:
        counts = (2,) if small else subscribers
        plan = Plan(counts, spread=spread, seconds=seconds, srtp=srtp, loss=loss)
        return lambda show: measure_fanout(plan, show)

    def rooms(mbits: float, *pairs: tuple[int, int]) -> Measure:
        plan = RoomsPlan(((1, 2),) if small else pairs, mbits=mbits, seconds=seconds)
        return lambda show: measure_rooms(plan, show)

    channel = ChannelPlan().small() if small else ChannelPlan()
    storm = StormPlan(8, 2, 1.0, 2) if small else StormPlan()
    threads = ThreadsPlan((1, 2) if small else (1, 2, 4), 2 if small else 100, False, seconds)
    return {
        "floor": lambda _: floor_sheet(measure_floor(1.0 if small else 6.0)),
        "fanout": fan(10, 50, 100, 200),
        "fanout-spread": fan(10, 100, spread=True),
        "fanout-cm-sha1": fan(100, srtp="cm-sha1"),
        "fanout-gcm128": fan(100, srtp="gcm128"),
        "fanout-500": fan(500, loss=1.0),
        "threads": lambda show: measure_threads(threads, show),
        "rooms": rooms(0.6, (5, 4), (10, 4), (20, 4)),
        "mesh": rooms(0.3, (1, 4), (1, 8), (1, 16)),
        "channel": lambda show: measure_channel(channel, show),
        "idle": lambda show: measure_idle(IdlePlan(idle, seconds=1.0 if small else 4.0), show),
        "storm": lambda show: measure_storm(storm, show),
    }


def _scaled(show: Show, name: str, base: float, share: float) -> Show:
    return lambda text, done: show(f"{name}: {text}", base + done * share)


def _check_places(page: str, names: Sequence[str]) -> None:
    """Better now than after minutes."""
    for name in names:
        replaced(page, "", begin=_begin(name), end=_end(name))


def _write(page: Path, name: str, sheet: Sheet) -> None:
    text = sheet.markdown()
    if sheet.charts and name in _DRAWN:
        images = page.parent / "images"
        images.mkdir(exist_ok=True)
        picture = images / f"bench-{name}.svg"
        picture.write_text(draw(sheet.charts), encoding="utf-8")
        text += f"\n\n![{sheet.title}](images/{picture.name})"
    _put(page, name, text)


def _put(page: Path, name: str, text: str) -> None:
    before = page.read_text(encoding="utf-8")
    page.write_text(replaced(before, text, begin=_begin(name), end=_end(name)), encoding="utf-8")


def _begin(name: str) -> str:
    return f"<!-- bench {name}: written by `headwater bench all --write` -->"


def _end(name: str) -> str:
    return f"<!-- end of bench {name} -->"


_DRAWN = ("fanout", "threads", "rooms", "mesh", "channel", "idle", "storm")
"""Tables that have a picture in the page."""
