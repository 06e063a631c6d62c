"""The WebSocket ``/channels``: going live and watching with mediasoup-client."""

from headwater.api.channels.socket import ChannelSockets

__all__ = ["ChannelSockets"]
