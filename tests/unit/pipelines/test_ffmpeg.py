"""What FFmpeg reports of itself."""

from __future__ import annotations

import pytest

from headwater.pipelines.ffmpeg import Progress


@pytest.mark.parametrize("changed", ["frame=31", "out_time_us=1040000", None])
def test_a_report_without_progress_tells_of_no_work(changed: str | None) -> None:
    """FFmpeg 9 goes on to report while the threads that work have stopped."""
    report = ["frame=30", "fps=30.0", "out_time_us=1000000", "speed=1.0x", "progress=continue"]
    progress = Progress()
    assert [line for line in report if progress.heard(line)] == ["frame=30", "out_time_us=1000000"]
    later = [*report, "fps=29.5", *([changed] if changed else [])]
    assert [line for line in later if progress.heard(line)] == ([changed] if changed else [])
