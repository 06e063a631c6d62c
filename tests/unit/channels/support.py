"""A broadcaster and viewers driven by hand."""

from __future__ import annotations

from headwater.channels import Broadcast, Channel, Channels, Viewer
from headwater.cluster import Endpoint
from headwater.media.publish_transport import PublishTransport
from headwater.testing import client_offer

__all__ = ["endpoint", "go_live", "send", "watch"]


def endpoint(channels: Channels, channel: Channel, name: str = "ada") -> Endpoint:
    """A connection to the channel."""
    return channels.endpoint(channel, peer_id=name, protocol="whip")


async def send(broadcast: Broadcast) -> PublishTransport:
    """Send sound and picture on a broadcast."""
    transport = await broadcast.channel.router.create_publish_transport()
    broadcast.own(transport)
    await transport.get_answer(client_offer(audio="mic", video="cam"))
    for track in transport.tracks:
        await transport.publish(track)
    return transport


async def go_live(channels: Channels, channel: Channel, name: str = "ada") -> Broadcast:
    """Go live with sound and picture."""
    broadcast = await channel.go_live(endpoint(channels, channel, name))
    await send(broadcast)
    return broadcast


def watch(channels: Channels, channel: Channel, name: str = "bob") -> Viewer:
    """Watch."""
    return channel.watch(endpoint(channels, channel, name))
