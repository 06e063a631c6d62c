"""Pictures and sounds that say who sent them, as files for Chromium's fake devices.

The layout of a marker is described in tests/e2e/driver/kit.js, which reads it back.
"""

from __future__ import annotations

import math
import struct
import subprocess
import wave
from pathlib import Path

import numpy as np

__all__ = ["marker_frame", "read_marker", "write_marker_video", "write_speech", "write_tone"]

_COLUMNS, _ROWS, _STEPS = 4, 3, 16


def _cells(number: int) -> list[int]:
    ones = number.bit_count() % 4
    return [1, *(number >> bit & 1 for bit in range(7, -1, -1)), ones >> 1, ones & 1, 0]


def marker_frame(number: int, step: int, width: int, height: int) -> np.ndarray:
    """One luma plane (height x width, video range) of marker `number` with its block at `step`."""
    luma = np.full((height, width), 16, dtype=np.uint8)
    cell_height = height * 7 // 8 // _ROWS
    cell_width = width // _COLUMNS
    for index, bit in enumerate(_cells(number)):
        top, left = index // _COLUMNS * cell_height, index % _COLUMNS * cell_width
        luma[top : top + cell_height, left : left + cell_width] = 235 if bit else 16
    left = step % _STEPS * width // _STEPS
    luma[height * 7 // 8 :, left : left + width // _STEPS] = 235
    return luma


def write_marker_video(
    path: Path, number: int, *, width: int = 640, height: int = 360, rate: int = 15
) -> Path:
    """Write a Y4M loop that shows marker `number` (0-255) with its block running."""
    chroma = bytes([128]) * (width * height // 2)
    with path.open("wb") as file:
        file.write(f"YUV4MPEG2 W{width} H{height} F{rate}:1 Ip A1:1 C420jpeg\n".encode())
        for step in range(_STEPS):
            file.write(b"FRAME\n" + marker_frame(number, step, width, height).tobytes() + chroma)
    return path


def write_tone(path: Path, frequency: float, *, seconds: float = 2.0, rate: int = 48_000) -> Path:
    """Write a sine of `frequency` Hz at half amplitude (mono, 16 bit)."""
    samples = (
        round(16_000 * math.sin(2 * math.pi * frequency * n / rate)) for n in range(round(seconds * rate))
    )
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(b"".join(struct.pack("<h", sample) for sample in samples))
    return path


def write_speech(path: Path, text: str) -> Path:
    """Write spoken `text`: noise suppression lets speech through and takes steady tones away."""
    subprocess.run(["espeak-ng", "-w", str(path), text], check=True, capture_output=True)
    return path


def read_marker(luma: np.ndarray) -> int | None:
    """The number of the marker in a luma plane, or None when there is none."""
    height, width = luma.shape
    cell_height, cell_width = height * 7 / 8 / _ROWS, width / _COLUMNS
    levels = []
    for index in range(_COLUMNS * _ROWS):
        top, left = index // _COLUMNS * cell_height, index % _COLUMNS * cell_width
        rows = slice(round(top + cell_height / 4), round(top + cell_height * 3 / 4))
        columns = slice(round(left + cell_width / 4), round(left + cell_width * 3 / 4))
        levels.append(float(luma[rows, columns].mean()))
    if levels[0] - levels[-1] < 60:
        return None
    bits = [int(level > (levels[0] + levels[-1]) / 2) for level in levels]
    number = int("".join(map(str, bits[1:9])), 2)
    return number if _cells(number) == bits else None
