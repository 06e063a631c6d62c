"""The HTTP side of meetings: make one, look at one, mint tokens for one."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Header, Request, status
from pydantic import BaseModel, ConfigDict, Field

from headwater.auth import Gate, Grant, Role
from headwater.media.decision import Decision, DecisionKind
from headwater.meetings.rooms.events import MediaKind, Source
from headwater.meetings.rooms.models import Meeting, MeetingSettings
from headwater.meetings.rooms.overview import Connection, Overview, decisions, overview
from headwater.meetings.rooms.service import RoomsService

__all__ = ["meeting_routes"]

Authorization = Annotated[str | None, Header(description="`Bearer` with the API key or a token")]
MAX_TTL = 24 * 3600
"""Seconds a token minted over HTTP may live."""


class SettingsBody(BaseModel):
    """What the creator of a meeting decides."""

    model_config = ConfigDict(extra="forbid")

    title: str = Field(default="", max_length=256)
    max_participants: int | None = Field(default=None, ge=1, le=10_000)


class NewMeetingBody(BaseModel):
    """Body of ``POST /meetings``; may be empty."""

    model_config = ConfigDict(extra="forbid")

    settings: SettingsBody = Field(default_factory=SettingsBody)


class MeetingBody(BaseModel):
    """A meeting."""

    id: str
    created_at: datetime
    settings: SettingsBody
    participants: int = Field(description="how many are in it now")
    url: str = Field(description="the page of the meeting")


class NewTokenBody(BaseModel):
    """Body of ``POST /meetings/{id}/tokens``."""

    model_config = ConfigDict(extra="forbid")

    identity: str = Field(min_length=1, max_length=256)
    name: str | None = Field(default=None, min_length=1, max_length=256)
    role: Role = "participant"
    grants: list[Grant] | None = Field(default=None, description="none: those of the role")
    ttl: int = Field(default=600, ge=1, le=MAX_TTL, description="seconds")


class TokenBody(BaseModel):
    """A token for one meeting."""

    token: str
    expires_at: int = Field(description="seconds since 1970")
    url: str = Field(description="the page of the meeting with the token in its fragment")


class TrackBody(BaseModel):
    """A track that a participant publishes."""

    model_config = ConfigDict(from_attributes=True)

    publisher_id: str
    kind: MediaKind
    source: Source
    muted: bool


class ConnectionBody(BaseModel):
    """A connection between a participant and this server."""

    model_config = ConfigDict(from_attributes=True)

    state: str
    bytes_received: int = Field(description="by the server, since the connection began")
    bytes_sent: int = Field(description="by the server, since the connection began")
    round_trip_time_ms: float | None = None
    available_outgoing_bitrate: int | None = Field(description="what the line to the client carries, bit/s")


class ParticipantBody(BaseModel):
    """Somebody who is in a meeting now."""

    id: str
    name: str
    identity: str
    role: str
    protocol: str
    quality: int | None = Field(description="how well the worse connection works, 0 to 100")
    tracks: list[TrackBody]
    sending: ConnectionBody | None
    receiving: ConnectionBody | None


class DecisionBody(BaseModel):
    """A decision about a received track."""

    at: float = Field(description="seconds since 1970")
    kind: DecisionKind
    facts: dict[str, int | float | str] = Field(description="on what grounds")


class ReceivedTrackBody(BaseModel):
    """A track that a participant receives."""

    publisher_id: str
    decisions: list[DecisionBody] = Field(description="the last ones, oldest first")


def meeting_routes(service: RoomsService, gate: Gate) -> APIRouter:
    """Build the routes of meetings."""
    router = APIRouter(tags=["meetings"])

    @router.post("/meetings", status_code=status.HTTP_201_CREATED, summary="Make a meeting")
    async def create(
        request: Request, body: NewMeetingBody | None = None, authorization: Authorization = None
    ) -> MeetingBody:
        gate.require_admin(authorization)
        wished = (body or NewMeetingBody()).settings
        meeting = service.create_meeting(MeetingSettings(wished.title, wished.max_participants))
        return _body(request, meeting, 0)

    @router.get("/meetings", summary="List the meetings")
    async def list_all(request: Request, authorization: Authorization = None) -> list[MeetingBody]:
        gate.require_admin(authorization)
        return [_body(request, meeting, service.count_participants(meeting)) for meeting in service.meetings]

    @router.get("/meetings/{meeting_id}", summary="Look at a meeting")
    async def read(request: Request, meeting_id: str, authorization: Authorization = None) -> MeetingBody:
        _may_see(gate, authorization, meeting_id)
        meeting = service.find_meeting(meeting_id)
        return _body(request, meeting, service.count_participants(meeting))

    @router.get("/meetings/{meeting_id}/participants", summary="Look at who is in a meeting")
    async def participants(meeting_id: str, authorization: Authorization = None) -> list[ParticipantBody]:
        gate.require_admin(authorization)
        room = service.room(service.find_meeting(meeting_id).id)
        return [
            _participant(each) for each in await overview(list(room.participants.values()) if room else ())
        ]

    @router.post(
        "/meetings/{meeting_id}/tokens",
        status_code=status.HTTP_201_CREATED,
        summary="Mint a token for a meeting",
    )
    async def mint(
        request: Request, meeting_id: str, body: NewTokenBody, authorization: Authorization = None
    ) -> TokenBody:
        gate.require_admin(authorization)
        meeting = service.find_meeting(meeting_id)
        token = gate.authority.mint(
            room=meeting.id,
            identity=body.identity,
            name=body.name,
            role=body.role,
            grants=body.grants,
            ttl=body.ttl,
        )
        return TokenBody(
            token=token,
            expires_at=int(time.time()) + body.ttl,
            url=f"{_page(request, meeting)}#token={token}",
        )

    @router.get(
        "/meetings/{meeting_id}/participants/{participant_id}/why",
        summary="Ask why a participant receives what it does",
    )
    async def why(
        meeting_id: str, participant_id: str, authorization: Authorization = None
    ) -> list[ReceivedTrackBody]:
        gate.require_admin(authorization)
        participant = service.find_participant(meeting_id, participant_id)
        tracks = await decisions(participant)
        return [
            ReceivedTrackBody(publisher_id=track, decisions=_told(each)) for track, each in tracks.items()
        ]

    return router


def _participant(overview: Overview) -> ParticipantBody:
    view = overview.view
    return ParticipantBody(
        id=view.id,
        name=view.name,
        identity=view.identity,
        role=view.role,
        protocol=view.protocol,
        quality=overview.quality,
        tracks=[TrackBody.model_validate(track) for track in view.tracks],
        sending=_connection(overview.sending),
        receiving=_connection(overview.receiving),
    )


def _connection(connection: Connection | None) -> ConnectionBody | None:
    return None if connection is None else ConnectionBody.model_validate(connection)


def _told(decisions: tuple[Decision, ...]) -> list[DecisionBody]:
    return [DecisionBody(at=each.at, kind=each.kind, facts=dict(each.facts)) for each in decisions]


def _may_see(gate: Gate, authorization: str | None, meeting_id: str) -> None:
    """The API key sees every meeting, a token its own."""
    scheme, _, value = (authorization or "").partition(" ")
    if scheme.lower() == "bearer" and gate.is_api_key(value.strip()):
        return
    gate.room_claims(authorization, meeting_id)


def _page(request: Request, meeting: Meeting) -> str:
    return f"{str(request.base_url).rstrip('/')}/m/{quote(meeting.id, safe='')}"


def _body(request: Request, meeting: Meeting, participants: int) -> MeetingBody:
    settings = SettingsBody(title=meeting.settings.title, max_participants=meeting.settings.max_participants)
    return MeetingBody(
        id=meeting.id,
        created_at=meeting.created_at,
        settings=settings,
        participants=participants,
        url=_page(request, meeting),
    )
