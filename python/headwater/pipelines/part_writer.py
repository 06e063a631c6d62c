"""The child that writes low-latency HLS: sealed RTP in, parts of fragmented MP4 out.

``python -m headwater.pipelines.part_writer JOB`` with a `PartJob` in JSON. libavformat receives, opens and
depacketizes; pictures and sound go through as they are where fragmented MP4 holds them. Every file is written
aside and renamed, and reported on standard output when it is whole. It ends by itself when its input has
become something else than what it began with: whoever watches it begins anew, with a discontinuity.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import msgspec
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream

from headwater.pipelines.part_cutter import Cut, PartCutter, Sample
from headwater.pipelines.part_job import PartDone, PartJob, PartRendition, PartReport, SegmentDone
from headwater.pipelines.part_muxer import PartMuxer

__all__ = ["main"]


def main() -> None:
    """Write until killed."""
    job = msgspec.json.decode(sys.argv[1], type=PartJob)
    av.logging.set_level(av.logging.ERROR)
    av.logging.restore_default_callback()
    with av.open(job.sdp, "r", format="sdp", options=_INPUT) as source:
        run(job, source)


def run(job: PartJob, source: InputContainer) -> None:
    """Write what comes from a source, until it ends."""
    audio = source.streams.audio[0] if job.sound else None
    writers = [_RenditionWriter(job, one, source, audio) for one in job.renditions]
    clock = _Clock()
    tracks = {stream.index: _Track() for stream in source.streams}
    for packet in source.demux():
        if packet.pts is None or packet.is_corrupt:
            continue
        sample = tracks[packet.stream_index].sample(packet, clock)
        if sample is not None:
            for writer in writers:
                writer.take(sample, packet.stream, clock)


class _Clock:
    """One zero for all tracks, and what time it was then."""

    def __init__(self) -> None:
        self._zero: float | None = None
        self._epoch = 0.0

    def since(self, seconds: float) -> float:
        """Seconds since a little before the first sample."""
        if self._zero is None:
            self._zero = seconds - _LEAD
            self._epoch = time.time() - _LEAD
        return seconds - self._zero

    def note(self, at: float) -> None:
        """Something was received: nothing arrives before it was made, so the earliest is right."""
        self._epoch += max(-_SLEW, min(_SLEW, time.time() - at - self._epoch))

    def wall(self, at: float) -> float:
        """The wall-clock time of a sample, in seconds."""
        return self._epoch + at


class _Track:
    """The packets of one m-line, on their way to becoming samples."""

    def __init__(self) -> None:
        self._last: float | None = None
        self._length = 0.0

    def sample(self, packet: Packet[Stream], clock: _Clock) -> Sample | None:
        assert packet.pts is not None
        assert packet.time_base is not None
        video = packet.stream.type == "video"
        at = clock.since(float(packet.pts * packet.time_base))
        if self._last is not None:
            step = at - self._last
            if not -_JUMP < step < _JUMP:
                raise SystemExit(f"timestamps jump by {step:.1f} s")
            if step <= 0 and not video:
                return None  # where sender reports move it back: heard already
            at = max(at, self._last + _LEAST)
            self._length = min(at - self._last, _LONGEST_GUESS)
        self._last = at
        length = self._length or (_PICTURE if video else _SOUND)
        if video:
            clock.note(at)
        return Sample(at, length, video, packet.is_keyframe, packet)


class _RenditionWriter:
    """The files of one rendition."""

    def __init__(
        self, job: PartJob, rendition: PartRendition, source: InputContainer, audio: Stream | None
    ) -> None:
        self._name = rendition.name
        self._prefix = f"{job.prefix}_{rendition.name}"
        video = None if rendition.picture is None else source.streams.video[rendition.picture]
        self._streams = [stream for stream in (video, audio) if stream is not None]
        self._indexes = {stream.index: place for place, stream in enumerate(self._streams)}
        self._muxer = PartMuxer(self._streams)
        self._cutter = PartCutter(
            part_seconds=job.part_seconds, segment_seconds=job.segment_seconds, pictures=video is not None
        )
        self._parts = self._segments = self._inits = 0
        self._init = b""
        self._segment: list[bytes] = []
        self._segment_seconds = 0.0

    def take(self, sample: Sample, stream: Stream, clock: _Clock) -> None:
        """Take a sample if it is of this rendition."""
        if stream.index not in self._indexes:
            return
        cut = self._cutter.add(sample)
        if cut is not None:
            self._write(cut, clock)

    def _write(self, cut: Cut, clock: _Clock) -> None:
        muxed = self._muxer.write(list(self._packets(cut)))
        if muxed.init != self._init:
            self._init = muxed.init
            self._inits += 1
            _put(self._init_name, muxed.init)
        name = self._part_name
        self._parts += 1
        _put(name, muxed.fragment)
        self._segment.append(muxed.fragment)
        self._segment_seconds += cut.duration
        begins = clock.wall(cut.begins) if cut.first else None
        _report(
            PartDone(
                self._name, name, cut.duration, cut.independent, self._part_name, self._init_name, begins
            )
        )
        if cut.last:
            self._end_segment()

    def _packets(self, cut: Cut) -> Iterator[tuple[int, Packet[Stream]]]:
        """Packets with times of ours, in order of time, as a muxer wants them."""
        until = cut.until
        rows: list[tuple[float, int, Packet[Stream]]] = []
        for sample in reversed(cut.samples):
            packet: Packet[Stream] = Packet(bytes(sample.data))
            rate = _PICTURE_RATE if sample.video else _SOUND_RATE
            packet.time_base = Fraction(1, rate)
            packet.pts = packet.dts = round(sample.at * rate)
            length = sample.length
            if sample.video:
                length, until = max(until - sample.at, _LEAST), sample.at
            packet.duration = round(length * rate)
            packet.is_keyframe = sample.key
            rows.append((sample.at, self._indexes[sample.data.stream_index], packet))
        rows.sort(key=lambda row: row[0])
        for _, place, packet in rows:
            yield place, packet

    def _end_segment(self) -> None:
        name = f"{self._prefix}_{self._segments:05d}.m4s"
        _put(name, b"".join(self._segment))
        _report(SegmentDone(self._name, name, self._segment_seconds))
        self._segments += 1
        self._segment, self._segment_seconds = [], 0.0

    @property
    def _part_name(self) -> str:
        """Of the next part; it does not depend on where segments end, so that it can be told before."""
        return f"{self._prefix}_p{self._parts:06d}.m4s"

    @property
    def _init_name(self) -> str:
        return f"{self._prefix}_{self._inits}.mp4"


def _put(name: str, data: bytes) -> None:
    """Write a file that nobody sees before it is whole."""
    aside = Path(f"{name}.aside")
    aside.write_bytes(data)
    os.replace(aside, name)


def _report(report: PartReport) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(report) + b"\n")
    sys.stdout.buffer.flush()


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
"""Seconds that tracks which begin a little earlier may lie before the first sample."""
_JUMP = 10.0
"""Seconds: what jumps further is no longer the same stream."""
_LEAST = 0.001
_LONGEST_GUESS = 0.5
_PICTURE = 1 / 30
_SOUND = 0.02
"""Seconds that the first of a kind is thought to last."""
_SLEW = 0.0005
"""Seconds by which a picture may move the wall clock."""
_PICTURE_RATE = 90_000
_SOUND_RATE = 48_000

if __name__ == "__main__":
    main()
