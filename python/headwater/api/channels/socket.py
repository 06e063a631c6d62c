"""``/channels``: one broadcaster or viewer per WebSocket, in the dialect of mediasoup's applications.

A connection stands for a channel: the one in its address or in its messages, or a new one, which is made
when it first asks for anything. Asking for a producer transport takes the broadcaster's place, asking for
a consumer transport a viewer's; one connection can have both. Everything it made ends with it.

Whoever may not wait is dropped: messages to a client queue in ``limits.send_queue`` places, and a client
that lets them fill up is closed with 1013, as one that takes more than ten seconds for one message.

Close codes: 1000 after ``leave``, 1008 refused, 1009 frame too large, 1012 server going down, 1013 too slow.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from starlette.websockets import WebSocket, WebSocketDisconnect

from headwater.api.channels import messages as m
from headwater.api.channels.receiving import Receiving
from headwater.api.channels.sending import Sending
from headwater.api.channels.transports import describe
from headwater.api.closing import GOING_DOWN, NORMAL, POLICY, TOO_LARGE, TOO_SLOW, close_socket
from headwater.api.middleware import origin_allowed
from headwater.api.problems import problem_of
from headwater.auth import Claims, Gate
from headwater.auth.tokens import ANY_ROOM
from headwater.channels import (
    Channel,
    ChannelEvent,
    Channels,
    ChannelState,
    PublisherClosed,
    PublisherOpened,
    ViewerCount,
)
from headwater.config import Settings
from headwater.errors import (
    ChannelNotFound,
    Forbidden,
    HeadwaterError,
    InvalidMessage,
    InvalidState,
    NotFound,
    ResourceError,
    Unauthorized,
)
from headwater.ids import new_id
from headwater.media.events import Event, TransportClosed
from headwater.media.ortc import OrtcPublishTransport, OrtcSubscribeTransport
from headwater.media.worker import DEFAULT_CODECS
from headwater.protocols.mediasoup import router_capabilities
from headwater.tasks import Tasks
from headwater.telemetry import Metrics, get_logger

__all__ = ["ChannelSockets"]

_log = get_logger(__name__)
_encoder = msgspec.json.Encoder()
FIRST_MESSAGE_SECONDS = 10.0
"""How long a fresh connection may stay silent."""
SEND_SECONDS = 10.0
"""How long one message may wait for a client that does not read."""
_GOODBYES = frozenset({1000, 1001})
"""Close codes by which a client, or the browser in its place, says goodbye."""


class ChannelSockets:
    """Makes and serves connections; one per application.

    Args:
        channels: The channels.
        gate: Checks who may do what.
        settings: All of them.
        metrics: Counts.
    """

    def __init__(self, channels: Channels, gate: Gate, settings: Settings, metrics: Metrics) -> None:
        self.channels = channels
        self.gate = gate
        self.settings = settings
        self.metrics = metrics
        self._present: dict[str, set[_Connection]] = {}

    async def serve(self, socket: WebSocket, channel_id: str | None = None) -> None:
        """Serve one WebSocket until it ends.

        Args:
            socket: Not accepted yet.
            channel_id: The channel in its address.
        """
        origin, host = socket.headers.get("origin"), socket.headers.get("host")
        if not origin_allowed(origin, host, allowed=self.settings.allowed_origins, dev=self.settings.dev):
            await socket.close(POLICY)  # before accepting, so the client gets HTTP 403
            return
        token, protocol = _token_of(socket)
        await socket.accept(subprotocol=protocol)
        await _Connection(self, socket, channel_id, token).run()

    def enter(self, channel: Channel, connection: _Connection) -> None:
        """Note who has to do with a channel."""
        self._present.setdefault(channel.id, set()).add(connection)

    def leave(self, channel: Channel, connection: _Connection) -> None:
        """Forget a connection; twice is fine."""
        present = self._present.get(channel.id)
        if present is not None:
            present.discard(connection)
            if not present:
                del self._present[channel.id]

    def tell_pause(self, channel: Channel, publisher_id: str, paused: bool) -> None:
        """Tell whoever receives a track that it was paused or resumed for all."""
        for connection in self._present.get(channel.id, ()):
            connection.tell_pause(publisher_id, paused)


class _Connection:
    """One WebSocket; the reader works off its requests one after the other."""

    def __init__(
        self, owner: ChannelSockets, socket: WebSocket, channel_id: str | None, token: str | None
    ) -> None:
        self._owner = owner
        self._socket = socket
        self._channel_id = channel_id
        self._token = token
        self._claims: Claims | None = None
        self._verified = False
        self._may_all = False
        self._silent = True
        self._made = False
        self._channel: Channel | None = None
        self._sending: Sending | None = None
        self._receiving: Receiving | None = None
        self._outbox: asyncio.Queue[m.Push] = asyncio.Queue(owner.settings.limits.send_queue)
        self._over: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._tasks = Tasks()
        self._left = False

    async def run(self) -> None:
        """Serve until either side ends it, then give everything back."""
        reader = asyncio.create_task(self._read(), name="channel reader")
        writer = asyncio.create_task(self._write(), name="channel writer")
        code = NORMAL
        try:
            await asyncio.wait((reader, writer, self._over), return_when=asyncio.FIRST_COMPLETED)
            code = self._code(reader, writer)
        finally:
            for task in (reader, writer):
                task.cancel()
            await asyncio.gather(reader, writer, return_exceptions=True)
            await self._give_back()
            await close_socket(self._socket, code)

    def _code(self, reader: asyncio.Task[int], writer: asyncio.Task[int]) -> int:
        for task in (self._over, reader, writer):
            if task.done() and not task.cancelled():
                if (error := task.exception()) is not None:
                    _log.error("a channel connection failed", exc_info=error)
                    continue
                return task.result()
        return NORMAL

    async def _give_back(self) -> None:
        await self._tasks.close()
        if self._channel is not None:
            self._owner.leave(self._channel, self)
        if self._sending is not None:
            await self._sending.broadcast.close("left" if self._left else "lost")
        if self._receiving is not None:
            await self._receiving.viewer.close()
        if self._made and self._sending is None and self._channel is not None:
            await self._channel.end("left")  # nobody else knows its id

    # --- in ------------------------------------------------------------------------------------------

    async def _read(self) -> int:
        bound = self._owner.settings.limits.message_bytes
        while not self._left:
            try:
                async with asyncio.timeout(FIRST_MESSAGE_SECONDS if self._silent else None):
                    frame = await self._socket.receive()
            except TimeoutError:
                return POLICY
            self._silent = False
            if frame["type"] == "websocket.disconnect":
                self._left = frame.get("code", 1005) in _GOODBYES
                return NORMAL
            text = frame.get("text")
            if isinstance(text, str) and len(text) > bound:
                return TOO_LARGE
            await self._handle(text if isinstance(text, str) else "")
        # What was said last is still to go out.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                await self._outbox.join()
        return NORMAL

    async def _handle(self, text: str) -> None:
        request_id: m.RequestId = None
        try:
            message, request_id = m.read_message(text)
            request, name = m.parse_request(message)
            self._owner.metrics.messages.labels(type(request).__struct_config__.tag).inc()
            outcome = await self._answer(request)
        except HeadwaterError as error:
            self._post_problem(error, request_id)
            return
        # One consumer a message, as mediasoup's applications expect.
        several = isinstance(request, m.Consume | m.ConsumeData) and isinstance(outcome, list)
        for data in outcome if several else [outcome]:
            for reply in m.replies_to(request, name):
                self._post(reply, data, request_id)

    async def _answer(self, request: m.Request) -> Any:
        if isinstance(request, m.Authenticate):
            self._token, self._verified = request.token, False
            self._check_token()
            return {}
        handler = _HANDLERS[type(request)]
        return await handler(self, request)

    # --- requests: what this connection is about -------------------------------------------------------

    async def _capabilities(self, request: m.GetRouterRtpCapabilities) -> Any:
        channel = await self._find(request)
        try:
            return channel.router.rtp_capabilities
        except InvalidState:  # nobody broadcasts yet: a router has these
            return router_capabilities(DEFAULT_CODECS)

    async def _ping(self, request: m.Ping) -> Any:
        return {}

    async def _leave(self, request: m.Leave) -> Any:
        self._left = True
        return {}

    async def _restart_ice(self, request: m.RestartIce) -> Any:
        for side in (self._sending, self._receiving):
            if side is not None:
                with contextlib.suppress(NotFound):
                    transport = side.transports.get(request.transport_id)
                    return {
                        "transportId": transport.id,
                        "iceParameters": await transport.renew_ice(),
                    }
        raise NotFound("this connection has no such transport")

    # --- requests: sending -----------------------------------------------------------------------------

    async def _create_producer_transport(self, request: m.CreateProducerTransport) -> Any:
        channel = await self._find(request)
        self._require_publish()
        if self._sending is None or self._sending.broadcast.closed:
            endpoint = self._endpoint(channel)
            try:
                broadcast = await channel.go_live(endpoint)
            except BaseException:
                self._owner.channels.release(endpoint)
                raise
            self._sending = Sending(channel, broadcast)
            self._tasks.spawn(self._await_end(self._sending), name="broadcast")
        transport = await self._sending.create_transport()
        self._follow(transport)
        return describe(transport)

    async def _connect_producer_transport(self, request: m.ConnectProducerTransport) -> Any:
        transport = self._sender.transports.get(request.transport_id)
        await transport.connect(request.dtls_parameters)
        return {"transportId": transport.id}

    async def _produce(self, request: m.Produce) -> Any:
        return await self._sender.produce(request)

    async def _produce_data(self, request: m.ProduceData) -> Any:
        return await self._sender.produce_data(request)

    async def _close_producer(self, request: m.CloseProducer) -> Any:
        await self._sender.publishers.get(request.producer_id).close()
        return {"producerId": request.producer_id}

    async def _pause_producer(self, request: m.PauseProducer) -> Any:
        await self._sender.publishers.get(request.producer_id).pause()
        return {"producerId": request.producer_id}

    async def _resume_producer(self, request: m.ResumeProducer) -> Any:
        await self._sender.publishers.get(request.producer_id).resume()
        return {"producerId": request.producer_id}

    async def _close_data_producer(self, request: m.CloseDataProducer) -> Any:
        await self._sender.data_publishers.get(request.data_producer_id).close()
        return {"dataProducerId": request.data_producer_id}

    # --- requests: receiving ---------------------------------------------------------------------------

    async def _create_consumer_transport(self, request: m.CreateConsumerTransport) -> Any:
        channel = await self._find(request)
        self._require_view(channel)
        if self._receiving is None or self._receiving.viewer.closed:
            endpoint = self._endpoint(channel)
            try:
                viewer = channel.watch(endpoint)
            except BaseException:
                self._owner.channels.release(endpoint)
                raise
            self._receiving = Receiving(channel, viewer)
        transport = await self._receiving.create_transport()
        self._follow(transport)
        return describe(transport)

    async def _connect_consumer_transport(self, request: m.ConnectConsumerTransport) -> Any:
        transport = self._receiver.transports.get(request.transport_id)
        await transport.connect(request.dtls_parameters)
        return {"transportId": transport.id}

    async def _consume(self, request: m.Consume) -> Any:
        return await self._receiver.consume(request)

    async def _consume_data(self, request: m.ConsumeData) -> Any:
        return await self._receiver.consume_data(request)

    async def _pause(self, request: m.Pause) -> Any:
        for subscriber in self._receiver.named(request.consumer_id):
            await subscriber.pause()
        return {"consumerId": request.consumer_id}

    async def _resume(self, request: m.Resume) -> Any:
        for subscriber in self._receiver.named(request.consumer_id):
            await subscriber.resume()
        return {"consumerId": request.consumer_id}

    async def _close_consumer(self, request: m.CloseConsumer) -> Any:
        await self._receiver.subscribers.get(request.consumer_id).close()
        return {"consumerId": request.consumer_id}

    async def _close_data_consumer(self, request: m.CloseDataConsumer) -> Any:
        await self._receiver.data_subscribers.get(request.data_consumer_id).close()
        return {"dataConsumerId": request.data_consumer_id}

    async def _set_preferred_layers(self, request: m.SetPreferredLayers) -> Any:
        subscriber = self._receiver.subscribers.get(request.consumer_id)
        await subscriber.set_preferred_layer(request.spatial_layer, request.temporal_layer)
        return {
            "consumerId": subscriber.id,
            "spatialLayer": request.spatial_layer,
            "temporalLayer": request.temporal_layer,
        }

    async def _request_key_frame(self, request: m.RequestKeyFrame) -> Any:
        subscriber = self._receiver.subscribers.get(request.consumer_id)
        await subscriber.publisher.request_key_frame()
        return {"consumerId": subscriber.id}

    # --- who and where ---------------------------------------------------------------------------------

    @property
    def _sender(self) -> Sending:
        if self._sending is None:
            raise NotFound("createProducerTransport comes first")
        return self._sending

    @property
    def _receiver(self) -> Receiving:
        if self._receiving is None:
            raise NotFound("createConsumerTransport comes first")
        return self._receiving

    async def _find(self, request: m._Request) -> Channel:
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
            channel = await self._owner.channels.find(wanted)
            self._check_entry(channel)
        self._channel = channel
        self._owner.enter(channel, self)
        self._tasks.spawn(self._pump(channel), name="channel events")
        return channel

    async def _new_channel(self) -> Channel:
        """Open a channel for a broadcaster; a token for one room names it."""
        self._require_publish()
        channels, claims = self._owner.channels, self._claims
        if claims is None or claims.room == ANY_ROOM:
            self._made = True
            return await channels.create(claims.identity if claims is not None else "")
        try:
            return await channels.find(claims.room)
        except ChannelNotFound:
            return await channels.create(claims.identity, slug=claims.room)

    def _check_token(self) -> None:
        """Verify what was given, once.

        Raises:
            Unauthorized: The token does not verify.
        """
        if self._verified:
            return
        gate, token = self._owner.gate, self._token
        self._may_all = gate.is_api_key(token) or (token is None and gate.open_house)
        self._claims = None if self._may_all or token is None else gate.claims(token)
        self._verified = True

    def _known(self) -> Claims | None:
        """Return the claims of whoever has a token; ``None`` for who may do everything.

        Raises:
            Unauthorized: No token was given, or it does not verify.
            Forbidden: The token is for another room.
        """
        self._check_token()
        if self._may_all:
            return None
        if self._claims is None:
            raise Unauthorized("a token is needed: authenticate comes first")
        if self._channel is not None:
            self._claims.require_room(self._channel.id)
        return self._claims

    def _require_publish(self) -> None:
        """Refuse who may not send here.

        Raises:
            Unauthorized: No token was given.
            Forbidden: The token is for another room, or lacks the grant.
        """
        claims = self._known()
        if claims is not None and not claims.allows("publish"):
            raise Forbidden("the token lacks the grant 'publish'")

    def _check_entry(self, channel: Channel) -> None:
        """Refuse who may neither watch nor send: a public channel is for everybody to watch.

        Raises:
            Unauthorized: No token was given, and one is needed.
            Forbidden: The token is for another room, or lacks the grants.
        """
        if channel.record.visibility == "public":
            self._check_token()
        elif (claims := self._known()) is not None:
            claims.require_room(channel.id)
            if not claims.allows("publish"):
                claims.require_view()

    def _require_view(self, channel: Channel) -> None:
        """Refuse who may not watch."""
        if channel.record.visibility != "public" and (claims := self._known()) is not None:
            claims.require_view()

    def _endpoint(self, channel: Channel) -> Any:
        peer = self._claims.identity if self._claims is not None else new_id("prt")
        return self._owner.channels.endpoint(channel, peer_id=peer, protocol="webrtc")

    # --- what happens ----------------------------------------------------------------------------------

    def _follow(self, transport: OrtcPublishTransport | OrtcSubscribeTransport) -> None:
        """Tell the client what becomes of a transport and of what it carries."""
        events = transport.events()  # from now on, not from when the task runs
        self._tasks.spawn(self._tell_of(transport, events), name="transport events")

    async def _tell_of(self, transport: OrtcPublishTransport | OrtcSubscribeTransport, events: Any) -> None:
        async for event in events:
            self._tell(transport, event)

    def _tell(self, transport: OrtcPublishTransport | OrtcSubscribeTransport, event: Event) -> None:
        if isinstance(event, TransportClosed) and event.id == transport.id and event.reason != "requested":
            self._post("transportClosed", {"transportId": transport.id, "reason": event.reason})
        if self._sending is not None and isinstance(transport, OrtcPublishTransport):
            if (pause := self._sending.pause_of(event)) is not None:
                self._owner.tell_pause(self._sending.channel, *pause)
            if not self._sending.heed(event):
                self._tasks.spawn(self._sending.broadcast.close("lost"), name="lost broadcaster")
        elif self._receiving is not None and (told := self._receiving.told(event)) is not None:
            self._post(*told)

    def tell_pause(self, publisher_id: str, paused: bool) -> None:
        """Tell of a track that was paused or resumed for all."""
        for subscriber in self._receiving.of_publisher(publisher_id) if self._receiving else ():
            name = "producerpause" if paused else "producerresume"
            self._post(name, {"consumerId": subscriber.id, "producerId": publisher_id})

    async def _await_end(self, sending: Sending) -> None:
        reason = await sending.broadcast.wait_closed()
        if reason not in ("left", "lost"):
            self._post("broadcastEnded", {"reason": reason})
        if reason == "server_shutdown" and not self._over.done():
            self._over.set_result(GOING_DOWN)

    async def _pump(self, channel: Channel) -> None:
        async for event in channel.events():
            self._tell_channel(event)

    def _tell_channel(self, event: ChannelEvent | Event) -> None:
        match event:
            case PublisherOpened(publisher_id=id_, kind="data"):
                if not self._is_own(id_):
                    self._post("newDataProducer", {"id": id_, "dataProducerId": id_})
            case PublisherOpened(publisher_id=id_, kind=kind):
                if not self._is_own(id_):
                    self._post("newProducer", {"id": id_, "producerId": id_, "kind": kind})
            case PublisherClosed(publisher_id=id_, kind=kind):
                if not self._is_own(id_):
                    name = "dataProducer" if kind == "data" else "producer"
                    self._post(f"{name}Gone", {f"{name}Id": id_, "kind": kind})
            case ChannelState(state=state):
                self._post("channelState", {"state": state})
            case ViewerCount(count=count):
                self._post("viewerCount", {"count": count})

    def _is_own(self, publisher_id: str) -> bool:
        return self._sending is not None and self._sending.sends(publisher_id)

    # --- out -----------------------------------------------------------------------------------------

    def _post(self, name: str, data: Any, request_id: m.RequestId = None) -> None:
        """Queue a message."""
        channel_id = None if self._channel is None else self._channel.id
        try:
            self._outbox.put_nowait(m.Push(type=name, data=data, id=request_id, channel_id=channel_id))
        except asyncio.QueueFull:
            if not self._over.done():
                self._over.set_result(TOO_SLOW)

    def _post_problem(self, error: HeadwaterError, request_id: m.RequestId) -> None:
        problem = problem_of(error)
        self._owner.metrics.problems.labels(problem.code).inc()
        if problem.status >= 500 and not isinstance(error, ResourceError):
            _log.error("request failed", exc_info=error)
        self._post("error", problem, request_id)

    async def _write(self) -> int:
        while True:
            message = await self._outbox.get()
            text = _encoder.encode(message).decode()
            try:
                async with asyncio.timeout(SEND_SECONDS):
                    await self._socket.send_text(text)
            except TimeoutError:
                return TOO_SLOW
            except (RuntimeError, WebSocketDisconnect):  # Starlette: already closed
                return NORMAL
            self._outbox.task_done()


def _token_of(socket: WebSocket) -> tuple[str | None, str | None]:
    """Return the token among the sub-protocols that a client offers, and the one to agree on."""
    offered = [str(item) for item in socket.scope.get("subprotocols", ())]
    token = next((item for item in offered if item.count(".") == 2), None)
    named = next((item for item in offered if item != token), token)
    return token, named


_HANDLERS: dict[type, Callable[[_Connection, Any], Awaitable[Any]]] = {
    m.GetRouterRtpCapabilities: _Connection._capabilities,
    m.Ping: _Connection._ping,
    m.Leave: _Connection._leave,
    m.RestartIce: _Connection._restart_ice,
    m.CreateProducerTransport: _Connection._create_producer_transport,
    m.ConnectProducerTransport: _Connection._connect_producer_transport,
    m.Produce: _Connection._produce,
    m.ProduceData: _Connection._produce_data,
    m.CloseProducer: _Connection._close_producer,
    m.PauseProducer: _Connection._pause_producer,
    m.ResumeProducer: _Connection._resume_producer,
    m.CloseDataProducer: _Connection._close_data_producer,
    m.CreateConsumerTransport: _Connection._create_consumer_transport,
    m.ConnectConsumerTransport: _Connection._connect_consumer_transport,
    m.Consume: _Connection._consume,
    m.ConsumeData: _Connection._consume_data,
    m.Pause: _Connection._pause,
    m.Resume: _Connection._resume,
    m.CloseConsumer: _Connection._close_consumer,
    m.CloseDataConsumer: _Connection._close_data_consumer,
    m.SetPreferredLayers: _Connection._set_preferred_layers,
    m.RequestKeyFrame: _Connection._request_key_frame,
}
