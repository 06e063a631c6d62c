"""GStreamer of the system, through the example for it: it goes live by WHIP and watches by WHEP."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from headwater.app import Node
from tests.integration.server.conftest import settings
from tests.support.children import end_with_parent
from tests.support.markers import marker_frame, read_marker

pytestmark = pytest.mark.timeout(240)
_EXAMPLE = Path(__file__).resolve().parents[3] / "examples/gstreamer_whip.py"
_SYSTEM = "/usr/bin/python3"
"""GStreamer's bindings are packages of the system, for its own Python."""
_WIDTH, _HEIGHT, _NUMBER, _TONE = 320, 180, 0x4D, 880.0
_DEADLINE = 60.0


@pytest.mark.parametrize("codec", ["h264", "vp8"])
async def test_gstreamer_is_live_and_watches(tmp_path: Path, codec: str) -> None:
    """A picture and a tone arrive as they were sent; both ends say goodbye."""
    frames = tmp_path / "frames.yuv"
    chroma = bytes([128]) * (_WIDTH * _HEIGHT // 2)
    frames.write_bytes(
        b"".join(marker_frame(_NUMBER, step, _WIDTH, _HEIGHT).tobytes() + chroma for step in range(20))
    )
    async with Node(settings(tmp_path, dev=True, hls={"enabled": False}), allow_several=True) as node:
        channel = node.channels.open("", slug="friday-show")
        sent = ("--codec", codec, "--frames", str(frames), "--tone", str(_TONE))
        async with _gstreamer("send", f"{node.url}/whip/friday-show", *sent) as sender:
            await _until(sender, lambda told: told.get("state") == "connected")
            async with _gstreamer("watch", f"{node.url}/whep/friday-show", "--dump") as viewer:
                await _until(viewer, lambda told: _is_tone(told) if "audio" in told else False)
                await _until(viewer, lambda told: _is_marker(told) if "video" in told else False)
                assert (channel.state, channel.viewer_count) == ("live", 1)
            assert channel.viewer_count == 0
        assert channel.state == "ended"


def _is_marker(told: dict[str, Any]) -> bool:
    grey = np.frombuffer(base64.b64decode(told["video"]), np.uint8)
    width, height = told["width"], told["height"]
    return bool(read_marker(grey.reshape(height, -1)[:, :width]) == _NUMBER)


def _is_tone(told: dict[str, Any]) -> bool:
    """20 ms tell a tone to within 50 Hz."""
    wave = np.frombuffer(base64.b64decode(told["audio"]), np.int16).astype(float)
    spectrum = np.abs(np.fft.rfft(wave))
    loudest = int(spectrum[1:].argmax()) + 1
    return bool(wave.any()) and abs(loudest - _TONE * len(wave) / 48_000) <= 1


async def _until(process: asyncio.subprocess.Process, condition: Any) -> None:
    """Read what GStreamer tells until something holds."""
    assert process.stdout is not None
    other: list[dict[str, Any]] = []
    try:
        async with asyncio.timeout(_DEADLINE):
            async for line in process.stdout:
                told = json.loads(line)
                assert "error" not in told, told
                if condition(told):
                    return
                other.append({name: value if name == "state" else "…" for name, value in told.items()})
    except TimeoutError:
        raise AssertionError(f"not in {len(other)} lines: {other[:10]}") from None
    raise AssertionError(f"GStreamer ended: {other[-10:]}")


@contextlib.asynccontextmanager
async def _gstreamer(*arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *(_SYSTEM, str(_EXAMPLE), *arguments),
        stdout=asyncio.subprocess.PIPE,
        limit=1 << 20,
        preexec_fn=end_with_parent,
    )
    try:
        yield process
        process.terminate()
        await asyncio.wait_for(process.communicate(), 20)
        assert process.returncode == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
