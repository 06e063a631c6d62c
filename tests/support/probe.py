"""What ffprobe finds in a file or behind an address."""

from __future__ import annotations

import asyncio
import json
from typing import Any

__all__ = ["probe"]


async def probe(source: object, *options: str) -> dict[str, Any]:
    """Streams by kind; of several of a kind the last.

    Args:
        source: A path or URL.
        options: Further arguments.

    Raises:
        AssertionError: Ffprobe complains of anything.
    """
    process = await asyncio.create_subprocess_exec(
        *("ffprobe", "-v", "error", "-show_streams", "-of", "json", *options, str(source)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, err.decode()
    assert not err, err.decode()
    return {stream["codec_type"]: stream for stream in json.loads(out)["streams"]}
