"""The child that writes low-latency HLS: sealed RTP in, parts of fragmented MP4 out.

``python -m headwater.pipelines.part_writer JOB`` with a `PartJob` in JSON. libavformat receives, opens and
depacketizes; pictures and sound go through as they are where fragmented MP4 holds them. Every file is written
aside and renamed, and reported on standard output when it is whole. It ends by itself when its input has
become something else than what it began with: whoever watches it begins anew, with a discontinuity.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import msgspec
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream

from headwater.pipelines.part_cutter import Cut, PartCutter, Sample
from headwater.pipelines.part_encoder import PictureEncoder
from headwater.pipelines.part_job import PartDone, PartJob, PartRendition, PartReport, SegmentDone
from headwater.pipelines.part_muxer import PartMuxer
from headwater.pipelines.part_parameters import Parameters, ParameterSets
from headwater.pipelines.part_source import Clock, open_source, samples_of
from headwater.pipelines.part_thumbnail import Thumbnail

__all__ = ["main"]


def main() -> None:
    """Write until killed."""
    job = msgspec.json.decode(sys.argv[1], type=PartJob)
    av.logging.set_level(av.logging.ERROR)
    av.logging.restore_default_callback()
    with open_source(job.sdp) as source:
        write(job, source)


def write(job: PartJob, source: InputContainer) -> None:
    """Write what comes, until it ends."""
    clock = Clock()
    writers = [_RenditionWriter(job, one, source, clock) for one in job.renditions]
    thumbnail = Thumbnail(Path(job.thumbnail)) if job.thumbnail else None
    shown = source.streams.video[0] if thumbnail else None
    for stream, sample in samples_of(source, clock):
        for writer in writers:
            writer.take(stream, sample)
        if thumbnail and stream is shown:
            thumbnail.take(sample, stream.codec_context.name)


class _RenditionWriter:
    """One rendition: its pictures, encoded again if they must be, and the sound, in parts."""

    def __init__(self, job: PartJob, rendition: PartRendition, source: InputContainer, clock: Clock) -> None:
        self._video = None if rendition.picture is None else source.streams.video[rendition.picture]
        self._audio = source.streams.audio[0] if job.sound else None
        self._encoder = self._parameters = None
        if self._video is not None and rendition.height:
            self._encoder = PictureEncoder(self._video, rendition, job.segment_seconds)
        elif self._video is not None:
            self._parameters = ParameterSets(self._video)
        self._cutter = PartCutter(
            part_seconds=job.part_seconds,
            segment_seconds=job.segment_seconds,
            pictures=self._video is not None,
        )
        self._muxer: PartMuxer | None = None
        self._files = _Files(job.prefix, rendition.name, clock)

    def take(self, stream: Stream, sample: Sample) -> None:
        """Take a sample of any m-line."""
        if stream is self._audio:
            self._add(sample)
        elif stream is self._video and self._encoder is not None:
            for encoded in self._encoder.encode(sample):
                self._add(encoded)
        elif stream is self._video:
            assert self._parameters is not None, "where nothing is encoded"
            changed = self._parameters.changed(sample.data) if sample.key else None
            self._add(replace(sample, renewed=True) if changed else sample, changed)

    def _add(self, sample: Sample, changed: Parameters | None = None) -> None:
        for cut in self._cutter.add(sample):
            muxed = self._mux().write(list(_packets(cut)))
            self._files.put(cut, muxed.init, muxed.fragment)
        if changed is not None:
            self._mux().renew(changed.extradata, changed.width, changed.height)

    def _mux(self) -> PartMuxer:
        if self._muxer is None:
            pictures = self._encoder.template if self._encoder else self._video
            self._muxer = PartMuxer({True: pictures, False: self._audio})
        return self._muxer


class _Files:
    """The files of one rendition, in the working directory."""

    def __init__(self, prefix: str, rendition: str, clock: Clock) -> None:
        self._rendition = rendition
        self._prefix = f"{prefix}_{rendition}"
        self._clock = clock
        self._parts = self._segments = self._inits = 0
        self._init = b""
        self._fragments: list[bytes] = []
        self._seconds = 0.0

    def put(self, cut: Cut, init: bytes, fragment: bytes) -> None:
        """Write a part, what it needs before it, and the segment that it ends."""
        if init != self._init:
            self._init = init
            self._inits += 1
            _put(self._init_name, init)
        name = self._part_name
        _put(name, fragment)
        self._parts += 1
        begins = self._clock.wall(cut.begins) if cut.first else None
        _report(
            PartDone(
                rendition=self._rendition,
                uri=name,
                duration=cut.duration,
                independent=cut.independent,
                following=self._part_name,
                init=self._init_name,
                begins=begins,
            )
        )
        self._fragments.append(fragment)
        self._seconds += cut.duration
        if cut.last:
            self._put_segment()

    def _put_segment(self) -> None:
        name = f"{self._prefix}_{self._segments:05d}.m4s"
        _put(name, b"".join(self._fragments))
        _report(SegmentDone(self._rendition, name, self._seconds))
        self._segments += 1
        self._fragments, self._seconds = [], 0.0

    @property
    def _part_name(self) -> str:
        """Of the next part; it does not depend on where segments end, so that it can be told before."""
        return f"{self._prefix}_p{self._parts:06d}.m4s"

    @property
    def _init_name(self) -> str:
        return f"{self._prefix}_{self._inits}.mp4"


def _packets(cut: Cut) -> Iterator[tuple[bool, Packet[Stream]]]:
    """Whether each is a picture, and the packet with times of ours, in order of time."""
    until = cut.until
    rows: list[tuple[float, bool, Packet[Stream]]] = []
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
        rows.append((sample.at, sample.video, packet))
    rows.sort(key=lambda row: row[0])
    for _, video, packet in rows:
        yield video, packet


def _put(name: str, data: bytes) -> None:
    """Write a file that nobody sees before it is whole."""
    aside = Path(f"{name}.aside")
    aside.write_bytes(data)
    os.replace(aside, name)


def _report(report: PartReport) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(report) + b"\n")
    sys.stdout.buffer.flush()


_PICTURE_RATE = 90_000
_SOUND_RATE = 48_000
_LEAST = 0.001

if __name__ == "__main__":
    main()
