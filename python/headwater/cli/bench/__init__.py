"""`headwater bench`: what the machine allows, and what the server makes of it.

Commands, each with ``--json`` and most with ``--plot FILE.svg``:

- ``floor``: what sealing and sending a packet costs here, with nothing else done;
- ``fanout``: one publisher to N subscribers through a node, in CPU time per forwarded packet;
- ``threads``: one room on one, two and more media threads, and what crosses between them;
- ``rooms``, ``mesh``: many small rooms, and one that grows, in which everybody sends and takes everybody;
- ``channel``: a channel that hundreds watch by WebRTC and hundreds by HLS, and how late its pictures are;
- ``idle``: thousands of people who are connected and silent;
- ``storm``: a call beside hundreds who connect at once;
- ``first-call``: process start to listening, page open to the first remote frame;
- ``ladder``: calls over links that lose, narrow and break, in virtual time;
- ``all``: every table and picture of docs/performance.md anew.

CPU time is the measure wherever it can be: a shared machine makes wall time noise. The load comes
from ``headwater-load``, a program of its own that is not in the wheel (``generator.py`` finds or
builds it).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

__all__ = ["app"]

app = App(name="bench", help="Measure this machine and this build.")

Srtp = Literal["cm-sha1", "gcm128", "gcm256"]


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",") if part]


@app.command
def floor(*, seconds: float = 6.0, json: bool = False, plot: Path | None = None) -> int:
    """Print the cost of sealing and sending a packet on this machine.

    Args:
        seconds: How long to measure, in all.
        json: Print JSON instead of a table.
        plot: An SVG file to be drawn.
    """
    from headwater.cli.bench.floor import run_floor

    return run_floor(seconds=seconds, as_json=json, plot=plot)


@app.command
def fanout(
    *,
    subscribers: str = "10,50,100,200",
    spread: bool = False,
    seconds: float = 8.0,
    threads: int = 1,
    gro: bool = False,
    loss: float = 0.0,
    srtp: Srtp | None = None,
    reference: bool = False,
    json: bool = False,
    plot: Path | None = None,
) -> int:
    """Measure one publisher to N subscribers through a node started for it.

    Args:
        subscribers: Numbers of subscribers, one run each.
        spread: Packets one by one at even distances; the default is a frame as one burst.
        seconds: Measured time of each run.
        threads: Media threads of the node.
        gro: Receive offload at the subscribers; flatters every server on loopback.
        loss: Media and RTCP that each subscriber loses, percent.
        srtp: The one SRTP profile that clients offer; the default is all, and the node chooses.
        reference: Measure the generator's plain forwarder instead of a node, as a yardstick.
        json: Print JSON instead of a table.
        plot: An SVG file to be drawn.
    """
    from headwater.cli.bench.fanout import Plan, run_fanout

    plan = Plan(
        subscribers=tuple(_numbers(subscribers)),
        spread=spread,
        seconds=seconds,
        threads=threads,
        gro=gro,
        loss=loss,
        srtp=srtp or "",
        reference=reference,
    )
    return run_fanout(plan, as_json=json, plot=plot)


@app.command
def threads(
    *,
    threads: str = "1,2,4",
    subscribers: int = 100,
    spread: bool = False,
    seconds: float = 8.0,
    json: bool = False,
    plot: Path | None = None,
) -> int:
    """Measure one room that several media threads serve, on a node started for each number of them.

    Args:
        threads: Numbers of media threads, one run each.
        subscribers: Subscribers in the room.
        spread: Packets one by one at even distances; the default is a frame as one burst.
        seconds: Measured time of each run.
        json: Print JSON instead of a table.
        plot: An SVG file to be drawn.
    """
    from headwater.cli.bench.threads import ThreadsPlan, run_threads

    plan = ThreadsPlan(
        threads=tuple(_numbers(threads)), subscribers=subscribers, spread=spread, seconds=seconds
    )
    return run_threads(plan, as_json=json, plot=plot)


@app.command
def rooms(
    *,
    rooms: str = "5,10,20",
    members: int = 4,
    mbits: float = 0.6,
    seconds: float = 8.0,
    threads: int = 1,
    json: bool = False,
    plot: Path | None = None,
) -> int:
    """Measure many small rooms in which everybody sends picture and sound and takes everybody.

    Args:
        rooms: Numbers of rooms, one run each.
        members: People in each room.
        mbits: What a picture takes, Mbit/s.
        seconds: Measured time of each run.
        threads: Media threads of the node.
        json: Print JSON instead of a table.
        plot: An SVG file to be drawn.
    """
    from headwater.cli.bench.rooms import RoomsPlan, run_rooms

    pairs = tuple((number, members) for number in _numbers(rooms))
    plan = RoomsPlan(rooms=pairs, mbits=mbits, seconds=seconds, threads=threads)
    return run_rooms(plan, as_json=json, plot=plot)


@app.command
def mesh(
    *,
    members: str = "4,8,16",
    mbits: float = 0.3,
    seconds: float = 8.0,
    threads: int = 1,
    json: bool = False,
    plot: Path | None = None,
) -> int:
    """Measure one room in which everybody sends picture and sound and takes everybody.

    Args:
        members: Numbers of people, one run each.
        mbits: What a picture takes, Mbit/s.
        seconds: Measured time of each run.
        threads: Media threads of the node.
        json: Print JSON instead of a table.
        plot: An SVG file to be drawn.
    """
    from headwater.cli.bench.rooms import RoomsPlan, run_rooms

    pairs = tuple((1, number) for number in _numbers(members))
    plan = RoomsPlan(rooms=pairs, mbits=mbits, seconds=seconds, threads=threads)
    return run_rooms(plan, as_json=json, plot=plot)


@app.command
def channel(
    *,
    webrtc: int = 300,
    hls: int = 500,
    codec: Literal["h264", "vp8"] = "h264",
    mbits: float = 1.5,
    segment: float = 2.0,
    seconds: float = 12.0,
    threads: int = 1,
    rounds: int = 3,
    browser: Annotated[str | None, Parameter(help="Chromium to use")] = None,
    small: bool = False,
    json: bool = False,
    plot: Path | None = None,
) -> int:
    """Measure a channel that many watch by WebRTC and by HLS: cost, loss, first picture, latency.

    Args:
        webrtc: Viewers by WebRTC.
        hls: Viewers by HLS.
        codec: Of the broadcaster's pictures; VP8 is encoded again for HLS.
        mbits: What they take, Mbit/s.
        segment: Length of an HLS segment, seconds.
        seconds: Length of each of the four windows.
        threads: Media threads of the node.
        rounds: Pages opened in a browser for each way of watching; 0: no browser.
        browser: A Chromium to use; the first one found otherwise.
        small: A few viewers for a few seconds and no browser: to see that it works, not to publish.
        json: Print JSON instead of tables.
        plot: An SVG file to be drawn.
    """
    from headwater.cli.bench.channel import ChannelPlan, run_channel

    plan = ChannelPlan(webrtc, hls, codec, mbits, segment, seconds, threads, rounds, browser)
    return run_channel(plan.small() if small else plan, as_json=json, plot=plot)


@app.command
def idle(
    *,
    sessions: int | None = None,
    each: int = 10,
    seconds: float = 4.0,
    threads: int = 1,
    json: bool = False,
    plot: Path | None = None,
) -> int:
    """Measure people who are connected and silent: CPU time and memory of each session.

    Args:
        sessions: Sessions, half of them publishing; 5,000, or as many files as may be open.
        each: Sessions of one room.
        seconds: Length of a window, at most 6: in one of them clients are silent, and must not be missed.
        threads: Media threads of the node.
        json: Print JSON instead of a table.
        plot: An SVG file to be drawn.
    """
    from headwater.cli.bench.idle import IdlePlan, run_idle, sessions_allowed

    plan = IdlePlan(
        sessions=sessions or sessions_allowed(), each=each, seconds=min(seconds, 6.0), threads=threads
    )
    return run_idle(plan, as_json=json, plot=plot)


@app.command
def storm(
    *,
    sessions: int = 500,
    subscribers: int = 10,
    seconds: float = 8.0,
    threads: int = 1,
    json: bool = False,
    plot: Path | None = None,
) -> int:
    """Measure a call beside hundreds of sessions that connect at once: its loss and its delay.

    Args:
        sessions: Sessions that connect, half of them publishing.
        subscribers: Of the call.
        seconds: Measured time of the call, alone and beside the storm.
        threads: Media threads of the node.
        json: Print JSON instead of a table.
        plot: An SVG file to be drawn.
    """
    from headwater.cli.bench.storm import StormPlan, run_storm

    plan = StormPlan(sessions=sessions, subscribers=subscribers, seconds=seconds, threads=threads)
    return run_storm(plan, as_json=json, plot=plot)


@app.command(name="all")
def everything(
    *,
    write: Path | None = None,
    only: str = "",
    small: bool = False,
) -> int:
    """Measure everything in docs/performance.md; about twelve minutes on a quiet machine.

    Args:
        write: The page whose tables are replaced; pictures go to `images` beside it.
        only: Names of tables, with commas between; all of them otherwise.
        small: A few members for a second each: to see that it works, not to publish.
    """
    from headwater.cli.bench.everything import run_everything

    return run_everything(write=write, only=[name for name in only.split(",") if name], small=small)


@app.command
def first_call(
    *, browser: Annotated[str | None, Parameter(help="Chromium to use")] = None, json: bool = False
) -> int:
    """Measure process start to listening, and page open to the first remote frame.

    Args:
        browser: A Chromium to use; the first one found otherwise.
        json: Print JSON instead of a table.
    """
    from headwater.cli.bench.first_call import run_first_call

    return run_first_call(browser=browser, as_json=json)


@app.command
def ladder(
    *,
    seeds: int = 20,
    seconds: int = 60,
    only: str = "",
    json: bool = False,
    write: Path | None = None,
) -> int:
    """Print how calls fare on bad links, simulated: sound, freezes, delay, recovery.

    Args:
        seeds: Runs of each row, each with other losses.
        seconds: Judged time of each run of a steady link.
        only: Run only what has this in its name.
        json: Print JSON instead of Markdown.
        write: A page whose table is replaced, such as docs/reference/networks.md.
    """
    from headwater.cli.bench.ladder import run_ladder

    return run_ladder(seeds=seeds, seconds=seconds, only=only, as_json=json, write=write)
