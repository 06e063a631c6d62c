"""What DTLS looked like on the wire: a packet socket on the loopback device of the test's network.

All traffic between the addresses of one machine passes through `lo`. Handshake messages are in the
clear until the keys are agreed, so ClientHello and ServerHello can be read: whether a hello came in
fragments (RFC 6347 4.2.3), in how many datagrams, and what it asked for or chose.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

__all__ = ["CLIENT_HELLO", "SERVER_HELLO", "DtlsCapture", "Hello"]

CLIENT_HELLO, SERVER_HELLO = 1, 2
_HANDSHAKE = 22
_ETH_P_IP = 0x0800
_USE_SRTP = 14
_SO_RCVBUFFORCE = 33


@dataclass
class Hello:
    """One hello, put together from its fragments."""

    kind: int
    source_port: int
    length: int
    datagrams: int = 0
    fragments: dict[int, bytes] = field(default_factory=dict)

    @property
    def body(self) -> bytes | None:
        """The whole message, or None while parts are missing."""
        out = bytearray()
        for offset in sorted(self.fragments):
            if offset > len(out):
                return None
            out[offset:] = self.fragments[offset]
        return bytes(out) if len(out) == self.length else None

    def srtp_profiles(self) -> list[int]:
        """Values of the use_srtp extension (RFC 5764 4.1.1): offered ones, or the one chosen."""
        body = self.body
        assert body is not None, "hello is incomplete"
        at = 34  # version, random
        at += 1 + body[at]  # session id
        if self.kind == CLIENT_HELLO:
            at += 1 + body[at]  # cookie
            at += 2 + int.from_bytes(body[at : at + 2])  # cipher suites
            at += 1 + body[at]  # compression methods
        else:
            at += 3
        end = at + 2 + int.from_bytes(body[at : at + 2])
        at += 2
        while at + 4 <= end:
            kind, size = struct.unpack_from(">HH", body, at)
            if kind == _USE_SRTP:
                count = int.from_bytes(body[at + 4 : at + 6]) // 2
                return list(struct.unpack_from(f">{count}H", body, at + 6))
            at += 4 + size
        return []


class DtlsCapture:
    """Collects the hellos of one UDP port."""

    def __init__(self, sock: socket.socket, port: int) -> None:
        self._socket = sock
        self._port = port

    @classmethod
    @contextlib.contextmanager
    def on(cls, port: int) -> Iterator[DtlsCapture]:
        """Start capturing what passes `port`; needs CAP_NET_RAW."""
        with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_P_IP)) as sock:
            # Everything waits in the socket until it is read: room for seconds of a call.
            sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 64 * 1024 * 1024)
            sock.bind(("lo", _ETH_P_IP))
            sock.setblocking(False)
            yield cls(sock, port)

    def hellos(self) -> list[Hello]:
        """Every hello since the start, retransmissions merged, in order of appearance."""
        found: dict[tuple[int, int, int, int], Hello] = {}
        for source, payload in self._datagrams():
            for kind, sequence, length, offset, body in _handshake_fragments(payload):
                if kind not in (CLIENT_HELLO, SERVER_HELLO):
                    continue
                hello = found.setdefault((source, kind, sequence, length), Hello(kind, source, length))
                if offset not in hello.fragments:
                    hello.fragments[offset] = body
                    hello.datagrams += 1
        return list(found.values())

    def _datagrams(self) -> Iterator[tuple[int, bytes]]:
        while True:
            try:
                packet, address = self._socket.recvfrom(65_535)
            except BlockingIOError:
                return
            header = (packet[0] & 15) * 4
            if address[2] == socket.PACKET_OUTGOING or packet[9] != socket.IPPROTO_UDP:
                continue
            source, target = struct.unpack_from(">HH", packet, header)
            if self._port in (source, target):
                yield source, packet[header + 8 :]


def _handshake_fragments(datagram: bytes) -> Iterator[tuple[int, int, int, int, bytes]]:
    """(message type, sequence, length, fragment offset, fragment) of the plaintext records."""
    at = 0
    while at + 25 <= len(datagram) and datagram[at] == _HANDSHAKE and datagram[at + 1] == 0xFE:
        epoch = int.from_bytes(datagram[at + 3 : at + 5])
        end = at + 13 + int.from_bytes(datagram[at + 11 : at + 13])
        if epoch:
            return
        inner = at + 13
        while inner + 12 <= end:
            head = datagram[inner : inner + 12]
            size = int.from_bytes(head[9:12])
            yield (
                head[0],
                int.from_bytes(head[4:6]),
                int.from_bytes(head[1:4]),
                int.from_bytes(head[6:9]),
                datagram[inner + 12 : inner + 12 + size],
            )
            inner += 12 + size
        at = end
