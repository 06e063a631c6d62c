"""What the writer of parts is told; that it cannot run is said when the node starts."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import msgspec
import pytest

from headwater.config import HlsSettings
from headwater.errors import ConfigurationError
from headwater.pipelines import part_child
from headwater.pipelines.child import Child
from headwater.pipelines.hls_command import Packaging, Picture
from headwater.pipelines.part_job import PartJob


def told(*pictures: Picture, monkeypatch: pytest.MonkeyPatch) -> PartJob:
    """The job as the child reads it."""
    commands: list[list[str]] = []
    monkeypatch.setattr(Child, "run", lambda command, **_: commands.append(command))
    packaging = Packaging(Path("x.sdp"), "r1", pictures, "opus", "cmaf", height=480)
    part_child.run_part_writer(packaging, part_seconds=0.35, folder=Path(), report=bool)
    return msgspec.json.decode(commands[0][-1], type=PartJob)


@pytest.mark.parametrize(("codec", "height"), [("H264", 0), ("AV1", 0), ("VP9", 0), ("vp9", 0), ("VP8", 480)])
def test_only_vp8_is_encoded_again(monkeypatch: pytest.MonkeyPatch, codec: str, height: int) -> None:
    """Fragmented MP4 holds the others."""
    (rendition,) = told(Picture("video", codec), monkeypatch=monkeypatch).renditions
    assert rendition.height == height


def test_a_ladder_is_made_of_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its sizes are encoded where the sender's key frames are, beside what goes through."""
    small, whole = told(
        Picture("video0", "H264", 0, 640, 360), Picture("video1", "H264"), monkeypatch=monkeypatch
    ).renditions
    assert (small.picture, small.width, small.height, small.follow) == (0, 640, 360, True)
    assert small.bitrate < 3_000_000
    assert (whole.picture, whole.height) == (0, 0)


def test_sound_alone_has_no_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    """One rendition, of the only m-line."""
    (rendition,) = told(monkeypatch=monkeypatch).renditions
    assert (rendition.name, rendition.picture) == ("sound", None)


async def test_what_is_missing_is_said_at_the_start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With the command that mends it."""
    from headwater.servers.hls import HlsListener

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    listener = HlsListener(HlsSettings(low_latency=True), gate=None)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match=r"pip install headwater\[lowlatency\]"):
        listener.open(None, tmp_path)  # type: ignore[arg-type]
