"""Playlists: what is written can be read, and half of one is refused."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.protocols.hls import (
    InvalidPlaylist,
    MasterPlaylist,
    MediaPlaylist,
    Segment,
    Variant,
    parse_media_playlist,
)


def test_a_window_slides_and_counts_what_left_it() -> None:
    """Sequence numbers and discontinuities go on, so that a player keeps its place."""
    playlist = MediaPlaylist(target=2, window=3)
    gone: list[Segment] = []
    for number in range(6):
        gone += playlist.append(Segment(f"{number}.ts", 2.0, discontinuity=number in (1, 4)))
    assert [segment.uri for segment in gone] == ["0.ts", "1.ts", "2.ts"]
    assert (playlist.sequence, playlist.discontinuities) == (3, 1)
    lines = playlist.render().splitlines()
    assert "#EXT-X-MEDIA-SEQUENCE:3" in lines
    assert "#EXT-X-DISCONTINUITY-SEQUENCE:1" in lines
    assert lines.index("#EXT-X-DISCONTINUITY") < lines.index("4.ts")
    assert "#EXT-X-ENDLIST" not in lines


def test_fragmented_mp4_names_its_initialisation_section_again_after_a_change() -> None:
    """Each change of it is told before the segment that needs it."""
    playlist = MediaPlaylist(target=2, window=9)
    for uri, init in (("a.m4s", "1.mp4"), ("b.m4s", "1.mp4"), ("c.m4s", "2.mp4")):
        playlist.append(Segment(uri, 2.0, init=init, discontinuity=uri == "c.m4s"))
    maps = [line for line in playlist.render("?s=1").splitlines() if line.startswith("#EXT-X-MAP")]
    assert maps == ['#EXT-X-MAP:URI="1.mp4?s=1"', '#EXT-X-MAP:URI="2.mp4?s=1"']


@given(
    st.lists(
        st.builds(
            Segment,
            uri=st.from_regex(r"[a-z0-9_]{1,12}\.ts", fullmatch=True),
            duration=st.floats(0.1, 30).map(lambda seconds: round(seconds, 6)),
            begins=st.none() | st.integers(0, 10**12).map(lambda ms: datetime.fromtimestamp(ms / 1000, UTC)),
            discontinuity=st.booleans(),
        ),
        min_size=1,
    ),
    st.booleans(),
)
def test_what_is_written_is_read_back(segments: list[Segment], ended: bool) -> None:
    """Any list of segments survives, to the millisecond and microsecond."""
    playlist = MediaPlaylist(target=30, window=10**6, segments=segments, ended=ended)
    again = parse_media_playlist(playlist.render())
    assert again.ended == ended
    assert len(again.segments) == len(segments)
    for before, after in zip(segments, again.segments, strict=True):
        assert (after.uri, after.discontinuity) == (before.uri, before.discontinuity)
        assert math.isclose(after.duration, before.duration, abs_tol=1e-6)
        if before.begins is None:
            assert after.begins is None
        else:
            assert after.begins is not None
            assert abs((after.begins - before.begins).total_seconds()) < 0.001


@pytest.mark.parametrize(
    "text",
    [
        "",
        "#EXTM3U",
        "#EXTM3U\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:2\nseg.ts\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2.0,\nseg",
        "#EXTM3U\n#EXT-X-TARGETDURATION:two\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:nan,\nseg.ts\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:-1,\nseg.ts\n",
        "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:" + "9" * 5000 + "\n",
    ],
)
def test_half_a_playlist_is_no_playlist(text: str) -> None:
    """What FFmpeg leaves on a full disk is refused, not believed."""
    with pytest.raises(InvalidPlaylist):
        parse_media_playlist(text)


def test_a_master_names_its_variants() -> None:
    """Best first, each with its size and its codecs."""
    master = MasterPlaylist(
        [Variant("high.m3u8", 2_500_000, "avc1.42e01f,mp4a.40.2", 1280, 720), Variant("low.m3u8", 200_000)]
    )
    lines = master.render("?t=x").splitlines()
    first = lines.index(
        '#EXT-X-STREAM-INF:BANDWIDTH=2500000,CODECS="avc1.42e01f,mp4a.40.2",RESOLUTION=1280x720'
    )
    assert lines[first + 1 : first + 4] == [
        "high.m3u8?t=x",
        "#EXT-X-STREAM-INF:BANDWIDTH=200000",
        "low.m3u8?t=x",
    ]
