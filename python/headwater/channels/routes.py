"""The HTTP side of channels: make, list, look at, end; tokens and the newest picture.

Whoever has the API key, or a token for room ``*`` with the grant ``publish``, makes channels. Public ones are
seen by whoever knows the id; ids that the server made are listed for administrators alone. Private ones
need a token for them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Header, Path, Query, Request, Response, status
from pydantic import BaseModel, ConfigDict, Field

from headwater.auth import MAX_PATH_TTL, Claims, Gate, Grant
from headwater.channels.channel import Channel
from headwater.channels.events import State
from headwater.channels.models import ChannelRecord, Visibility
from headwater.channels.service import Channels
from headwater.errors import ChannelNotFound, NotFound

__all__ = ["channel_routes"]

Authorization = Annotated[str | None, Header(description="`Bearer` with the API key or a token")]
ChannelPath = Annotated[str, Path(alias="channelId")]
MAX_TTL = 30 * 24 * 3600
"""Seconds a token minted over HTTP may live: encoders are set up once."""


class NewChannelBody(BaseModel):
    """Body of ``POST /channels``; may be empty."""

    model_config = ConfigDict(extra="forbid")

    slug: str | None = Field(
        default=None, description="a public id of your own: 3 to 64 small letters, digits, hyphens"
    )
    title: str = Field(default="", max_length=256)
    visibility: Visibility = Field(default="public", description="`private`: watching needs a token")
    reusable: bool = Field(default=True, description="whether it can go live again after a broadcast")


class Links(BaseModel):
    """Addresses of a channel."""

    watch: str = Field(description="the page to watch on")
    embed: str = Field(description="the player alone, for a frame")
    studio: str = Field(description="the page to send from")
    whip: str = Field(description="where OBS, FFmpeg or GStreamer send to")
    whep: str
    hls: str
    thumbnail: str = Field(
        description="the newest picture of a show; of a private channel signed: an `<img>` can load it"
    )


class ChannelBody(BaseModel):
    """A channel."""

    channel_id: str = Field(serialization_alias="channelId")
    slug: str | None
    title: str
    owner: str
    visibility: Visibility
    reusable: bool
    state: State
    over: bool = Field(description="ended for good")
    viewers: int = Field(description="who watch by WebRTC now")
    peak_viewers: int
    created_at: datetime
    went_live_at: datetime | None
    ended_at: datetime | None
    rewind_seconds: float = Field(description="so far back HLS viewers can go now")
    now: datetime = Field(description="the node's clock, for players that say how far behind they are")
    links: Links


class NewTokenBody(BaseModel):
    """Body of ``POST /channels/{channelId}/tokens``."""

    model_config = ConfigDict(extra="forbid")

    identity: str = Field(min_length=1, max_length=256)
    name: str | None = Field(default=None, min_length=1, max_length=256)
    grants: list[Grant] = Field(default=["view"], description="`publish`, `view`, `data`")
    ttl: int = Field(default=600, ge=1, le=MAX_TTL, description="seconds")


class TokenBody(BaseModel):
    """A token for one channel."""

    token: str
    expires_at: int = Field(description="seconds since 1970")


class NewLinkBody(BaseModel):
    """Body of ``POST /channels/{channelId}/links``; may be empty."""

    model_config = ConfigDict(extra="forbid")

    ttl: int = Field(default=3600, ge=1, le=MAX_PATH_TTL, description="seconds")


class LinkBody(BaseModel):
    """Links that let whoever has them watch by HLS, and see the newest picture."""

    hls: str
    thumbnail: str
    expires_at: int = Field(description="seconds since 1970")


def channel_routes(channels: Channels, gate: Gate) -> APIRouter:
    """Build the routes of channels."""
    router = APIRouter(tags=["channels"])

    @router.post("/channels", status_code=status.HTTP_201_CREATED, summary="Make a channel")
    async def create(
        request: Request,
        response: Response,
        body: NewChannelBody | None = None,
        authorization: Authorization = None,
    ) -> ChannelBody:
        owner = gate.require_creator(authorization)
        wished = body or NewChannelBody()
        channel = await channels.create(
            owner,
            slug=wished.slug,
            title=wished.title,
            visibility=wished.visibility,
            reusable=wished.reusable,
        )
        response.headers["Location"] = f"/channels/{quote(channel.id, safe='')}"
        return _body(request, channels, gate, channel.record)

    @router.get("/channels", summary="List channels")
    async def browse(
        request: Request,
        state: State | None = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
        offset: Annotated[int, Query(ge=0)] = 0,
        authorization: Authorization = None,
    ) -> list[ChannelBody]:
        everything = authorization is not None or gate.open_house
        if everything:
            gate.require_admin(authorization)
        records = await channels.browse(state=state, listed=not everything, limit=limit, offset=offset)
        return [_body(request, channels, gate, record) for record in records]

    @router.get("/channels/history", summary="List all channels there ever were")
    async def history(
        request: Request,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
        offset: Annotated[int, Query(ge=0)] = 0,
        authorization: Authorization = None,
    ) -> list[ChannelBody]:
        gate.require_admin(authorization)
        records = await channels.history(limit=limit, offset=offset)
        return [_body(request, channels, gate, record) for record in records]

    @router.get("/channels/{channelId}", summary="Look at a channel")
    async def read(
        request: Request, channel_id: ChannelPath, authorization: Authorization = None
    ) -> ChannelBody:
        record = await _seen(channels, gate, authorization, channel_id)
        return _body(request, channels, gate, record)

    @router.delete(
        "/channels/{channelId}", status_code=status.HTTP_204_NO_CONTENT, summary="End a channel for good"
    )
    async def end(channel_id: ChannelPath, authorization: Authorization = None) -> None:
        channel = await _owned(channels, gate, authorization, channel_id)
        await channel.end()

    @router.get(
        "/channels/{channelId}/thumbnail.jpg",
        summary="The newest picture of a live channel",
        response_class=Response,
        responses={200: {"content": {"image/jpeg": {}}}},
    )
    async def thumbnail(
        request: Request, channel_id: ChannelPath, authorization: Authorization = None
    ) -> Response:
        if authorization is None and "signature" in request.query_params:
            await _check_picture(request, channels, gate, channel_id)
        else:
            await _seen(channels, gate, authorization, channel_id)
        channel = await channels.find(channel_id)
        if channel.thumbnail is None:
            raise NotFound("there is no picture of this channel yet")
        headers = {"Cache-Control": f"{channel.record.visibility}, max-age=5"}
        return Response(channel.thumbnail, media_type="image/jpeg", headers=headers)

    @router.post(
        "/channels/{channelId}/tokens",
        status_code=status.HTTP_201_CREATED,
        summary="Mint a token for a channel",
    )
    async def mint(
        channel_id: ChannelPath, body: NewTokenBody, authorization: Authorization = None
    ) -> TokenBody:
        channel = await _owned(channels, gate, authorization, channel_id)
        token = gate.authority.mint(
            room=channel.id,
            identity=body.identity,
            name=body.name,
            grants=body.grants,
            ttl=body.ttl,
        )
        return TokenBody(token=token, expires_at=int(time.time()) + body.ttl)

    @router.post(
        "/channels/{channelId}/links",
        status_code=status.HTTP_201_CREATED,
        summary="Sign links for a player that can send no token",
    )
    async def sign(
        request: Request,
        channel_id: ChannelPath,
        body: NewLinkBody | None = None,
        authorization: Authorization = None,
    ) -> LinkBody:
        if not gate.is_api_key(gate.bearer(authorization)):
            gate.may_view(authorization, channel_id, public=False)
        channel = await channels.find(channel_id)
        ttl = (body or NewLinkBody()).ttl
        query = gate.paths.sign_path(f"/hls/{channel.id}/", channel=channel.id, ttl=ttl)
        base = _base(request, channel.record)
        return LinkBody(
            hls=f"{base('hls')}/index.m3u8?{query}",
            thumbnail=_picture(base("channels"), gate, channel.record, ttl),
            expires_at=int(time.time()) + ttl,
        )

    @router.delete(
        "/channels/{channelId}/links",
        status_code=status.HTTP_204_NO_CONTENT,
        summary="Make all signed links of a channel void",
    )
    async def revoke(channel_id: ChannelPath, authorization: Authorization = None) -> None:
        channel = await _owned(channels, gate, authorization, channel_id)
        channel.revoke_links()

    return router


async def _seen(channels: Channels, gate: Gate, authorization: str | None, channel_id: str) -> ChannelRecord:
    """Find a channel for somebody who may see it; whoever may not learns nothing of it."""
    channel = await _known(channels, channel_id)
    public = channel is not None and channel.record.visibility == "public"
    if not public and not gate.is_api_key(gate.bearer(authorization)):
        gate.room_claims(authorization, channel_id)
    return channel.record if channel is not None else await channels.record(channel_id)


async def _owned(channels: Channels, gate: Gate, authorization: str | None, channel_id: str) -> Channel:
    """Find a channel for an administrator, or for whoever made it."""
    token = gate.bearer(authorization)
    claims: Claims | None = None if gate.is_api_key(token) else gate.claims(token)
    channel = await _known(channels, channel_id)
    mine = (
        claims is not None
        and channel is not None
        and claims.identity == channel.record.owner
        and claims.room in ("*", channel_id)
        and claims.allows("publish")
    )
    if not mine:
        gate.require_admin(authorization)
    if channel is None:
        raise ChannelNotFound("no such channel")
    return channel


async def _known(channels: Channels, channel_id: str) -> Channel | None:
    try:
        return await channels.find(channel_id)
    except ChannelNotFound:
        return None


async def _check_picture(request: Request, channels: Channels, gate: Gate, channel_id: str) -> None:
    """Let pass who has a signed address of the picture; whoever has not learns nothing of the channel."""
    channel = await _known(channels, channel_id)
    gate.paths.check_path(
        _picture_path(channel_id),
        channel=channel_id,
        query=request.query_params,
        revoked_at=channel.record.links_revoked_at if channel else None,
    )


def _picture(address: str, gate: Gate, record: ChannelRecord, ttl: int) -> str:
    """Where the newest picture is, for an ``<img>``, which can send no token."""
    query = ""
    if record.visibility == "private":
        query = "?" + gate.paths.sign_path(_picture_path(record.id), channel=record.id, ttl=ttl)
    return f"{address}/thumbnail.jpg{query}"


def _picture_path(channel_id: str) -> str:
    return f"/channels/{channel_id}/"


def _base(request: Request, record: ChannelRecord) -> Callable[[str], str]:
    """Addresses of a channel below the one that was asked for, by their first part."""
    base, name = str(request.base_url).rstrip("/"), quote(record.id, safe="")
    return lambda room: f"{base}/{room}/{name}"


def _body(request: Request, channels: Channels, gate: Gate, record: ChannelRecord) -> ChannelBody:
    base = _base(request, record)
    channel = channels.get(record.id) if record.id in channels else None
    kept: dict[str, Any] = {
        field: getattr(record, field) for field in ChannelBody.model_fields if hasattr(record, field)
    }
    return ChannelBody(
        channel_id=record.id,
        viewers=channel.viewer_count if channel else 0,
        rewind_seconds=round(channel.rewind_seconds, 1) if channel else 0,
        now=datetime.now(UTC),
        links=Links(
            watch=base("watch"),
            embed=base("embed"),
            studio=base("studio"),
            whip=base("whip"),
            whep=base("whep"),
            hls=f"{base('hls')}/index.m3u8",
            thumbnail=_picture(base("channels"), gate, record, _PICTURE_TTL),
        ),
        **kept,
    )


_PICTURE_TTL = 600
"""Seconds in which a page that was told of a private channel may load its picture."""
