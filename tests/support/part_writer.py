"""The child that writes parts, without media: its files and its reports."""

from __future__ import annotations

from pathlib import Path

import msgspec

from headwater.pipelines.hls_command import Packaging, Picture
from headwater.pipelines.hls_parts import PartShelf
from headwater.pipelines.part_job import PartDone, PartReport, SegmentDone

__all__ = ["PIECE", "Writer"]

PIECE = b"\x00\x00\x00\x08moof\x00\x00\x00\x0cmdatabcd"
"""What looks like a part."""


class Writer:
    """What the child would do: files first, then a report."""

    def __init__(
        self, shelf: PartShelf, folder: Path, prefix: str, names: tuple[str, ...] = ("video",)
    ) -> None:
        self.shelf, self.folder, self.prefix = shelf, folder, prefix
        self.parts = self.segments = 0
        shelf.begin_run(
            Packaging(folder / "x.sdp", prefix, [Picture(n, "H264") for n in names], "opus", "cmaf")
        )

    def part(self, *, first: bool = False, data: bytes = PIECE) -> str:
        name, following = (f"{self.prefix}_video_p{self.parts + more}.m4s" for more in (0, 1))
        self.parts += 1
        (self.folder / name).write_bytes(data)
        begins = 1_700_000_000.0 + self.parts if first else None
        self._report(PartDone("video", name, 0.33, first, following, f"{self.prefix}_video_1.mp4", begins))
        return name

    def segment(self, parts: int = 6) -> str:
        """What was written since the last one is a segment now."""
        name = f"{self.prefix}_video_{self.segments:05d}.m4s"
        self.segments += 1
        (self.folder / name).write_bytes(PIECE * parts)
        self._report(SegmentDone("video", name, 0.33 * parts))
        return name

    def whole(self) -> None:
        for index in range(6):
            self.part(first=index == 0)
        self.segment()

    def _report(self, report: PartReport) -> None:
        self.shelf.heard(msgspec.json.encode(report).decode())
