"""What a viewer sends: messages on data channels of its own, and nothing else."""

from __future__ import annotations

from typing import Any

from headwater.api.channels import messages as m
from headwater.api.channels.speaking import Speaking
from headwater.channels import Channel, Viewer
from headwater.errors import LimitReached

__all__ = ["Talking"]


class Talking(Speaking):
    """The data channels of one viewer.

    Args:
        channel: Where to.
        viewer: Its place there.
    """

    def __init__(self, channel: Channel, viewer: Viewer) -> None:
        super().__init__(channel, viewer)
        self.viewer = viewer

    async def produce_data(self, request: m.ProduceData) -> dict[str, Any]:
        """Send a data channel's messages.

        Raises:
            LimitReached: It has as many as a participant may open.
        """
        if len(list(self.data_publishers)) >= self.channel.options.limits.data_channels:
            raise LimitReached("this connection has as many data channels as it may")
        return await super().produce_data(request)
