"""What the tests expect to see and hear in a browser, each within a deadline.

`where` is always the text of a JavaScript function that returns a video element or an audio track.
"""

from __future__ import annotations

from typing import Any

from tests.support.browser import Page

__all__ = ["expect_marker", "expect_rows", "expect_tone"]


async def expect_marker(page: Page, where: str, number: int, *, timeout: float = 45.0) -> None:
    """The video shows marker `number`, and is alive.

    Raises:
        WaitTimeout: Another picture, none, or one that stands still.
    """
    seen = await page.until(
        f"(number) => {{ const m = kit.readMarker(({where})()); return m?.number === number && m; }}",
        number,
        what=f"marker {number:#x} in the picture",
        timeout=timeout,
    )
    await page.until(
        f"(number, step) => {{ const m = kit.readMarker(({where})());"
        " return m?.number === number && m.step !== step; }",
        number,
        seen["step"],
        what=f"marker {number:#x} alive",
        timeout=timeout,
    )


async def expect_tone(page: Page, where: str, frequency: float, *, timeout: float = 45.0) -> None:
    """The audio track carries a tone of `frequency` Hz (within 5 %).

    Raises:
        WaitTimeout: Silence, or another sound.
    """
    await page.until(
        f"async (wanted) => {{ const track = ({where})(); if (!track) return null;"
        " const heard = await kit.listen(track, 300);"
        " const right = heard.level > 0.02 && Math.abs(heard.frequency - wanted) < wanted * 0.05;"
        " if (!right) throw new Error(JSON.stringify(heard)); return heard; }",
        frequency,
        what=f"a tone of {frequency} Hz",
        timeout=timeout,
    )


async def expect_rows(
    page: Page, kind: str, condition: str, *, what: str, timeout: float = 45.0
) -> list[dict[str, Any]]:
    """Rows of getStats of type `kind`, over the page's connections, where `condition` (JS on `row`) holds.

    Raises:
        WaitTimeout: There was never such a row.
    """
    rows: list[dict[str, Any]] = await page.until(
        f"async (kind) => {{ const found = (await kit.rows(kind)).filter((row) => {condition});"
        " return found.length && found; }",
        kind,
        what=what,
        timeout=timeout,
    )
    return rows
