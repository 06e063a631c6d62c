"""Signalling: ``/signaling/join``, one participant per WebSocket.

States of a connection::

    opened -> (first message: join) -> joined -> left          leave: everything of theirs ends
                     |                    `----> lost          keeps the place for the grace time
                     `-> refused (error, then close)

Two tasks serve a joined connection: the reader works off requests one after the other, the pump
sends what the room tells. A third waits for the moment when the client has let too much pile up.
``/signaling/offer`` is the same with one ease: a message with ``sdp`` and no ``type`` is an offer.

Close codes: 1000 after ``leave`` or ``bye``, 1008 refused, 1009 frame too large, 1013 too slow or
server full, 1012 server going down.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass

import msgspec
import structlog
from starlette.websockets import WebSocket, WebSocketDisconnect

from headwater.api import messages as m
from headwater.api.closing import GOING_DOWN, NORMAL, POLICY, TOO_LARGE, TOO_SLOW, close_socket
from headwater.api.middleware import origin_allowed
from headwater.api.problems import problem_of
from headwater.api.translate import (
    candidate_text,
    layer_wish,
    message_of,
    participant_info,
    track_hints,
    why_answer,
)
from headwater.auth import Gate
from headwater.config import Settings
from headwater.errors import BufferFull, Forbidden, HeadwaterError, InvalidMessage, ResourceError
from headwater.meetings.rooms import JoinRequest, RoomsService
from headwater.meetings.rooms.events import Ended
from headwater.meetings.rooms.service import Joining
from headwater.telemetry import Metrics, get_logger

__all__ = ["Signaling"]

_log = get_logger(__name__)
FIRST_MESSAGE_SECONDS = 10.0
"""How long a fresh connection may stay silent."""
SEND_SECONDS = 10.0
"""How long one message may wait for a client that does not read."""
_REFRESH_LEAD = 60.0
"""A fresh token is sent this many seconds before the old one expires, or at half its life."""

_requests: msgspec.json.Decoder[m.ClientMessage] = msgspec.json.Decoder(m.ClientMessage)
_first = msgspec.json.Decoder(m.Join)
_bare_offer = msgspec.json.Decoder(m.Offer)
_encoder = msgspec.json.Encoder()

RequestId = int | str | None


class _FrameTooLarge(Exception):
    """A frame beyond its bound; ends the connection with 1009."""


@dataclass(frozen=True, slots=True)
class Signaling:
    """Makes and serves connections; one per application."""

    service: RoomsService
    gate: Gate
    settings: Settings
    metrics: Metrics

    async def serve(self, socket: WebSocket, *, bare_offers: bool = False) -> None:
        """Serve one WebSocket until it ends."""
        origin, host = socket.headers.get("origin"), socket.headers.get("host")
        if not origin_allowed(origin, host, allowed=self.settings.allowed_origins, dev=self.settings.dev):
            await socket.close(POLICY)  # before accepting, so the client gets HTTP 403
            return
        await socket.accept()
        await _Connection(self, socket, bare_offers=bare_offers).run()


class _Connection:
    def __init__(self, owner: Signaling, socket: WebSocket, *, bare_offers: bool) -> None:
        self._owner = owner
        self._socket = socket
        self._bare_offers = bare_offers
        self._sending = asyncio.Lock()
        self._left = False

    async def run(self) -> None:
        """Join, then serve until either side ends it."""
        joining = await self._join()
        if joining is None:
            return
        structlog.contextvars.bind_contextvars(
            room=joining.room.meeting.id, participant=joining.participant.id
        )
        code = NORMAL
        try:
            code = await self._serve(joining)
        finally:
            if self._left:
                await self._owner.service.leave(joining.room, joining.participant)
            else:
                self._owner.service.connection_lost(joining)
            await close_socket(self._socket, code)

    # --- joining -------------------------------------------------------------------------------

    async def _join(self) -> Joining | None:
        request_id: RequestId = None
        try:
            async with asyncio.timeout(FIRST_MESSAGE_SECONDS):
                text = await self._receive()
            message = self._parse_first(text)
            request_id = message.id
            claims = self._owner.gate.claims(message.token)
            joining = await self._owner.service.join(
                JoinRequest(
                    room=message.meeting_id,
                    claims=claims,
                    protocol="webrtc",
                    name=message.name,
                    resume=message.resume,
                    restart=message.restart,
                )
            )
        except WebSocketDisconnect:
            return None
        except TimeoutError:
            await self._refuse(InvalidMessage("the first message must be a join, within 10 s"), None)
            return None
        except HeadwaterError as error:
            await self._refuse(error, request_id)
            return None
        self._owner.metrics.joins.labels("webrtc").inc()
        try:
            await self._send(self._joined(joining, request_id))
        except (WebSocketDisconnect, BufferFull):
            self._owner.service.connection_lost(joining)
            return None
        return joining

    def _parse_first(self, text: str) -> m.Join:
        self._owner.metrics.messages.labels("join").inc()
        bound = self._owner.settings.limits.message_bytes
        if len(text) > bound:
            raise InvalidMessage(f"the first message exceeds {bound} bytes")
        try:
            return _first.decode(text)
        except (msgspec.DecodeError, RecursionError) as error:
            raise InvalidMessage(f"the first message must be a join: {error}") from None

    def _joined(self, joining: Joining, request_id: RequestId) -> m.Joined:
        participant = joining.participant
        return m.Joined(
            participant_id=participant.id,
            meeting_id=joining.room.meeting.id,
            connection_id=participant.endpoint.conn_id,
            name=participant.name,
            role=participant.role,
            participants=[participant_info(other.view) for other in joining.room.others(participant)],
            ice_servers=[s.model_dump(exclude_none=True) for s in self._owner.settings.ice_servers],
            resumed=joining.resumed,
            id=request_id,
        )

    async def _refuse(self, error: HeadwaterError, request_id: RequestId) -> None:
        with contextlib.suppress(WebSocketDisconnect, BufferFull):
            await self._send_problem(error, request_id)
        await close_socket(self._socket, TOO_SLOW if isinstance(error, ResourceError) else POLICY)

    # --- serving -------------------------------------------------------------------------------

    async def _serve(self, joining: Joining) -> int:
        """Run reader, pump and token refresh until the first of them ends; return the close code."""
        works = [
            asyncio.create_task(self._read(joining), name="signaling reader"),
            asyncio.create_task(self._pump(joining), name="signaling pump"),
            asyncio.create_task(joining.events.wait_overflow(), name="signaling overflow"),
            asyncio.create_task(self._refresh_tokens(joining), name="signaling tokens"),
        ]
        try:
            done, _ = await asyncio.wait(works, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for work in works:
                work.cancel()
            results = await asyncio.gather(*works, return_exceptions=True)
        for error in results:
            expected = WebSocketDisconnect | BufferFull | _FrameTooLarge
            if isinstance(error, Exception) and not isinstance(error, expected):
                _log.error("signalling failed", exc_info=error)
        if works[2] in done or any(isinstance(error, BufferFull) for error in results):
            _log.info("client too slow")
            return TOO_SLOW
        if any(isinstance(error, _FrameTooLarge) for error in results):
            _log.info("frame too large")
            return TOO_LARGE
        ended = works[1].result() if works[1] in done and not works[1].exception() else None
        return GOING_DOWN if ended is not None and ended.reason == "server_shutdown" else NORMAL

    async def _read(self, joining: Joining) -> None:
        while not self._left:
            text = await self._receive()
            await self._handle_text(joining, text)

    async def _pump(self, joining: Joining) -> Ended:
        while True:
            event = await joining.events.get()
            await self._send(message_of(event))
            if isinstance(event, Ended):
                return event

    async def _refresh_tokens(self, joining: Joining) -> None:
        claims = joining.participant.claims
        while claims is not None:
            left = claims.expires_at - time.time()
            await asyncio.sleep(max(1.0, left - min(_REFRESH_LEAD, claims.lifetime / 2)))
            token = self._owner.gate.authority.refresh(claims)
            claims = self._owner.gate.authority.verify(token)
            joining.participant.claims = claims
            await self._send(m.Token(token=token, expires_at=claims.expires_at))
        await asyncio.Event().wait()  # guests have no token; end with the others

    async def _handle_text(self, joining: Joining, text: str) -> None:
        request_id: RequestId = None
        try:
            message = self._parse_bounded(text)
            request_id = message.id
            reply = await self._dispatch(joining, message)
        except HeadwaterError as error:
            await self._send_problem(error, request_id)
            return
        if reply is not None:
            await self._send(reply)

    def _parse_bounded(self, text: str) -> m.ClientMessage:
        """Parse a frame; only an answer, as long as the offer it answers, may exceed the bound."""
        large = len(text) > self._owner.settings.limits.message_bytes
        try:
            message = self._parse(text)
        except InvalidMessage:
            if large:
                raise _FrameTooLarge from None
            raise
        if large and not isinstance(message, m.Answer):
            raise _FrameTooLarge
        return message

    def _parse(self, text: str) -> m.ClientMessage:
        message: m.ClientMessage
        try:
            message = _requests.decode(text)
        except (msgspec.DecodeError, RecursionError) as error:
            if not self._bare_offers:
                raise InvalidMessage(str(error)) from None
            try:
                message = _bare_offer.decode(text)
            except (msgspec.DecodeError, RecursionError):
                raise InvalidMessage(str(error)) from None
        self._owner.metrics.messages.labels(type(message).__struct_config__.tag).inc()
        return message

    async def _dispatch(self, joining: Joining, message: m.ClientMessage) -> m.ServerMessage | None:
        participant = joining.participant
        match message:
            case m.Offer():
                return await self._offer(joining, message)
            case m.Answer():
                if message.transport != "subscribe":
                    raise InvalidMessage("the server answers on the publish transport")
                await participant.subscriptions.answer(message.sdp)
            case m.Candidate():
                await self._candidate(joining, message)
            case m.Mute():
                await participant.publications.set_muted(message.publisher_id, muted=message.muted)
            case m.SetSubscription():
                await participant.subscriptions.set_paused(message.publisher_id, paused=message.paused)
            case m.SetLayers():
                await participant.subscriptions.set_layers(message.publisher_id, layer_wish(message))
            case m.Why():
                account = await participant.subscriptions.explain(message.publisher_id)
                return why_answer(message.publisher_id, account, message.id)
            case m.RequestKeyFrame():
                await joining.room.request_key_frame(message.publisher_id)
            case m.RestartIce():
                participant.subscriptions.restart_ice()
            case m.Update():
                self._owner.service.rename(joining, message.name)
            case m.Ping():
                return m.Pong(id=message.id)
            case m.Leave():
                self._left = True
                return m.Left(id=message.id)
            case m.Join():
                raise InvalidMessage("you have joined already")
        return m.Pong(id=message.id) if message.id is not None else None

    async def _offer(self, joining: Joining, message: m.Offer) -> m.ServerAnswer:
        if message.transport != "publish":
            raise InvalidMessage("the server offers on the subscribe transport")
        joining.participant.require("publish")
        sdp, pairs = await joining.participant.publications.accept_offer(
            message.sdp, track_hints(message.tracks)
        )
        tracks = [m.PublishedTrack(mid=mid, publisher_id=publisher_id) for mid, publisher_id in pairs]
        return m.ServerAnswer(sdp=sdp, tracks=tracks, id=message.id)

    async def _candidate(self, joining: Joining, message: m.Candidate) -> None:
        """Take a candidate; the server learns addresses from checks, so an early one is no loss."""
        participant = joining.participant
        side = participant.publications if message.transport == "publish" else participant.receiving
        if side is None:
            raise Forbidden("the token lacks the grant 'subscribe'")
        if side.transport is not None:
            await side.add_candidate(candidate_text(message))

    # --- frames --------------------------------------------------------------------------------

    async def _receive(self) -> str:
        """Wait for a text frame; the WebSocket layer bounds its size (close 1009)."""
        message = await self._socket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1005))
        text = message.get("text")
        return text if isinstance(text, str) else ""  # a binary frame is no message: InvalidMessage

    async def _send(self, message: m.ServerMessage) -> None:
        text = _encoder.encode(message).decode()
        try:
            async with self._sending, asyncio.timeout(SEND_SECONDS):
                await self._socket.send_text(text)
        except TimeoutError:
            raise BufferFull("the client does not read") from None
        except RuntimeError as error:  # Starlette: already closed
            raise WebSocketDisconnect(1006) from error

    async def _send_problem(self, error: HeadwaterError, request_id: RequestId) -> None:
        problem = problem_of(error)
        self._owner.metrics.problems.labels(problem.code).inc()
        if problem.status >= 500 and not isinstance(error, ResourceError):
            _log.error("request failed", exc_info=error)
        await self._send(m.Error(problem=problem, id=request_id))
