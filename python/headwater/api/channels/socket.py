"""``/channels``: one broadcaster or viewer per WebSocket, in the dialect of mediasoup's applications.

A connection stands for a channel: the one in its address or in its messages, or a new one, which is made
when it first asks for anything. Asking for a producer transport takes the broadcaster's place, asking for
a consumer transport a viewer's; one connection can have both. Everything it made ends with it.

Whoever may not wait is dropped: messages to a client queue in ``limits.send_queue`` places, and a client
that lets them fill up is closed with 1013, as one that takes more than ten seconds for one message.

Close codes: 1000 after ``leave``, 1008 refused, 1009 frame too large, 1012 server going down, 1013 too slow.
"""

from __future__ import annotations

from starlette.websockets import WebSocket

from headwater.api.channels.connection import Connection, Shared
from headwater.api.channels.present import Present
from headwater.api.channels.requests import answer
from headwater.api.closing import POLICY
from headwater.api.middleware import origin_allowed
from headwater.auth import Gate
from headwater.channels import Channels
from headwater.config import Settings
from headwater.telemetry import Metrics

__all__ = ["ChannelSockets"]


class ChannelSockets:
    """Makes and serves connections; one per application.

    Args:
        channels: The channels.
        gate: Checks who may do what.
        settings: All of them.
        metrics: Counts.
    """

    def __init__(self, channels: Channels, gate: Gate, settings: Settings, metrics: Metrics) -> None:
        self._shared = Shared(channels, gate, settings, metrics, Present())

    async def serve(self, socket: WebSocket, channel_id: str | None = None) -> None:
        """Serve one WebSocket until it ends.

        Args:
            socket: Not accepted yet.
            channel_id: The channel in its address.
        """
        settings = self._shared.settings
        origin, host = socket.headers.get("origin"), socket.headers.get("host")
        if not origin_allowed(origin, host, allowed=settings.allowed_origins, dev=settings.dev):
            await socket.close(POLICY)  # before accepting, so the client gets HTTP 403
            return
        token, protocol = _token_of(socket)
        await socket.accept(subprotocol=protocol)
        await Connection(self._shared, socket, channel_id, token).run(answer)


def _token_of(socket: WebSocket) -> tuple[str | None, str | None]:
    """Return the token among the sub-protocols that a client offers, and the one to agree on."""
    offered = [str(item) for item in socket.scope.get("subprotocols", ())]
    token = next((item for item in offered if item.count(".") == 2), None)
    named = next((item for item in offered if item != token), token)
    return token, named
