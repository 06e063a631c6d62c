"""What the writer of parts receives: the packets of all m-lines on one timeline, each with its kind."""

from __future__ import annotations

import time
from collections.abc import Iterator

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream

from headwater.pipelines.part_cutter import Sample

__all__ = ["Clock", "open_source", "samples_of"]


def open_source(sdp: str) -> InputContainer:
    """Listen where an SDP file says, on loopback alone, and wait until it is known what comes."""
    return av.open(sdp, "r", format="sdp", options=_INPUT)


def samples_of(source: InputContainer, clock: Clock) -> Iterator[tuple[Stream, Sample]]:
    """All that comes, until it ends.

    Raises:
        SystemExit: Timestamps jump: it is no longer the same stream.
    """
    tracks = {stream.index: _Track(clock) for stream in source.streams}
    early: list[tuple[Stream, Sample]] = []
    asked = time.monotonic()
    for packet in source.demux():
        waited = time.monotonic() - asked
        sample = (
            None if packet.pts is None or packet.is_corrupt else tracks[packet.stream_index].sample(packet)
        )
        if sample is not None:
            early.append((packet.stream, sample))
            if not clock.runs and (waited > _WAITED or len(early) > _EARLY):
                clock.start(sample.at)
            if clock.runs:
                yield from early
                early.clear()
        asked = time.monotonic()


class Clock:
    """One zero for all m-lines, and what time it was then.

    What came while libavformat found out what it is comes at once and late. The clock therefore starts
    with the first sample that had to be waited for.
    """

    def __init__(self) -> None:
        self._zero: float | None = None
        self._epoch: float | None = None

    @property
    def runs(self) -> bool:
        """Whether it is known what time it is."""
        return self._epoch is not None

    def start(self, at: float) -> None:
        """A sample comes now."""
        self._epoch = time.time() - at

    def since(self, seconds: float) -> float:
        """Seconds since a little before the first sample."""
        if self._zero is None:
            self._zero = seconds - _LEAD
        return seconds - self._zero

    def note(self, at: float) -> None:
        """Something came: follow the sender's clock slowly, the network's moods hardly."""
        if self._epoch is not None:
            self._epoch += max(-_SLEW, min(_SLEW, time.time() - at - self._epoch))

    def wall(self, at: float) -> float:
        """The wall-clock time of a sample, in seconds."""
        assert self._epoch is not None, "nothing is handed on before it runs"
        return self._epoch + at


class _Track:
    """The packets of one m-line."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last: float | None = None
        self._length = 0.0

    def sample(self, packet: Packet[Stream]) -> Sample | None:
        """What a packet is; none when it cannot be used, or its time has passed already."""
        if packet.pts is None or packet.is_corrupt:
            return None
        video = packet.stream.type == "video"
        at = self._clock.since(float(packet.pts * packet.time_base))
        if self._last is not None:
            step = at - self._last
            if not -_JUMP < step < _JUMP:
                raise SystemExit(f"timestamps jump by {step:.1f} s")
            if step <= 0 and not video:
                return None  # where sender reports move it back: heard already
            at = max(at, self._last + _LEAST)
            self._length = min(at - self._last, _LONGEST_GUESS)
        self._last = at
        if video:
            self._clock.note(at)
        length = self._length or (_PICTURE if video else _SOUND)
        return Sample(at, length, video, _is_key(packet), packet)


def _is_key(packet: Packet[Stream]) -> bool:
    """Of VP9 by RTP no key frames are marked, so its own header is read (VP9 bitstream, section 6.2)."""
    if packet.stream.codec.name != "vp9":
        return packet.is_keyframe
    first = bytes(packet)[0] if packet.size else 0xFF
    reserved = first & 0x30 == 0x30  # profile 3 has one more bit before these
    shown_again, not_key = (first >> 2 & 1, first >> 1 & 1) if reserved else (first >> 3 & 1, first >> 2 & 1)
    return not shown_again and not not_key


_INPUT = {
    "protocol_whitelist": "file,udp,rtp,srtp",
    "localaddr": "127.0.0.1",
    "fflags": "+discardcorrupt",
    "analyzeduration": "2000000",
    "probesize": "2000000",
    "fpsprobesize": "0",
    "reorder_queue_size": "64",
    "max_delay": "150000",
}
_LEAD = 1.0
"""Seconds that m-lines which begin a little earlier may lie before the first sample."""
_JUMP = 10.0
"""Seconds: what jumps further is no longer the same stream."""
_LEAST = 0.001
_LONGEST_GUESS = 0.5
_PICTURE = 1 / 30
_SOUND = 0.02
"""Seconds that the first of a kind is thought to last."""
_WAITED = 0.005
"""Seconds: what is there already is read in less."""
_EARLY = 2000
"""Samples that are held until the clock runs, at most."""
_SLEW = 0.0005
"""Seconds by which a picture may move the wall clock."""
