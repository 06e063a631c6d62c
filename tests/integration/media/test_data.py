"""Data channels through a real Worker: every reliability, both directions, and the server's voice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from headwater import DataChannelOpened, DataMessage, DataPublisher, Router
from tests.support.peer import Peer

Make = Callable[[], Peer]

RELIABILITIES: dict[str, dict[str, Any]] = {
    "ordered": {},
    "unordered": {"ordered": False},
    "no retransmission": {"ordered": False, "maxRetransmits": 0},
    "short life": {"maxPacketLifeTime": 500},
}


async def connect(router: Router, sender: Peer, label: str, **options: Any) -> tuple[Any, DataPublisher]:
    """Open a channel and publish it."""
    channel = sender.open_channel(label, **options)
    transport = await router.create_publish_transport()
    await sender.offer(transport)
    return channel, await transport.publish_data(label)


async def listen(router: Router, receiver: Peer, data: DataPublisher) -> None:
    """Subscribe to a data publisher and wait for the channel."""
    transport = await router.create_subscribe_transport()
    _, offer = await transport.subscribe_data(data.id)
    assert offer is not None
    await receiver.answer(transport, offer)
    await receiver.until(lambda: data.label in receiver.channels)


@pytest.mark.parametrize("reliability", RELIABILITIES)
async def test_messages_arrive(router: Router, peer: Make, reliability: str) -> None:
    """Text and binary arrive on a channel of the same label and the same promises."""
    options = RELIABILITIES[reliability]
    alice, bob = peer(), peer()
    channel, data = await connect(router, alice, "chat", **options)
    await listen(router, bob, data)
    await alice.until(lambda: channel.readyState == "open")
    sent: list[str | bytes] = ["héllo", b"\x00\xff", "x" * 10_000]
    for message in sent:
        channel.send(message)
    async with asyncio.timeout(30):
        got = [(await bob.messages.get())[1] for _ in sent]
    assert got == sent if options.get("ordered", True) else sorted(map(str, got)) == sorted(map(str, sent))
    mirrored = bob.channels["chat"]
    assert mirrored.ordered == channel.ordered
    assert mirrored.maxRetransmits == channel.maxRetransmits
    assert mirrored.maxPacketLifeTime == channel.maxPacketLifeTime


async def test_both_directions(router: Router, peer: Make) -> None:
    """Two clients talk to each other, each publishing its own channel."""
    peers = {"alice": peer(), "bob": peer()}
    opened = {name: await connect(router, client, name) for name, client in peers.items()}
    viewers = {name: peer() for name in peers}
    await listen(router, viewers["alice"], opened["bob"][1])
    await listen(router, viewers["bob"], opened["alice"][1])
    for name, (channel, _) in opened.items():
        client = peers[name]
        await client.until(lambda channel=channel: channel.readyState == "open")
        channel.send(f"I am {name}")
    async with asyncio.timeout(30):
        assert await viewers["alice"].messages.get() == ("bob", "I am bob")
        assert await viewers["bob"].messages.get() == ("alice", "I am alice")


async def test_the_program_listens_and_speaks(router: Router, peer: Make) -> None:
    """messages() hears what the client says, send() reaches every subscriber."""
    alice, bob = peer(), peer()
    channel, data = await connect(router, alice, "chat")
    heard = data.messages()
    await listen(router, bob, data)
    await alice.until(lambda: channel.readyState == "open")
    channel.send("to the program")
    channel.send(b"and bytes")
    async with asyncio.timeout(30):
        assert await anext(heard) == DataMessage("to the program")
        assert await anext(heard) == DataMessage(b"and bytes")
        await data.send("from the program")
        got = [await bob.messages.get() for _ in range(3)]
    assert got[-1] == ("chat", "from the program")


async def test_opening_is_told(router: Router, peer: Make) -> None:
    """A channel that a client opens later is an event with its label and promises."""
    alice = peer()
    transport = await router.create_publish_transport()
    events = transport.events()
    alice.open_channel("first")
    await alice.offer(transport)
    await alice.until(lambda: alice.channels["first"].readyState == "open")
    alice.open_channel("second", ordered=False, maxRetransmits=2)
    opened = {}
    async with asyncio.timeout(30):
        async for event in events:
            if isinstance(event, DataChannelOpened):
                opened[event.label] = (event.ordered, event.max_retransmits, event.max_packet_lifetime)
            if len(opened) == 2:
                break
    assert opened == {"first": (True, None, None), "second": (False, 2, None)}


async def test_client_closes_the_channel(router: Router, peer: Make) -> None:
    """Closing the channel on the client closes publisher and subscribers, and the far channel."""
    alice, bob = peer(), peer()
    channel, data = await connect(router, alice, "chat")
    await listen(router, bob, data)
    (subscriber,) = data.subscribers
    await alice.until(lambda: channel.readyState == "open")
    channel.close()
    async with asyncio.timeout(30):
        assert await data.wait_closed() == "remote_ended"
        assert await subscriber.wait_closed() == "publisher_closed"
    await bob.until(lambda: bob.channels["chat"].readyState == "closed")
