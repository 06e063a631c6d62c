"""One client of ``/channels``: its requests one after the other, its replies and what it is told.

Whatever it made ends with it: its broadcast is over or lost, its place as a viewer is given back, and so is
a channel that it made and never used.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from starlette.websockets import WebSocket

from headwater.api.channels import messages as m
from headwater.api.channels.news import news_of_channel, news_of_transport
from headwater.api.channels.outbox import Outbox
from headwater.api.channels.present import Present
from headwater.api.channels.receiving import Receiving
from headwater.api.channels.sending import Sending
from headwater.api.channels.talking import Talking
from headwater.api.channels.visitor import Visitor
from headwater.api.closing import GOING_DOWN, NORMAL, POLICY, TOO_LARGE, close_socket
from headwater.auth import Gate
from headwater.auth.tokens import ANY_ROOM
from headwater.channels import Channel, Channels, PublisherClosed, PublisherOpened
from headwater.config import Settings
from headwater.errors import ChannelNotFound, HeadwaterError, InvalidMessage, NotFound
from headwater.ids import new_id
from headwater.media.events import Event
from headwater.media.ortc import OrtcPublishTransport, OrtcSubscribeTransport
from headwater.tasks import Tasks
from headwater.telemetry import Metrics, get_logger

__all__ = ["FIRST_MESSAGE_SECONDS", "Answer", "Connection", "Shared"]

_log = get_logger(__name__)
Answer = Callable[["Connection", m.Request], Awaitable[Any]]
FIRST_MESSAGE_SECONDS = 10.0
"""How long a fresh connection may stay silent."""
_GOODBYES = frozenset({1000, 1001})
"""Close codes by which a client, or the browser in its place, says goodbye."""


@dataclass(frozen=True, slots=True)
class Shared:
    """What all connections share."""

    channels: Channels
    gate: Gate
    settings: Settings
    metrics: Metrics
    present: Present


class Connection:
    """One WebSocket, accepted.

    Args:
        shared: What it shares with the others.
        socket: The WebSocket.
        channel_id: The channel in its address.
        token: The token that came with it.

    Attributes:
        visitor: Who it is.
        sending: What it sends, once it has asked to.
        receiving: What it receives, likewise.
        talking: The data channels of a viewer, likewise.
        left: It said goodbye.
    """

    def __init__(self, shared: Shared, socket: WebSocket, channel_id: str | None, token: str | None) -> None:
        self.visitor = Visitor(shared.gate, token)
        self.sending: Sending | None = None
        self.receiving: Receiving | None = None
        self.talking: Talking | None = None
        self.left = False
        self._shared = shared
        self._socket = socket
        self._channel_id = channel_id
        self._channel: Channel | None = None
        self._silent = True
        self._made = False
        self._outbox = Outbox(shared.settings.limits.send_queue, shared.metrics)
        self._tasks = Tasks()

    async def run(self, answer: Answer) -> None:
        """Serve until either side ends it, then give everything back.

        Args:
            answer: Does what a request asks for, and returns what its reply says.
        """
        reader = asyncio.create_task(self._read(answer), name="channel reader")
        writer = asyncio.create_task(self._outbox.empty(self._socket), name="channel writer")
        code = NORMAL
        try:
            await asyncio.wait((reader, writer, self._outbox.over), return_when=asyncio.FIRST_COMPLETED)
            code = self._code(reader, writer)
        finally:
            for task in (reader, writer):
                task.cancel()
            await asyncio.gather(reader, writer, return_exceptions=True)
            await self._give_back()
            await close_socket(self._socket, code)

    @property
    def sender(self) -> Sending:
        """What it sends.

        Raises:
            NotFound: It has not begun to.
        """
        if self.sending is None:
            raise NotFound("createProducerTransport comes first")
        return self.sending

    def speaker(self, transport_id: str | None) -> Sending | Talking:
        """The side that a transport to send on is of: the broadcaster's, or a viewer's.

        Raises:
            NotFound: It has no such transport.
        """
        if self.talking is not None and (self.sending is None or self.talking.transports.has(transport_id)):
            return self.talking
        return self.sender

    @property
    def receiver(self) -> Receiving:
        """What it receives.

        Raises:
            NotFound: It has not begun to.
        """
        if self.receiving is None:
            raise NotFound("createConsumerTransport comes first")
        return self.receiving

    async def find(self, request: m._Request) -> Channel:
        """Return the connection's channel; the first call decides which it is.

        Raises:
            ChannelNotFound: There is none of that id.
            InvalidMessage: The message is about another one.
        """
        wanted = self._channel_id or request.channel_id
        if self._channel is not None:
            if request.channel_id not in (None, self._channel.id):
                raise InvalidMessage("a connection is about one channel")
            return self._channel
        if wanted is None:
            channel = await self._new_channel()
        else:
            channel = await self._shared.channels.find(wanted)
            self.visitor.require_entry(channel)
        self._channel, self._outbox.channel_id = channel, channel.id
        self._shared.present.enter(channel, self)
        self._tasks.spawn(self._pump(channel), name="channel events")
        return channel

    async def take_place(self, channel: Channel) -> Sending:
        """Take the broadcaster's place, unless it is taken by this connection already.

        Raises:
            ChannelBusy: Somebody else has it.
        """
        if self.sending is None or self.sending.broadcast.closed:
            endpoint = self._endpoint(channel)
            try:
                broadcast = await channel.go_live(endpoint)
            except BaseException:
                self._shared.channels.release(endpoint)
                raise
            self.sending = Sending(channel, broadcast)
            self._tasks.spawn(self._await_end(self.sending), name="broadcast")
        return self.sending

    def take_seat(self, channel: Channel) -> Receiving:
        """Take a viewer's place, unless this connection has one."""
        if self.receiving is None or self.receiving.viewer.closed:
            endpoint = self._endpoint(channel)
            try:
                viewer = channel.watch(endpoint)
            except BaseException:
                self._shared.channels.release(endpoint)
                raise
            self.receiving = Receiving(channel, viewer)
        return self.receiving

    def take_floor(self, channel: Channel) -> Talking:
        """Let a viewer send data channels while the channel is live, unless it does already.

        Raises:
            ChannelNotLive: Nobody broadcasts.
        """
        channel.check_live()
        viewer = self.take_seat(channel).viewer
        if self.talking is None or self.talking.viewer is not viewer:
            self.talking = Talking(channel, viewer)
        return self.talking

    def is_own(self, publisher_id: str) -> bool:
        """Whether this connection sends that, or did."""
        return any(side is not None and side.sends(publisher_id) for side in (self.sending, self.talking))

    def follow(self, transport: OrtcPublishTransport | OrtcSubscribeTransport) -> None:
        """Tell the client what becomes of a transport and of what it carries."""
        events = transport.events()  # from now on, not from when the task runs
        self._tasks.spawn(self._tell_of(transport, events), name="transport events")

    def tell_pause(self, publisher_id: str, paused: bool) -> None:
        """Tell of a track that was paused or resumed for all."""
        for subscriber in self.receiving.of_publisher(publisher_id) if self.receiving else ():
            name = "producerpause" if paused else "producerresume"
            self._outbox.post(name, {"consumerId": subscriber.id, "producerId": publisher_id})

    # --- in ------------------------------------------------------------------------------------------

    async def _read(self, answer: Answer) -> int:
        bound = self._shared.settings.limits.message_bytes
        while not self.left:
            try:
                async with asyncio.timeout(FIRST_MESSAGE_SECONDS if self._silent else None):
                    frame = await self._socket.receive()
            except TimeoutError:
                return POLICY
            self._silent = False
            if frame["type"] == "websocket.disconnect":
                self.left = frame.get("code", 1005) in _GOODBYES
                return NORMAL
            text = frame.get("text")
            if isinstance(text, str) and len(text) > bound:
                return TOO_LARGE
            await self._handle(text if isinstance(text, str) else "", answer)
        await self._outbox.wait_empty()  # what was said last is still to go out
        return NORMAL

    async def _handle(self, text: str, answer: Answer) -> None:
        request_id: m.RequestId = None
        try:
            message, request_id = m.read_message(text)
            request, name = m.parse_request(message)
            self._shared.metrics.messages.labels(type(request).__struct_config__.tag).inc()
            outcome = await answer(self, request)
        except HeadwaterError as error:
            self._outbox.post_problem(error, request_id)
            return
        # One consumer a message, as mediasoup's applications expect.
        several = isinstance(request, m.Consume | m.ConsumeData) and isinstance(outcome, list)
        for data in outcome if several else [outcome]:
            for reply in m.replies_to(request, name):
                self._outbox.post(reply, data, request_id)

    async def _new_channel(self) -> Channel:
        """Open a channel for a broadcaster; a token for one room names it."""
        self.visitor.require_publish(None)
        channels, claims = self._shared.channels, self.visitor.claims
        if claims is None or claims.room == ANY_ROOM:
            self._made = True
            return await channels.create(claims.identity if claims is not None else "")
        try:
            return await channels.find(claims.room)
        except ChannelNotFound:
            return await channels.create(claims.identity, slug=claims.room)

    def _endpoint(self, channel: Channel) -> Any:
        claims = self.visitor.claims
        peer = claims.identity if claims is not None else new_id("prt")
        return self._shared.channels.endpoint(channel, peer_id=peer, protocol="webrtc")

    # --- what happens ----------------------------------------------------------------------------------

    async def _tell_of(self, transport: OrtcPublishTransport | OrtcSubscribeTransport, events: Any) -> None:
        async for event in events:
            self._tell(transport, event)

    def _tell(self, transport: OrtcPublishTransport | OrtcSubscribeTransport, event: Event) -> None:
        if (news := news_of_transport(transport.id, event)) is not None:
            self._outbox.post(*news)
        if self.talking is not None and self.talking.transports.has(transport.id):
            return
        if self.sending is not None and isinstance(transport, OrtcPublishTransport):
            if (pause := self.sending.pause_of(event)) is not None:
                self._shared.present.tell_pause(self.sending.channel, *pause)
            if not self.sending.heed(event):
                self._tasks.spawn(self.sending.broadcast.close("lost"), name="lost broadcaster")
        elif self.receiving is not None and (told := self.receiving.told(event)) is not None:
            self._outbox.post(*told)

    async def _await_end(self, sending: Sending) -> None:
        reason = await sending.broadcast.wait_closed()
        if reason not in ("left", "lost"):
            self._outbox.post("broadcastEnded", {"reason": reason})
        if reason == "server_shutdown":
            self._outbox.close_with(GOING_DOWN)

    async def _pump(self, channel: Channel) -> None:
        async for event in channel.events():
            own = isinstance(event, PublisherOpened | PublisherClosed) and self.is_own(event.publisher_id)
            if not own and (news := news_of_channel(event)) is not None:
                self._outbox.post(*news)

    # --- the end ---------------------------------------------------------------------------------------

    def _code(self, reader: asyncio.Task[int], writer: asyncio.Task[int]) -> int:
        for task in (self._outbox.over, reader, writer):
            if task.done() and not task.cancelled():
                if (error := task.exception()) is not None:
                    _log.error("a channel connection failed", exc_info=error)
                    continue
                return task.result()
        return NORMAL

    async def _give_back(self) -> None:
        await self._tasks.close()
        if self._channel is not None:
            self._shared.present.leave(self._channel, self)
        if self.sending is not None:
            await self.sending.broadcast.close("left" if self.left else "lost")
        if self.receiving is not None:
            await self.receiving.viewer.close()
        if self._made and self.sending is None and self._channel is not None:
            await self._channel.end("left")  # nobody else knows its id
