"""Two parsers that are not ours, one of Python and one of npm, agree on what our playlists say."""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import PIPE
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import m3u8
import pytest

from headwater.protocols.hls import (
    MasterPlaylist,
    MediaPlaylist,
    Part,
    PartPlaylist,
    Report,
    Segment,
    Variant,
)

ROOT = Path(__file__).resolve().parents[3]
_BEGAN = datetime(2026, 1, 1, tzinfo=UTC).timestamp()


async def parsed(*texts: str) -> list[dict[str, Any]]:
    """What hls-parser finds in playlists; it fails at what the specification does not allow."""
    process = await asyncio.create_subprocess_exec(
        Path(sys.prefix, "bin/node"),
        *(ROOT / "tests/support/parse_playlists.mjs", ROOT / "web/package.json"),
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
    )
    out, log = await asyncio.wait_for(process.communicate(json.dumps(texts).encode()), 60)
    assert process.returncode == 0, log.decode()
    found: list[dict[str, Any]] = json.loads(out)
    return found


def begins(number: int) -> datetime:
    """When a segment of two seconds begins."""
    return datetime.fromtimestamp(_BEGAN + 2 * number, UTC)


@pytest.mark.parametrize("ended", [False, True])
@pytest.mark.parametrize("init", [None, "i.mp4"])
async def test_media_playlists(init: str | None, ended: bool) -> None:
    """A window that has slid, with a discontinuity in it and one before it."""
    ours = MediaPlaylist(target=3, window=4, ended=ended)
    for number in range(7):
        uri = f"{number}.{'m4s' if init else 'ts'}"
        ours.append(Segment(uri, 2.004, begins(number), number in (1, 5), init))
    text = ours.render()
    python, (npm,) = m3u8.loads(text), await parsed(text)
    assert python.media_sequence == npm["mediaSequenceBase"] == ours.sequence == 3
    assert npm["discontinuitySequenceBase"] == ours.discontinuities == 1
    assert python.target_duration == npm["targetDuration"] == 3
    assert python.is_endlist == npm["endlist"] == ended
    for one, theirs, others in zip(ours.segments, python.segments, npm["segments"], strict=True):
        assert theirs.uri == others["uri"] == one.uri
        assert theirs.duration == others["duration"] == one.duration
        assert theirs.discontinuity == others.get("discontinuity", False) == one.discontinuity
        assert theirs.current_program_date_time == one.begins
        assert datetime.fromisoformat(others["programDateTime"]) == one.begins
        assert (others.get("map") or {}).get("uri") == one.init


async def test_master_playlists() -> None:
    """Sizes, rates and codecs are read as they are meant."""
    variants = [
        Variant("high.m3u8", 2_500_000, "avc1.42e01f,mp4a.40.2", 1280, 720),
        Variant("low.m3u8", 200_000, "avc1.42e01f,mp4a.40.2", 320, 180),
    ]
    text = MasterPlaylist(variants).render("?t=x")
    python, (npm,) = m3u8.loads(text), await parsed(text)
    assert npm["isMasterPlaylist"]
    for one, theirs, others in zip(variants, python.playlists, npm["variants"], strict=True):
        assert theirs.uri == others["uri"] == f"{one.uri}?t=x"
        assert theirs.stream_info.bandwidth == others["bandwidth"] == one.bandwidth
        assert theirs.stream_info.resolution == tuple(others["resolution"].values())
        assert theirs.stream_info.codecs == others["codecs"] == one.codecs


async def test_playlists_of_parts() -> None:
    """Parts, hint, reports and a delta update."""
    ours = PartPlaylist(target=2, window=100, part_target=0.35)
    for number in range(21):
        for index in range(6 if number < 20 else 2):
            first = Segment("", 0.0, begins(number), False, "i.mp4") if index == 0 else None
            ours.add_part(Part(f"p{number}-{index}.m4s", 2 / 6, index == 0), first)
        if number < 20:
            ours.close_segment(f"s{number}.m4s", 2.0)
            ours.drop_old_parts()
    ours.hint = "p20-2.m4s"
    text = ours.render(reports=[Report("video1.m3u8", 20, 1)])
    whole, delta = await parsed(text, ours.render(skip=True))
    python = m3u8.loads(text)
    assert whole["lowLatencyCompatibility"]["canBlockReload"]
    assert whole["partTargetDuration"] == python.part_inf.part_target == pytest.approx(0.35)
    for theirs, others in zip(python.segments, whole["segments"], strict=True):
        parts = [part for part in others["parts"] if not part.get("hint")]
        assert [part["uri"] for part in parts] == [part.uri for part in theirs.parts]
    (hint,) = [part for part in whole["segments"][-1]["parts"] if part.get("hint")]
    assert hint["uri"] == python.preload_hint.uri == "p20-2.m4s"
    (report,) = whole["renditionReports"]
    assert (report["uri"], report["lastMSN"], report["lastPart"]) == ("video1.m3u8", 20, 1)
    assert delta["skip"] == m3u8.loads(ours.render(skip=True)).skip.skipped_segments > 0
