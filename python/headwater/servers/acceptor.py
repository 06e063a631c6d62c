"""The one TCP port: pages, signalling and, for networks without UDP, media.

A connection is looked at before anybody reads from it (``MSG_PEEK``), so whoever gets it finds it as it
came. Its first byte says what it is to be:

| first byte | goes to |
|---|---|
| 22 (a TLS record) or a printable character (HTTP) | the web server |
| 0 or 1 (the length of a frame that holds a STUN check) | once the frame is whole, a media thread |
| anything else | nobody: closed without a word |

A stranger can hold back its first byte, or the rest of its frame. So there is a time limit, and a limit
to how many may be undecided at once: the oldest makes room for the newest.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import errno
import socket
import ssl
from collections.abc import Callable, Sequence

from headwater.servers import http
from headwater.telemetry import get_logger

__all__ = ["MAX_UNDECIDED", "Acceptor", "Kind", "classify"]

_log = get_logger(__name__)

MAX_UNDECIDED = 1024
"""Connections that may wait for their first bytes."""
FRAME_SECONDS = 4.0
"""How long the first frame of a media connection may take from its first byte."""
_HEAD = 2
_STUN_HEADER = 20
_COOKIE = bytes.fromhex("2112a442")
_MAX_CHECK = 511
"""No check of a browser is half as long (RFC 8445 section 7.1); it keeps the first byte at 0 or 1."""
_TLS_RECORD = 22
_ACCEPTS_PER_TURN = 64
_BREATHER_SECONDS = 1.0


class Kind(enum.Enum):
    """What a connection is to be."""

    WEB = "web"
    MEDIA = "media"
    STRANGER = "stranger"
    UNDECIDED = "undecided"


def classify(head: bytes) -> tuple[Kind, int]:
    """Say what a connection is that begins with these bytes, and how many it takes to say more.

    Args:
        head: The first bytes; what follows a whole frame does not matter.
    """
    if not head:
        return Kind.UNDECIDED, 1
    if head[0] == _TLS_RECORD or 32 <= head[0] < 127 or head[0] in b"\r\n":
        return Kind.WEB, 0
    if head[0] > _MAX_CHECK >> 8:
        return Kind.STRANGER, 0
    if len(head) < _HEAD:
        return Kind.UNDECIDED, _HEAD
    size = int.from_bytes(head[:_HEAD])
    if size < _STUN_HEADER or (len(head) > _HEAD and head[_HEAD] > 3):
        return Kind.STRANGER, 0
    if len(head) >= _HEAD + 8 and head[_HEAD + 4 : _HEAD + 8] != _COOKIE:
        return Kind.STRANGER, 0
    if len(head) < _HEAD + size:
        return Kind.UNDECIDED, _HEAD + size
    return Kind.MEDIA, size


class Acceptor:
    """Accepts on listeners and gives each connection to whom it belongs. uvicorn closes it as a server.

    Args:
        sockets: The bound listeners; whoever made them closes them.
        serve: Makes the protocol of a web connection.
        tls: What web connections are wrapped in.
        adopt: Takes over a media connection, given its first frame; false when it is nobody's.
        backlog: Connections that the kernel may hold for us.
    """

    def __init__(
        self,
        sockets: Sequence[socket.socket],
        *,
        serve: Callable[[], asyncio.Protocol],
        tls: ssl.SSLContext | None,
        adopt: Callable[[socket.socket, bytes], bool],
        backlog: int = 2048,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._sockets = list(sockets)
        self._serve = serve
        self._tls = tls
        self._adopt = adopt
        self._undecided: dict[_Newcomer, None] = {}
        self._handshakes: set[asyncio.Task[None]] = set()
        self._closed = False
        for sock in self._sockets:
            sock.setblocking(False)
            sock.listen(backlog)
            self._loop.add_reader(sock.fileno(), self._accept, sock)

    @property
    def undecided(self) -> int:
        """Connections that have not said yet what they are."""
        return len(self._undecided)

    def close(self) -> None:
        """Stop accepting and let the undecided go; connections that were given away go on."""
        if self._closed:
            return
        self._closed = True
        for sock in self._sockets:
            self._loop.remove_reader(sock.fileno())
        for newcomer in list(self._undecided):
            self._let_go(newcomer)
        for handshake in self._handshakes:
            handshake.cancel()

    async def wait_closed(self) -> None:
        """Wait for the handshakes that `close` has ended."""
        await asyncio.gather(*self._handshakes, return_exceptions=True)

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(_ACCEPTS_PER_TURN):
            try:
                sock, _address = listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                self._breathe(listener, error)
                return
            sock.setblocking(False)
            if len(self._undecided) >= MAX_UNDECIDED:
                self._let_go(next(iter(self._undecided)))
            newcomer = _Newcomer(sock)
            self._undecided[newcomer] = None
            newcomer.deadline = self._loop.call_later(http.HEAD_SECONDS, self._let_go, newcomer)
            self._loop.add_reader(newcomer.descriptor, self._look, newcomer)

    def _breathe(self, listener: socket.socket, error: OSError) -> None:
        """Out of descriptors or memory: try again in a moment instead of at once."""
        if error.errno not in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
            raise error
        _log.warning("cannot accept connections now", reason=error.strerror)
        self._loop.remove_reader(listener.fileno())
        self._loop.call_later(_BREATHER_SECONDS, self._resume, listener)

    def _resume(self, listener: socket.socket) -> None:
        if not self._closed:
            self._loop.add_reader(listener.fileno(), self._accept, listener)

    def _look(self, newcomer: _Newcomer) -> None:
        try:
            head = newcomer.sock.recv(_HEAD + _MAX_CHECK, socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            head = b""
        kind, wanted = classify(head)
        if kind is Kind.UNDECIDED and len(head) > newcomer.seen:
            self._wait_for(newcomer, len(head), wanted)
            return
        self._decide(newcomer)
        if kind is Kind.WEB:
            handshake = self._loop.create_task(self._give_to_web(newcomer.sock))
            self._handshakes.add(handshake)
            handshake.add_done_callback(self._handshakes.discard)
        elif kind is Kind.MEDIA:
            self._adopt(newcomer.sock, head[_HEAD : _HEAD + wanted])
        else:  # a stranger, or one that has ended before it said what it is
            newcomer.sock.close()

    def _wait_for(self, newcomer: _Newcomer, seen: int, wanted: int) -> None:
        """Be called again when there is enough to decide, not for each byte of it."""
        if newcomer.seen == 0:
            newcomer.deadline.cancel()
            newcomer.deadline = self._loop.call_later(FRAME_SECONDS, self._let_go, newcomer)
        newcomer.seen = seen
        newcomer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, wanted)

    async def _give_to_web(self, sock: socket.socket) -> None:
        timeout = http.HEAD_SECONDS if self._tls else None
        with contextlib.suppress(OSError):  # it failed the handshake, or has gone
            await self._loop.connect_accepted_socket(
                self._serve, sock, ssl=self._tls, ssl_handshake_timeout=timeout
            )

    def _decide(self, newcomer: _Newcomer) -> None:
        del self._undecided[newcomer]
        newcomer.deadline.cancel()
        self._loop.remove_reader(newcomer.descriptor)
        if newcomer.seen:
            newcomer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)

    def _let_go(self, newcomer: _Newcomer) -> None:
        self._decide(newcomer)
        newcomer.sock.close()


class _Newcomer:
    """A connection that has not said yet what it is."""

    __slots__ = ("deadline", "descriptor", "seen", "sock")

    deadline: asyncio.TimerHandle

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.descriptor = sock.fileno()
        self.seen = 0
