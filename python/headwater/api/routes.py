"""The HTTP application: everything that is served is mounted here, and nothing is decided here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fastapi import APIRouter, FastAPI, Request
from starlette.responses import JSONResponse, Response
from starlette.websockets import WebSocket

from headwater.api.channels import ChannelSockets
from headwater.api.docs import install_docs
from headwater.api.embedding import EmbedCors, EmbedPolicy
from headwater.api.middleware import BodyLimit, SecurityHeaders
from headwater.api.pages import install_pages
from headwater.api.problems import PROBLEM_RESPONSES, install_problem_handlers
from headwater.api.signaling import Signaling
from headwater.auth import Gate
from headwater.channels import Channels
from headwater.channels.routes import channel_routes
from headwater.config import Settings
from headwater.loopback import is_loopback_request
from headwater.meetings.rooms import RoomsService
from headwater.meetings.rooms.routes import meeting_routes
from headwater.telemetry import Metrics

__all__ = ["ApiParts", "build_api"]


@dataclass(frozen=True, slots=True)
class ApiParts:
    """What the application is made of; built in ``headwater.app``."""

    settings: Settings
    service: RoomsService
    channels: Channels
    gate: Gate
    metrics: Metrics
    ready: Callable[[], bool]
    listeners: Sequence[APIRouter] = ()
    version: str = "0"


def build_api(parts: ApiParts) -> FastAPI:
    """Put the HTTP application together."""
    app = FastAPI(
        title="Headwater",
        version=parts.version,
        docs_url=None,
        redoc_url=None,
        responses=PROBLEM_RESPONSES,
    )
    install_problem_handlers(app, lambda code: parts.metrics.problems.labels(code).inc())
    embed = EmbedPolicy(parts.settings.embed_origins, dev=parts.settings.dev)
    app.add_middleware(EmbedCors, policy=embed)
    app.add_middleware(BodyLimit, limit=parts.settings.limits.body_bytes)
    app.add_middleware(SecurityHeaders, tls=not parts.settings.dev)
    app.include_router(meeting_routes(parts.service, parts.gate))
    app.include_router(channel_routes(parts.channels, parts.gate))
    for listener in parts.listeners:
        app.include_router(listener)
    app.include_router(_operation(parts))
    _install_signaling(app, parts)
    _install_channels(app, parts)
    install_docs(app)
    install_pages(app, embed=embed)
    return app


def _operation(parts: ApiParts) -> APIRouter:
    router = APIRouter(tags=["operation"])

    @router.get("/healthz", summary="Is the process alive?")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @router.get("/readyz", summary="Can media flow?", responses={503: {"description": "not yet, or no more"}})
    async def readyz() -> Response:
        ready = parts.ready()
        return JSONResponse({"status": "ready" if ready else "not ready"}, 200 if ready else 503)

    @router.get("/metrics", summary="Prometheus metrics", response_class=Response)
    async def metrics(request: Request) -> Response:
        # Numbers only, but not for strangers: this machine, or whoever has the API key.
        if not is_loopback_request(request.client.host if request.client else None, request.headers):
            parts.gate.require_admin(request.headers.get("authorization"))
        return Response(parts.metrics.render(), media_type=parts.metrics.content_type)

    return router


def _install_signaling(app: FastAPI, parts: ApiParts) -> None:
    signaling = Signaling(parts.service, parts.gate, parts.settings, parts.metrics)

    @app.websocket("/signaling/join")
    async def join(socket: WebSocket) -> None:
        await signaling.serve(socket)

    @app.websocket("/signaling/offer")
    async def offer(socket: WebSocket) -> None:
        await signaling.serve(socket, bare_offers=True)


def _install_channels(app: FastAPI, parts: ApiParts) -> None:
    sockets = ChannelSockets(parts.channels, parts.gate, parts.settings, parts.metrics)

    @app.websocket("/channels")
    async def channels(socket: WebSocket) -> None:
        await sockets.serve(socket, socket.query_params.get("channelId"))

    @app.websocket("/channels/{channel_id}")
    async def channel(socket: WebSocket, channel_id: str) -> None:
        await sockets.serve(socket, channel_id)
