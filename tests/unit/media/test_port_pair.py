"""PortPair: held until released, never given twice, and it sees when somebody has taken it."""

from __future__ import annotations

import socket

import pytest

from headwater import PortPair


def bound(port: int) -> socket.socket:
    """Bind a UDP port."""
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        one.bind(("127.0.0.1", port))
    except OSError:
        one.close()
        raise
    return one


def test_a_pair_is_held_until_it_is_released() -> None:
    """RTP is even, RTCP is right behind it, and both are taken until the program is to start."""
    with PortPair.reserve() as ports:
        assert (ports.port % 2, ports.rtcp_port) == (0, ports.port + 1)
        for port in (ports.port, ports.rtcp_port):
            with pytest.raises(OSError, match="in use"):
                bound(port)
        assert not ports.is_bound()
        ports.release()
        ports.release()
        bound(ports.port).close()


def test_no_pair_is_given_twice() -> None:
    """A pair that was released and not yet bound belongs to its program still."""
    pairs = [PortPair.reserve() for _ in range(200)]
    for pair in pairs:
        pair.release()
    pairs += [PortPair.reserve() for _ in range(200)]
    assert len({pair.port for pair in pairs}) == 400
    for pair in pairs:
        pair.close()
    assert not PortPair._taken


async def test_it_sees_when_the_program_listens() -> None:
    """Both ports must be bound; when they are not in time, that is said."""
    with PortPair.reserve() as ports:
        ports.release()
        with bound(ports.port):
            assert not await ports.wait_bound(0.1)
            with bound(ports.rtcp_port):
                assert await ports.wait_bound(5)
