"""A datagram finds its session on whichever thread's socket the kernel puts it."""

from __future__ import annotations

import re
import socket
import time
from dataclasses import dataclass
from typing import Any

from aioice import stun

from headwater._core import native
from tests.seam.conftest import DEADLINE, collect, open_worker, outcome

OFFER = """v=0\r
o=- 1 1 IN IP4 127.0.0.1\r
s=-\r
t=0 0\r
a=group:BUNDLE 0\r
m=audio 9 UDP/TLS/RTP/SAVPF 111\r
c=IN IP4 0.0.0.0\r
a=mid:0\r
a=sendonly\r
a=rtcp-mux\r
a=ice-ufrag:abcd\r
a=ice-pwd:abcdefghijklmnopqrstuvwx\r
a=fingerprint:sha-256 {fingerprint}\r
a=setup:actpass\r
a=rtpmap:111 opus/48000/2\r
a=msid:stream track\r
""".format(fingerprint=":".join(["AB"] * 32))


@dataclass(frozen=True)
class Credentials:
    """What the Worker's answer asks checks to carry."""

    ufrag: str
    password: str


def open_transport(worker: native.Worker, router: int) -> Credentials:
    """Let the Worker accept an offer."""
    transport = worker.allocate(router)
    outcome(worker, worker.create_publish_transport(router, transport, dtls="1.2"))
    reply: Any = outcome(worker, worker.accept_offer(transport, OFFER))
    assert isinstance(reply.value, native.AnswerReply), reply
    ufrag, password = (re.search(rf"a=ice-{name}:(\S+)", reply.value.sdp) for name in ("ufrag", "pwd"))
    assert ufrag
    assert password
    return Credentials(ufrag[1], password[1])


def check(credentials: Credentials, password: str | None = None) -> bytes:
    """An ICE connectivity check (RFC 8445 section 7.2.2)."""
    message = stun.Message(message_method=stun.Method.BINDING, message_class=stun.Class.REQUEST)
    message.attributes["USERNAME"] = f"{credentials.ufrag}:abcd"
    message.attributes["PRIORITY"] = 1
    message.attributes["ICE-CONTROLLING"] = 1
    message.attributes["USE-CANDIDATE"] = None
    message.add_message_integrity((password or credentials.password).encode())
    return bytes(message)


def ask(worker: native.Worker, address: str, datagram: bytes) -> tuple[stun.Message, Any]:
    """Send a check from a fresh port; the answer and where it came from."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as client:
        client.settimeout(DEADLINE)
        client.sendto(datagram, (address, worker.port))
        answer, source = client.recvfrom(2000)
    return stun.parse_message(answer), source[:2]


def test_checks_are_answered_whichever_socket_they_hit() -> None:
    """Twenty clients of one router on one of four threads are all answered from the right address."""
    worker = open_worker(threads=4)
    try:
        router = worker.allocate_router()
        outcome(worker, worker.create_router(router, ["opus"]))
        for number in range(20):
            credentials = open_transport(worker, router)
            assert int(credentials.ufrag[:4], 16) == router >> 48
            address = "::1" if number % 2 else "127.0.0.1"
            answer, source = ask(worker, address, check(credentials))
            assert answer.message_class == stun.Class.RESPONSE
            assert source == (address, worker.port)
        counters = wait_for_counter(worker, "datagrams_received", 20)
        # One in four sockets is the owner's: that none of twenty needs handing over is one in 10^12.
        assert 0 < counters["datagrams_handed_over"] < 20 + 1
        assert counters["steered_sources"] > 0
        assert counters["datagrams_unknown"] == 0
    finally:
        worker.close()


def test_a_check_with_a_wrong_password_is_neither_answered_nor_remembered() -> None:
    """A stranger who knows the ufrag gets nothing, and no table entry, on any thread."""
    worker = open_worker(threads=4)
    try:
        router = worker.allocate_router()
        outcome(worker, worker.create_router(router, ["opus"]))
        credentials = open_transport(worker, router)
        clients = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(20)]
        for client in clients:
            client.sendto(check(credentials, password="x" * 22), ("127.0.0.1", worker.port))
        counters = wait_for_counter(worker, "datagrams_received", 20)
        # Answered after the wrong ones: they have been looked at by now.
        assert ask(worker, "127.0.0.1", check(credentials))[0].message_class == stun.Class.RESPONSE
        for client in clients:
            client.setblocking(False)
            try:
                raise AssertionError(f"answered: {client.recv(2000)!r}")
            except BlockingIOError:
                client.close()
        assert counters["datagrams_sent"] <= 1
        assert counters["steered_sources"] <= 1
    finally:
        worker.close()


def wait_for_counter(worker: native.Worker, name: str, value: int) -> dict[str, int]:
    """Wait until a counter has arrived somewhere, asking the threads for news meanwhile."""
    deadline = time.monotonic() + DEADLINE
    while (counters := worker.counters()).get(name, 0) < value:
        assert time.monotonic() < deadline, counters
        for thread in range(worker.threads):
            worker.get_stats("thread", thread << 48)
        collect(worker, lambda events: len(events) >= worker.threads)
    return counters
