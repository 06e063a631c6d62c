"""WHIP (RFC 9725) and WHEP (draft-ietf-wish-whep-04): software we did not write sends, and watches.

``POST /whip/{room}`` takes a seat that sends, ``POST /whep/{room}`` one that watches, in a meeting or a
channel (``seats.py``); the answer holds all candidates. The session URL carries the connection id (128
random bits, and the node that holds it) and works with the same bearer token alone. Checks come in this
order: token, media types, room, body. Sessions::

    offered -> connected -> gone       DELETE, ICE failure, no connection in time, room closed
       |`- PATCH: candidates (If-Match: etag) or ICE restart (If-Match: *)
       `- 406 with our offer (WHEP, when the client's is of no use) -> PATCH with its answer
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Request
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from headwater.auth import Claims, Gate, digest, parse_bearer, same_digest
from headwater.channels import Channels
from headwater.config import Settings
from headwater.errors import HeadwaterError, InvalidSdp, NotFound, Unauthorized, UnsupportedCodec
from headwater.meetings.rooms import RoomsService
from headwater.meetings.rooms.models import check_sdp
from headwater.protocols import whip
from headwater.protocols.sdp import parse_sdp
from headwater.servers.seats import Kind, RoomDirectory, Seat
from headwater.tasks import Tasks
from headwater.telemetry import Metrics, get_logger

__all__ = ["WhipCors", "WhipListener"]

_log = get_logger(__name__)
CONNECT_SECONDS = 30.0
"""A client that has not connected by then is let go."""
_METHODS = "POST, PATCH, DELETE, OPTIONS"


@dataclass(slots=True)
class _Session:
    """One client. ``token`` is a digest: a later request must bring the same one."""

    kind: Kind
    seat: Seat
    token: bytes
    offer: str
    etag: str = ""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    tasks: Tasks = field(default_factory=Tasks)

    @property
    def id(self) -> str:
        """The connection id, which is the last part of the session URL."""
        return self.seat.conn_id


class WhipListener:
    """The HTTP side of WHIP and WHEP.

    Args:
        service: Meetings.
        channels: Channels.
        gate: Checks tokens.
        settings: ICE servers and bounds.
        metrics: Counts joins.
    """

    def __init__(
        self,
        *,
        service: RoomsService,
        channels: Channels,
        gate: Gate,
        settings: Settings,
        metrics: Metrics,
    ) -> None:
        self._rooms = RoomDirectory(rooms=service, channels=channels, gate=gate)
        self._gate = gate
        self._settings = settings
        self._metrics = metrics
        self._sessions: dict[str, _Session] = {}
        self._by_token: dict[tuple[Kind, str], str] = {}
        self._tasks = Tasks()

    def __len__(self) -> int:
        return len(self._sessions)

    def routes(self) -> APIRouter:
        """Build the routes of both protocols."""
        router = APIRouter(tags=["WHIP and WHEP"])

        def add(kind: Kind, verb: str) -> None:
            async def post(request: Request, room: str) -> Response:
                return await self._post(request, kind, room)

            async def patch(request: Request, room: str, session: str) -> Response:
                return await self._patch(request, kind, room, session)

            async def delete(request: Request, room: str, session: str) -> Response:
                return await self._delete(request, kind, room, session)

            endpoint, resource = f"/{kind}/{{room}}", f"/{kind}/{{room}}/{{session}}"
            router.add_api_route(
                endpoint, post, methods=["POST"], status_code=201, name=f"{kind}_post",
                summary=f"{verb} a room by {kind.upper()}", response_class=Response, responses=_CREATED,
                openapi_extra={"requestBody": _text_of(whip.SDP) | {"required": True}},
            )  # fmt: skip
            router.add_api_route(
                resource, patch, methods=["PATCH"], status_code=204, name=f"{kind}_patch",
                summary="Add candidates, or restart ICE", response_class=Response, responses=_PATCHED,
                openapi_extra={"requestBody": _text_of(whip.TRICKLE_FRAGMENT) | {"required": True}},
            )  # fmt: skip
            router.add_api_route(
                resource, delete, methods=["DELETE"], name=f"{kind}_delete", summary="End the session",
                response_class=Response, responses={200: {"description": "it has ended"}},
            )  # fmt: skip
            for path in (endpoint, resource):
                router.add_api_route(path, _options, methods=["OPTIONS"], include_in_schema=False)
            # RFC 9725 section 4.1: there is nothing to read, and that is no error. WHEP section 4.1: a HEAD
            # tells players what the address is.
            reading = ["GET", "HEAD"]
            router.add_api_route(endpoint, _nothing_here, methods=reading, include_in_schema=False)
            router.add_api_route(resource, _nothing, methods=reading, include_in_schema=False)
            # Whoever pastes the address with a slash at its end is shown the way (RFC 9725 section 4.2).
            router.add_api_route(f"{endpoint}/", _options, methods=["OPTIONS"], include_in_schema=False)
            router.add_api_route(f"{endpoint}/", _onwards, methods=_READ_OR_POST, include_in_schema=False)
            # Without this the static files would say 404.
            router.add_api_route(endpoint, _not_allowed, methods=_OTHERS_POST, include_in_schema=False)
            router.add_api_route(resource, _not_allowed, methods=_OTHERS_SESSION, include_in_schema=False)

        add("whip", "Send into")
        add("whep", "Watch")
        return router

    async def close(self) -> None:
        """End all sessions."""
        for session in list(self._sessions.values()):
            await self._end(session, "server_shutdown")
        await self._tasks.close()

    # --- requests ------------------------------------------------------------------------------

    async def _post(self, request: Request, kind: Kind, room: str) -> Response:
        header = request.headers.get("authorization")
        await self._rooms.look(room)
        claims = self._rooms.authorise(kind, room, header)
        self._rooms.refuse_strangers(claims, request.headers.get("origin"))
        if not whip.is_media_type(request.headers.get("content-type"), whip.SDP):
            raise HTTPException(415, f"send the offer as {whip.SDP}", headers={"Accept-Post": whip.SDP})
        if not whip.accepts(request.headers.get("accept"), whip.SDP):
            raise HTTPException(406, f"the answer is {whip.SDP}")
        self._rooms.check(room)
        offer = await self._text(request)
        check_sdp(offer, self._settings.limits)
        parse_sdp(offer)  # refuse what is no SDP before anything is made for it
        if (before := self._before(kind, claims)) is not None:
            before.seat.make_way()
        seat = await self._rooms.enter(kind, room, claims)
        session = _Session(kind, seat, digest(parse_bearer(header)), offer)
        try:
            answer, status = await self._answer_or_offer(session, offer)
        except BaseException:
            await seat.leave("failed")
            raise
        self._sessions[session.id] = session  # first, so that a third one finds it while this one waits
        await self._replace(session, claims)
        self._metrics.joins.labels(kind).inc()
        session.tasks.spawn(self._follow(session), name=f"{kind} session")
        session.tasks.spawn(self._expect_connection(session), name=f"{kind} connection")
        return self._created(session, room, answer, status)

    async def _patch(self, request: Request, kind: Kind, room: str, session_id: str) -> Response:
        session = self._find(request, kind, room, session_id)
        if kind == "whep" and whip.is_media_type(request.headers.get("content-type"), whip.SDP):
            await session.seat.accept_answer(await self._text(request))
            return Response(status_code=204)
        if not whip.is_media_type(request.headers.get("content-type"), whip.TRICKLE_FRAGMENT):
            raise HTTPException(
                415, f"send {whip.TRICKLE_FRAGMENT}", headers={"Accept-Patch": whip.TRICKLE_FRAGMENT}
            )
        condition = request.headers.get("if-match")
        if condition is None:
            raise HTTPException(
                428, 'say which ICE session is meant: If-Match with its ETag, or "*" to restart'
            )
        matched = whip.matches(condition, session.etag)
        if matched == "other":
            raise HTTPException(412, "the ICE session has changed")
        fragment = whip.parse_fragment(await self._text(request))
        async with session.lock:
            restart = (fragment.ufrag, fragment.pwd) != _credentials(
                session.offer
            ) and fragment.ufrag is not None
            if restart and matched != "any":
                raise HTTPException(412, 'new credentials are a restart, which needs If-Match: "*"')
            if not restart:
                await self._add_candidates(session, fragment.candidates)
                return Response(status_code=204)
            return await self._restart(session, fragment)

    async def _delete(self, request: Request, kind: Kind, room: str, session_id: str) -> Response:
        session = self._find(request, kind, room, session_id)
        await self._end(session, "left")
        return Response(status_code=200)

    # --- how -----------------------------------------------------------------------------------

    def _find(self, request: Request, kind: Kind, room: str, session_id: str) -> _Session:
        """Find a session: first the token, so that session URLs cannot be probed.

        The token that made a session ends or mends it even after it has expired: clients keep sending
        for hours with the one they began with.
        """
        header = request.headers.get("authorization")
        session = self._sessions.get(session_id)
        mine = session is not None and same_digest(session.token, parse_bearer(header))
        if not mine:
            self._gate.room_claims(header, room)
        if session is None or session.kind != kind or session.seat.room_id != room:
            raise NotFound("no such session")
        if not mine:
            raise Unauthorized("the session was made with another token")
        return session

    async def _text(self, request: Request) -> str:
        limit = self._settings.limits.sdp_bytes
        chunks: list[bytes] = []
        size = 0
        async for chunk in request.stream():
            size += len(chunk)
            if size > limit:
                raise HTTPException(413, f"the session description exceeds {limit} bytes")
            chunks.append(chunk)
        try:
            return b"".join(chunks).decode()
        except UnicodeDecodeError:
            raise InvalidSdp("the body is not UTF-8") from None

    async def _negotiate(self, session: _Session, offer: str) -> str:
        answer = await session.seat.answer(offer)
        session.offer, session.etag = offer, _etag(answer)
        return answer

    async def _answer_or_offer(self, session: _Session, offer: str) -> tuple[str, int]:
        """Answer the first offer with 201; where it is of no use, offer what there is with 406."""
        try:
            return await self._negotiate(session, offer), 201
        except UnsupportedCodec:
            if (counter := await session.seat.counter_offer()) is None:
                raise
            session.etag = _etag(counter)
            return counter, 406

    def _before(self, kind: Kind, claims: Claims | None) -> _Session | None:
        """The session that the same token has already."""
        if claims is None or kind != "whip":
            return None
        return self._sessions.get(self._by_token.get((kind, claims.token_id), ""))

    async def _replace(self, session: _Session, claims: Claims | None) -> None:
        """One token sends once: a client that lost its session and comes again takes its own place."""
        if claims is None or session.kind != "whip":
            return
        before = self._before(session.kind, claims)
        self._by_token[(session.kind, claims.token_id)] = session.id
        if before is not None:
            await self._end(before, "replaced")

    def _created(self, session: _Session, room: str, answer: str, status: int) -> Response:
        headers = MutableHeaders(
            {
                "Location": f"/{session.kind}/{quote(room, safe='')}/{session.id}",
                "ETag": session.etag,
                "Accept-Patch": whip.TRICKLE_FRAGMENT,
            }
        )
        for server in self._settings.ice_servers:
            for link in whip.link_header(server.urls, username=server.username, credential=server.credential):
                headers.append("Link", link)
        response = Response(answer, status, media_type=whip.SDP)
        response.raw_headers.extend(headers.raw)
        return response

    async def _add_candidates(self, session: _Session, candidates: tuple[str, ...]) -> None:
        for candidate in candidates:
            await session.seat.add_candidate(candidate)

    async def _restart(self, session: _Session, fragment: whip.Fragment) -> Response:
        assert fragment.ufrag is not None
        assert fragment.pwd is not None
        offer = whip.with_credentials(session.offer, ufrag=fragment.ufrag, pwd=fragment.pwd)
        answer = await self._negotiate(session, offer)
        await self._add_candidates(session, fragment.candidates)
        return Response(
            whip.fragment_of_answer(answer),
            200,
            headers={"ETag": session.etag},
            media_type=whip.TRICKLE_FRAGMENT,
        )

    async def _follow(self, session: _Session) -> None:
        """Wait for the end of the seat; nothing else is told to the client."""
        reason = await session.seat.wait_over()
        self._tasks.spawn(self._end(session, reason), name="end of session")

    async def _expect_connection(self, session: _Session) -> None:
        await asyncio.sleep(CONNECT_SECONDS)
        if not session.seat.connected:
            self._tasks.spawn(self._end(session, "not_connected"), name="end of session")

    async def _end(self, session: _Session, reason: str) -> None:
        if self._sessions.pop(session.id, None) is None:
            return
        for key in [key for key, value in self._by_token.items() if value == session.id]:
            del self._by_token[key]
        await session.tasks.close()
        try:
            await session.seat.leave(reason)
        except HeadwaterError as error:
            _log.info("session was ended by its room", reason=str(error))


class WhipCors:
    """Lets pages of any origin use WHIP and WHEP (RFC 9725 section 4.9): tokens protect, not cookies.

    Args:
        app: The wrapped application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or not scope["path"].startswith(("/whip/", "/whep/")):
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Access-Control-Allow-Origin"] = "*"
                headers["Access-Control-Expose-Headers"] = "Location, ETag, Link, Accept-Patch, Retry-After"
            await send(message)

        await self._app(scope, receive, send_with_headers)


def _text_of(media_type: str) -> dict[str, Any]:
    return {"content": {media_type: {"schema": {"type": "string"}}}}


_CREATED: dict[int | str, dict[str, Any]] = {
    201: {"description": "the answer with all candidates; Location is the session, ETag its ICE session"}
    | _text_of(whip.SDP),
    406: {"description": "WHEP: our offer, when yours is of no use; answer it by PATCH within 30 s"}
    | _text_of(whip.SDP),
    409: {"description": "somebody broadcasts on the channel, or (WHEP) nobody does: see Retry-After"},
}
_PATCHED: dict[int | str, dict[str, Any]] = {
    200: {"description": "ICE restarts: the server's new credentials and candidates, and a new ETag"}
    | _text_of(whip.TRICKLE_FRAGMENT),
    204: {"description": "candidates were taken, or the answer to our offer"},
}
_READ_OR_POST = ["GET", "HEAD", "POST"]
_OTHERS_POST = ["PUT", "PATCH", "DELETE"]
_OTHERS_SESSION = ["PUT", "POST"]


async def _onwards(request: Request) -> Response:
    """307: the same request, body and all, at the address without the slash."""
    path = quote(request.url.path.rstrip("/"))
    return Response(
        status_code=307, headers={"Location": f"{path}?{query}" if (query := request.url.query) else path}
    )


async def _nothing_here() -> Response:
    return Response(status_code=200, headers={"Content-Type": whip.SDP})


async def _nothing() -> Response:
    return Response(status_code=204)


async def _options() -> Response:
    return Response(
        status_code=200,
        headers={
            "Allow": _METHODS,
            "Accept-Post": whip.SDP,
            "Accept-Patch": whip.TRICKLE_FRAGMENT,
            "Access-Control-Allow-Methods": _METHODS,
            "Access-Control-Allow-Headers": "Authorization, Content-Type, If-Match",
            "Access-Control-Max-Age": "86400",
        },
    )


async def _not_allowed() -> Response:
    raise HTTPException(405, headers={"Allow": _METHODS})


def _credentials(offer: str) -> tuple[str, str] | None:
    return parse_sdp(offer).ice_credentials()


def _etag(description: str) -> str:
    return whip.entity_tag(*(_credentials(description) or ("", "")))
