"""What ffprobe finds in a file or behind an address."""

from __future__ import annotations

import asyncio
import json
from typing import Any

__all__ = ["pictures", "probe"]


async def probe(source: object, *options: str) -> dict[str, Any]:
    """Streams by kind; of several of a kind the last.

    Args:
        source: A path or URL.
        options: Further arguments.

    Raises:
        AssertionError: Ffprobe complains of anything.
    """
    streams = (await _asked(source, "-show_streams", *options))["streams"]
    return {stream["codec_type"]: stream for stream in streams}


async def pictures(source: object) -> list[tuple[float, bool]]:
    """When each picture is shown, in seconds, and whether it is a key frame; as they are stored.

    Args:
        source: A path or URL.

    Raises:
        AssertionError: Ffprobe complains of anything.
    """
    entries = ("-select_streams", "v:0", "-show_entries", "packet=pts_time,flags")
    packets = (await _asked(source, *entries))["packets"]
    return [(float(packet["pts_time"]), "K" in packet["flags"]) for packet in packets]


async def _asked(source: object, *options: str) -> Any:
    process = await asyncio.create_subprocess_exec(
        *("ffprobe", "-v", "error", "-of", "json", *options, str(source)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, err.decode()
    assert not err, err.decode()
    return json.loads(out)
