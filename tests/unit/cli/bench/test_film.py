"""A film cut into RTP payloads: put together again it is the stream that it was."""

from __future__ import annotations

import struct

import pytest

from headwater.cli.bench.film import ogg_packets, pictures_of_h264, pictures_of_ivf

_SETS = [b"\x67sps", b"\x68pps"]
_DELIMITER = b"\x09\xf0"


def annex_b(*units: bytes) -> bytes:
    return b"".join(b"\0\0\0\1" + unit for unit in units)


def test_h264_of_each_size() -> None:
    """Parameter sets in one packet, a small slice as it is, a large one in even fragments."""
    large, small = b"\x65" + bytes(range(1, 256)) * 12, b"\x41small"
    key, other = pictures_of_h264(annex_b(_DELIMITER, *_SETS, large, _DELIMITER, small))
    assert (key.key, other.key) == (True, False)
    assert list(other.payloads) == [small]
    sets, *fragments = key.payloads
    assert sets == b"\x78\x00\x04" + _SETS[0] + b"\x00\x04" + _SETS[1]
    assert all(piece[0] == 0x7C and piece[1] & 0x1F == 5 for piece in fragments)
    assert [piece[1] >> 6 for piece in fragments] == [0b10, 0b00, 0b01]
    assert b"\x65" + b"".join(piece[2:] for piece in fragments) == large
    sizes = [len(piece) for piece in fragments]
    assert max(sizes) <= 1150
    assert max(sizes) - min(sizes) <= 1


def test_vp8_in_even_pieces() -> None:
    """The lowest bit of the first byte says what a frame is (RFC 6386 section 9.1)."""
    frames = [b"\x10" + bytes(3000), b"\x11" + bytes(10)]
    head = b"DKIF" + struct.pack("<HH", 0, 32) + b"VP80" + bytes(20)
    stream = head + b"".join(struct.pack("<IQ", len(one), 0) + one for one in frames)
    key, other = pictures_of_ivf(stream)
    assert (key.key, other.key) == (True, False)
    assert [b"".join(one.payloads) for one in (key, other)] == frames
    assert [len(piece) for piece in key.payloads] == [1000, 1000, 1001]


@pytest.mark.parametrize("length", [10, 254, 255, 256, 510])
def test_opus_from_ogg(length: int) -> None:
    """Packets of any length, also where the lacing says 255; one goes on in the next page."""
    packet = bytes([length % 251]) * length
    whole = [b"OpusHead" + bytes(11), b"OpusTags" + bytes(8), packet, packet]
    laced = [size for one in whole for size in [255] * (len(one) // 255) + [len(one) % 255]]
    body = b"".join(whole)
    cut = len(laced) - 1
    first = sum(laced[:cut])
    pages = [(laced[:cut], body[:first]), (laced[cut:], body[first:])]
    stream = b"".join(
        b"OggS" + bytes(22) + bytes([len(lengths)]) + bytes(lengths) + content for lengths, content in pages
    )
    assert ogg_packets(stream) == [packet, packet]
