"""The shelf takes over whole segments only, and removes files in time."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from headwater.pipelines.hls_command import Packaging, Picture, arguments
from headwater.pipelines.hls_segments import SegmentShelf

WHOLE = b"\x47" + bytes(187)


def packaging(folder: Path, prefix: str, codec: str = "H264") -> Packaging:
    return Packaging(folder / "x.sdp", prefix, [Picture("video", codec)], "opus")


def write(folder: Path, run: str, numbers: range, *, broken: int | None = None) -> None:
    """What FFmpeg would have written: segments, and a playlist that lists them."""
    lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:2", f"#EXT-X-MEDIA-SEQUENCE:{numbers.start}"]
    for number in numbers:
        name = f"{run}_video_{number:05d}.ts"
        (folder / name).write_bytes(b"" if number == broken else WHOLE * 5)
        lines += ["#EXTINF:2.000000,", name]
    (folder / f"{run}_video.m3u8").write_text("\n".join(lines) + "\n")


def names(shelf: SegmentShelf) -> list[str]:
    return [segment.uri.split("_")[0] + segment.uri[-5:-3] for segment in shelf.renditions["video"].segments]


def test_a_new_run_goes_on_with_a_discontinuity(tmp_path: Path) -> None:
    """FFmpeg began again: its first segment does not continue the last one."""
    shelf = SegmentShelf(tmp_path, target=2, window=10)
    shelf.begin_run(packaging(tmp_path, "r1"))
    write(tmp_path, "r1", range(3))
    assert shelf.collect() == 3
    assert shelf.collect() == 0
    shelf.finish_run()
    shelf.begin_run(packaging(tmp_path, "r2"))
    write(tmp_path, "r2", range(2))
    shelf.collect()
    assert [segment.discontinuity for segment in shelf.renditions["video"].segments] == [
        False, False, False, True, False,
    ]  # fmt: skip
    assert not (tmp_path / "r1_video.m3u8").exists()


def sound_that_gets_pictures(tmp_path: Path) -> SegmentShelf:
    """Three segments of sound, then a run with pictures that has written nothing yet."""
    shelf = SegmentShelf(tmp_path, target=2, window=10)
    shelf.begin_run(Packaging(tmp_path / "x.sdp", "r1", [], "opus"))
    write(tmp_path, "r1", range(3))
    (tmp_path / "r1_video.m3u8").rename(tmp_path / "r1_sound.m3u8")
    shelf.collect()
    shelf.finish_run()
    shelf.begin_run(packaging(tmp_path, "r2"))
    return shelf


def test_sound_that_gets_pictures_has_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who comes meanwhile gets the sound; its players are told of its end with the first picture."""
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    shelf = sound_that_gets_pictures(tmp_path)
    shelf.collect()
    assert (list(shelf.renditions), list(shelf.playlists)) == (["sound"], ["sound"])
    assert not shelf.playlists["sound"].ended
    assert shelf.peak("sound") > 0
    write(tmp_path, "r2", range(2))
    shelf.collect()
    assert shelf.playlists["sound"].render().endswith("#EXT-X-ENDLIST\n")
    assert (list(shelf.renditions), sorted(shelf.playlists)) == (["video"], ["sound", "video"])
    assert not shelf.renditions["video"].ended
    now += 7
    shelf.collect()
    assert list(shelf.playlists) == ["video"]
    assert not list(tmp_path.glob("r1_*"))


def test_sound_does_not_stand_still_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures that come to nothing in time end the sound all the same; sound alone goes on where it was."""
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    shelf = sound_that_gets_pictures(tmp_path)
    now += 19
    shelf.collect()
    assert list(shelf.renditions) == ["sound"]
    shelf.finish_run()
    shelf.begin_run(Packaging(tmp_path / "x.sdp", "r3", [], "opus"))
    assert [one.uri for one in shelf.renditions["sound"].segments] == [
        f"r1_video_{number:05d}.ts" for number in range(3)
    ]
    shelf.finish_run()
    shelf.begin_run(packaging(tmp_path, "r4"))
    now += 21
    shelf.collect()
    assert not shelf.renditions
    assert shelf.playlists["sound"].ended


def test_no_segment_ends_after_it_was_written(tmp_path: Path) -> None:
    """FFmpeg dates a run by when it began to write: what it says is moved back by as much as it is ahead."""
    shelf = SegmentShelf(tmp_path, target=2, window=10)
    shelf.begin_run(packaging(tmp_path, "r1"))
    write(tmp_path, "r1", range(3))
    first = datetime(2026, 5, 1, 12, 0, 3, tzinfo=UTC)
    text = (tmp_path / "r1_video.m3u8").read_text()
    for number in range(3):
        name, begins = f"r1_video_{number:05d}.ts", first + timedelta(seconds=2 * number)
        text = text.replace(name, f"#EXT-X-PROGRAM-DATE-TIME:{begins.isoformat()}\n{name}")
        written = (begins - timedelta(seconds=1)).timestamp()  # whole three seconds too late
        os.utime(tmp_path / name, (written, written))
    (tmp_path / "r1_video.m3u8").write_text(text)
    assert shelf.collect() == 3
    dated = [segment.begins for segment in shelf.renditions["video"].segments]
    assert dated == [first + timedelta(seconds=2 * number - 3) for number in range(3)]


def test_an_empty_segment_is_left_out(tmp_path: Path) -> None:
    """A full disk leaves empty files that FFmpeg lists all the same."""
    shelf = SegmentShelf(tmp_path, target=2, window=10)
    shelf.begin_run(packaging(tmp_path, "r1"))
    write(tmp_path, "r1", range(4), broken=2)
    assert shelf.collect() == 3
    segments = shelf.renditions["video"].segments
    assert names(shelf) == ["r100", "r101", "r103"]
    assert [segment.discontinuity for segment in segments] == [False, False, True]
    assert shelf.broken_segments == 1
    assert shelf.file("r1_video_00002.ts") is None


def test_the_rest_of_a_run_is_no_rate(tmp_path: Path) -> None:
    """What FFmpeg had in hand when it ended may be long in bytes and short in time."""
    shelf = SegmentShelf(tmp_path, target=2, window=10)
    shelf.begin_run(packaging(tmp_path, "r1"))
    write(tmp_path, "r1", range(3))
    theirs = tmp_path / "r1_video.m3u8"
    theirs.write_text(theirs.read_text() + "#EXTINF:0.000011,\nr1_video_00002.ts\n")
    assert shelf.collect() == 4
    assert shelf.peak("video") == 188 * 5 * 8 / 2


@pytest.mark.parametrize("text", ["", "#EXTM3U\n#EXT-X-TARGETD"])
def test_a_cut_off_playlist_changes_nothing(tmp_path: Path, text: str) -> None:
    """Zero bytes, or the beginning of one."""
    shelf = SegmentShelf(tmp_path, target=2, window=10)
    shelf.begin_run(packaging(tmp_path, "r1"))
    write(tmp_path, "r1", range(2))
    shelf.collect()
    before = shelf.renditions["video"].render()
    (tmp_path / "r1_video.m3u8").write_text(text)
    assert shelf.collect() == 0
    assert shelf.renditions["video"].render() == before


def test_files_outlive_their_place_in_the_window(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A player with an older playlist still gets them for a while; later they are gone."""
    now = 100.0
    monkeypatch.setattr("headwater.pipelines.hls_segments.time.monotonic", lambda: now)
    shelf = SegmentShelf(tmp_path, target=2, window=3)
    shelf.begin_run(packaging(tmp_path, "r1"))
    write(tmp_path, "r1", range(5))
    shelf.collect()
    assert names(shelf) == ["r102", "r103", "r104"]
    first = shelf.file("r1_video_00000.ts")
    assert first is not None
    assert first.exists()
    now += 7
    shelf.tidy()
    assert shelf.file("r1_video_00000.ts") is None
    assert not first.exists()
    assert len(list(tmp_path.glob("*.ts"))) == 3


@pytest.mark.parametrize(
    ("codec", "container", "copied"),
    [
        ("H264", "ts", True),
        ("VP8", "ts", False),
        ("VP9", "ts", False),
        ("VP9", "cmaf", False),
        ("VP8", "cmaf", False),
        ("AV1", "cmaf", True),
    ],
)
def test_only_what_must_be_is_transcoded(tmp_path: Path, codec: str, container: str, copied: bool) -> None:
    """H264 goes through; the others where the container holds them."""
    asked = Packaging(tmp_path / "x.sdp", "r1", [Picture("video", codec)], None, container)  # type: ignore[arg-type]
    command = arguments(asked)
    assert (command[command.index("-c:v") + 1] == "copy") is copied
