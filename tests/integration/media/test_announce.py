"""A Worker behind a NAT: what it announces, and that it serves whoever finds it.

The address that clients are told (documentation range, RFC 5737) is none of this machine's, as with a
port forwarding; the clients here send to loopback, which then is no candidate at all.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable

from headwater import Publisher, Router, Worker
from headwater.protocols.sdp import parse_sdp
from tests.support.peer import Camera, Peer

OUTSIDE = "203.0.113.7"
PRIVATE = [
    ipaddress.ip_network(text)
    for text in ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "::1/128")
]

Make = Callable[[], Peer]


def hosts(sdp: str) -> list[str]:
    """The addresses of the candidates of a description, in their order, each once."""
    lines = [line for section in parse_sdp(sdp).media for line in section.attributes("candidate")]
    return list(dict.fromkeys(line.split()[4] for line in lines))


def is_private(host: str) -> bool:
    """Whether nobody outside of this network can use an address."""
    address = ipaddress.ip_address(host)
    return any(address in network for network in PRIVATE if network.version == address.version)


async def offered(router: Router, client: Peer) -> tuple[Publisher, str]:
    """Let a client offer a camera; returns its publisher and the answer, which is not set yet."""
    transport = await router.create_publish_transport()
    camera = Camera()
    client.connection.addTrack(camera)
    await client.connection.setLocalDescription(await client.connection.createOffer())
    answer = await transport.get_answer(client.connection.localDescription.sdp)
    return await transport.publish(camera.id), answer


async def test_only_the_outer_address_is_told(peer: Make) -> None:
    """With announce_only, answers and offers name no address that the outside cannot reach."""
    async with Worker(threads=1, announce=[OUTSIDE], announce_only=True) as worker:
        router = await worker.create_router()
        publisher, answer = await offered(router, peer())
        watching = await router.create_subscribe_transport()
        _, offer = await watching.subscribe(publisher.id)
        for sdp in (answer, offer):
            assert hosts(sdp)[0] == OUTSIDE
            assert not any(is_private(host) for host in hosts(sdp))
            assert f"c=IN IP4 {OUTSIDE}" in sdp or "c=IN IP4 0.0.0.0" in sdp
        assert f"{OUTSIDE}:{worker.port}" in worker.candidates()


async def test_both_addresses_are_told(peer: Make) -> None:
    """With announce alone, clients inside and outside both find theirs."""
    async with Worker(threads=1, addresses=["127.0.0.1"], announce=[OUTSIDE]) as worker:
        _, answer = await offered(await worker.create_router(), peer())
        assert hosts(answer) == [OUTSIDE, "127.0.0.1"]


async def test_media_comes_by_an_address_that_was_not_told(peer: Make) -> None:
    """A call whose true local address is no candidate carries media in both directions."""
    alice, bob = peer(), peer()
    async with Worker(threads=2, addresses=["127.0.0.1"], announce=[OUTSIDE], announce_only=True) as worker:
        router = await worker.create_router()
        publisher, answer = await offered(router, alice)
        assert hosts(answer) == [OUTSIDE]
        await alice.set_remote(answer.replace(OUTSIDE, "127.0.0.1"), "answer")
        watching = await router.create_subscribe_transport()
        subscriber, offer = await watching.subscribe(publisher.id)
        assert hosts(offer) == [OUTSIDE]
        await bob.answer(watching, offer.replace(OUTSIDE, "127.0.0.1"))
        assert subscriber.mid is not None
        await bob.received(subscriber.mid, 5)
        await alice.close()
        await bob.close()
