"""Playlists of parts: what may be asked for, what is answered, and what another parser makes of it."""

from __future__ import annotations

from datetime import UTC, datetime

import m3u8
import pytest

from headwater.errors import InvalidQuery
from headwater.protocols.hls import Delivery, Part, PartPlaylist, Report, Segment

BEGAN = datetime(2026, 1, 1, tzinfo=UTC).timestamp()


def grown(segments: int, *, parts: int = 6, more: int = 2, window: int = 100) -> PartPlaylist:
    """A playlist of so many whole segments of two seconds, and some parts of the next."""
    playlist = PartPlaylist(target=2, window=window, part_target=0.35)
    for number in range(segments + 1):
        count = parts if number < segments else more
        for index in range(count):
            begins = datetime.fromtimestamp(BEGAN + 2 * number, UTC)
            first = Segment("", 0.0, begins, False, "i.mp4") if index == 0 else None
            playlist.add_part(Part(f"p{number * parts + index}.m4s", 2 / parts, index == 0), first)
        if number < segments:
            playlist.close_segment(f"s{number}.m4s", 2.0)
            playlist.drop_old_parts()
    playlist.hint = f"p{segments * parts + more}.m4s"
    return playlist


def test_another_parser_reads_it() -> None:
    """Parts of the newest segments, the hint, control and reports are where they belong."""
    playlist = grown(20)
    theirs = m3u8.loads(playlist.render("?s=1", reports=[Report("video1.m3u8", 20, 1)]))
    control = theirs.server_control
    assert control.can_block_reload == "YES"
    assert float(control.part_hold_back) == pytest.approx(1.05)
    assert float(control.can_skip_until) == 12
    assert theirs.part_inf.part_target == pytest.approx(0.35)
    assert [len(one.parts) for one in theirs.segments[-5:]] == [0, 6, 6, 6, 2]
    assert [one.independent for one in theirs.segments[-1].parts] == ["YES", None]
    assert theirs.segments[-1].parts[0].uri == "p120.m4s?s=1"
    assert theirs.preload_hint.uri == "p122.m4s?s=1"
    (report,) = theirs.rendition_reports
    assert (report.uri, report.last_msn, report.last_part) == ("video1.m3u8?s=1", 20, 1)
    for segment in theirs.segments[-4:-1]:
        assert sum(part.duration for part in segment.parts) == pytest.approx(segment.duration, abs=0.001)


def test_a_delta_update_leaves_out_what_is_old() -> None:
    """Only segments that lie wholly before the boundary; with what is kept the whole is the same."""
    playlist = grown(30)
    whole, delta = m3u8.loads(playlist.render()), m3u8.loads(playlist.render(skip=True))
    skipped = delta.skip.skipped_segments
    kept = [one.uri for one in whole.segments][skipped:]
    assert [one.uri for one in delta.segments] == kept
    assert delta.media_sequence == whole.media_sequence
    assert sum(one.duration or 0 for one in delta.segments[:-1]) >= 12 - 2 * 0.35
    assert len(playlist.render(skip=True)) < 0.75 * len(playlist.render())
    assert '#EXT-X-MAP:URI="i.mp4"' in playlist.render(skip=True)


@pytest.mark.parametrize("ended", [False, True])
def test_nothing_is_skipped_in_a_short_or_ended_playlist(ended: bool) -> None:
    """There the whole is the answer."""
    playlist = grown(30 if ended else 4)
    playlist.ended = ended
    assert "#EXT-X-SKIP" not in playlist.render(skip=True)


def test_an_ended_playlist_promises_nothing() -> None:
    """No hint, no report: players stop asking."""
    playlist = grown(3)
    playlist.ended = True
    text = playlist.render(reports=[Report("x.m3u8", 1, 1)])
    assert text.endswith("#EXT-X-ENDLIST\n")
    assert "PRELOAD-HINT" not in text
    assert "RENDITION-REPORT" not in text


@pytest.mark.parametrize(
    ("msn", "part", "there"),
    [
        (0, None, True),
        (9, None, True),
        (10, None, False),
        (10, 0, True),
        (10, 1, True),
        (10, 2, False),
        (9, 5, True),
        (9, 6, True),  # beyond the last of a whole segment: the first of the next
        (9, 60, True),
        (11, 0, False),
    ],
)
def test_what_is_there(msn: int, part: int | None, there: bool) -> None:
    """Segments 0 to 9 are whole, of segment 10 there are two parts."""
    assert grown(10).has(msn, part) is there


def test_the_part_after_the_last_of_a_segment_is_the_first_of_the_next() -> None:
    """Whoever asked for it before the segment ended waits for that one."""
    playlist = grown(10, more=0)
    assert not playlist.has(9, 6)
    playlist.add_part(Part("p60.m4s", 0.33, True), Segment("", 0.0))
    assert playlist.has(9, 6)


@pytest.mark.parametrize(
    ("msn", "part", "beyond"),
    [
        (10, 2, False),
        (10, 10, False),  # nine parts are three seconds
        (10, 11, True),
        (11, None, False),
        (11, 0, False),
        (11, 9, True),
        (12, None, True),
        (12, 0, True),
        (3, 200, False),
    ],
)
def test_what_is_too_far_ahead(msn: int, part: int | None, beyond: bool) -> None:
    """Two segments, or three seconds of parts, may be waited for."""
    assert grown(10).is_beyond(msn, part) is beyond


def test_a_segment_that_is_given_up_leaves_no_trace() -> None:
    """Its number is that of the next one."""
    playlist = grown(3)
    assert [part.uri for part in playlist.drop_open()] == ["p18.m4s", "p19.m4s"]
    assert (playlist.next, playlist.newest) == (3, (2, 5))
    assert "p18.m4s" not in playlist.render().replace('TYPE=PART,URI="p20', "")


def test_parts_leave_with_their_segments() -> None:
    """A window shorter than the time of parts holds none of segments that left it."""
    playlist = grown(9, window=2)
    assert playlist.sequence == 7
    theirs = m3u8.loads(playlist.render())
    assert [len(one.parts) for one in theirs.segments] == [6, 6, 2]


def test_a_discontinuity_stands_before_the_first_part() -> None:
    """Players must know before they play it."""
    playlist = grown(3, more=0)
    playlist.add_part(Part("n0.m4s", 0.3, True), Segment("", 0.0, None, True, "j.mp4"))
    lines = playlist.render().splitlines()
    at = lines.index("#EXT-X-DISCONTINUITY")
    assert lines[at + 1] == '#EXT-X-MAP:URI="j.mp4"'
    assert "n0.m4s" in lines[at + 2]
    playlist.close_segment("t0.m4s", 0.3)
    assert playlist.segments[-1].discontinuity


def test_a_long_part_raises_the_target_for_good() -> None:
    """Players would otherwise run dry; but one long gap must not keep them a minute behind."""
    playlist = grown(1)
    playlist.add_part(Part("a", 0.4))
    assert playlist.part_target == pytest.approx(0.4)
    playlist.add_part(Part("b", 20.0))
    assert playlist.part_target == 1.0


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ([], Delivery()),
        ([("token", "x"), ("_HLS_msn", "7")], Delivery(7)),
        ([("_HLS_msn", "7"), ("_HLS_part", "0"), ("_HLS_skip", "YES")], Delivery(7, 0, True)),
        ([("_HLS_skip", "v2")], Delivery(skip=True)),
        ([("_HLS_skip", "maybe")], Delivery()),
        ([("_HLS_unknown", "1")], Delivery()),
    ],
)
def test_what_is_asked_for(query: list[tuple[str, str]], expected: Delivery) -> None:
    """Unknown parameters are passed over."""
    assert Delivery.parse(query) == expected


@pytest.mark.parametrize(
    "query",
    [
        [("_HLS_part", "1")],
        [("_HLS_msn", "")],
        [("_HLS_msn", "-1")],
        [("_HLS_msn", "1.5")],
        [("_HLS_msn", "\uff11")],
        [("_HLS_msn", "9" * 5000)],
        [("_HLS_msn", "1"), ("_HLS_msn", "2")],
        [("_HLS_msn", "1"), ("_HLS_part", "x")],
    ],
)
def test_nonsense_is_refused(query: list[tuple[str, str]]) -> None:
    """A number that is none, or a part of nothing."""
    with pytest.raises(InvalidQuery):
        Delivery.parse(query)
