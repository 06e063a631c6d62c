"""Signalling messages of ``/signaling/join``: one JSON object per WebSocket text frame.

Requests carry an optional ``id``; the reply repeats it. A failure is an ``error`` with an RFC 9457
problem. Flow: ``join`` -> ``joined``; the server then sends an ``offer`` for the subscribe
transport (a data-channel m-line alone when nobody publishes yet) and a new one whenever tracks
come or go; the client answers each. To publish, the client sends an ``offer`` for its publish
transport; every sending m-line is published. Data channels opened on the publish transport are
delivered to all others under the same label.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

__all__ = [
    "Answer",
    "Bye",
    "Candidate",
    "ClientMessage",
    "Error",
    "Join",
    "Joined",
    "Leave",
    "Left",
    "Mute",
    "Offer",
    "OfferedTrack",
    "ParticipantInfo",
    "ParticipantJoined",
    "ParticipantLeft",
    "ParticipantUpdated",
    "Ping",
    "Pong",
    "Problem",
    "PublishedTrack",
    "RequestKeyFrame",
    "RestartIce",
    "ServerAnswer",
    "ServerMessage",
    "ServerOffer",
    "SetSubscription",
    "Token",
    "TrackInfo",
    "TrackPublished",
    "TrackUnpublished",
    "TrackUpdated",
    "TransportClosed",
    "Update",
]

TransportName = Literal["publish", "subscribe"]
Source = Literal["camera", "microphone", "screen", "screen_audio", "unknown"]


class _Message(msgspec.Struct, tag_field="type", omit_defaults=True, kw_only=True):
    """Base: discriminated by ``type``, unknown fields ignored."""


# --- values ------------------------------------------------------------------------------------


class OfferedTrack(msgspec.Struct, omit_defaults=True, kw_only=True):
    """What the client says of an m-line it publishes."""

    mid: str
    source: Source = "unknown"
    muted: bool = False


class PublishedTrack(msgspec.Struct, omit_defaults=True, kw_only=True):
    """The publisher that an m-line of the client's offer became."""

    mid: str
    publisher_id: str


class TrackInfo(msgspec.Struct, omit_defaults=True, kw_only=True):
    """A track somebody publishes."""

    publisher_id: str
    participant_id: str
    kind: Literal["audio", "video"]
    source: Source = "unknown"
    muted: bool = False
    mid: str | None = None
    """The m-line on the receiver's subscribe transport; in ``offer`` only."""


class ParticipantInfo(msgspec.Struct, omit_defaults=True, kw_only=True):
    """A person (or program) in the room."""

    id: str
    name: str
    identity: str
    role: str = "participant"
    protocol: Literal["webrtc", "whip", "whep"] = "webrtc"
    tracks: list[TrackInfo] = []


class Problem(msgspec.Struct, omit_defaults=True, kw_only=True):
    """RFC 9457 problem details; ``code`` is stable and machine-readable."""

    type: str
    title: str
    status: int
    detail: str = ""
    code: str = ""


# --- client to server ----------------------------------------------------------------------------


class Join(_Message, tag="join"):
    """First message. ``type`` may be absent in this one only."""

    meeting_id: str
    token: str | None = None
    name: str | None = None
    resume: str | None = None
    """The ``connection_id`` of a lost connection, to take its place; only its client knows it."""
    restart: bool = False
    """With ``resume``: the peer connections are lost too, so new transports are made."""
    id: int | str | None = None


class Offer(_Message, tag="offer"):
    """Client's offer for its publish transport."""

    sdp: str
    transport: TransportName = "publish"
    tracks: list[OfferedTrack] = []
    id: int | str | None = None


class Answer(_Message, tag="answer"):
    """Client's answer to the server's offer."""

    sdp: str
    transport: TransportName = "subscribe"
    id: int | str | None = None


class Candidate(_Message, tag="candidate"):
    """Trickled candidate, both directions; an empty or absent one ends them."""

    candidate: str | dict[str, Any] | None = None
    transport: TransportName = "publish"
    id: int | str | None = None


class Mute(_Message, tag="mute"):
    """Pause or resume one's own publisher."""

    publisher_id: str
    muted: bool
    id: int | str | None = None


class SetSubscription(_Message, tag="set_subscription"):
    """Pause or resume what one receives of a publisher."""

    publisher_id: str
    paused: bool
    id: int | str | None = None


class RequestKeyFrame(_Message, tag="request_key_frame"):
    """Ask the publisher for a key frame."""

    publisher_id: str
    id: int | str | None = None


class RestartIce(_Message, tag="restart_ice"):
    """Ask for an ICE restart of the subscribe transport: the server sends a new offer."""

    id: int | str | None = None


class Update(_Message, tag="update"):
    """Change one's own name."""

    name: str
    id: int | str | None = None


class Ping(_Message, tag="ping"):
    """Answered by ``pong``."""

    id: int | str | None = None


class Leave(_Message, tag="leave"):
    """Leave for good."""

    id: int | str | None = None


ClientMessage = (
    Join
    | Offer
    | Answer
    | Candidate
    | Mute
    | SetSubscription
    | RequestKeyFrame
    | RestartIce
    | Update
    | Ping
    | Leave
)


# --- server to client ----------------------------------------------------------------------------


class Joined(_Message, tag="joined"):
    """Reply to ``join``: who you are and who is there."""

    participant_id: str
    meeting_id: str
    connection_id: str
    name: str
    role: str
    participants: list[ParticipantInfo]
    ice_servers: list[dict[str, Any]] = []
    token: str | None = None
    resumed: bool = False
    """Whether the server still holds the transports of the connection named by ``join.resume``.

    True: media flows on; the client keeps both peer connections, the server repeats its offer for
    the subscribe transport. False: the client starts with new ones and publishes again.
    """
    id: int | str | None = None


class ServerOffer(_Message, tag="offer"):
    """Server's offer for the subscribe transport; map tracks by mid, never by msid."""

    sdp: str
    tracks: list[TrackInfo]
    transport: TransportName = "subscribe"


class ServerAnswer(_Message, tag="answer"):
    """Answer to the client's offer."""

    sdp: str
    tracks: list[PublishedTrack] = []
    transport: TransportName = "publish"
    id: int | str | None = None


class ParticipantJoined(_Message, tag="participant_joined"):
    """Somebody came."""

    participant: ParticipantInfo


class ParticipantUpdated(_Message, tag="participant_updated"):
    """Somebody changed their name or role."""

    participant: ParticipantInfo


class ParticipantLeft(_Message, tag="participant_left"):
    """Somebody left."""

    participant_id: str
    reason: str = "left"


class TrackPublished(_Message, tag="track_published"):
    """A new track; the offer that carries it follows."""

    track: TrackInfo


class TrackUpdated(_Message, tag="track_updated"):
    """A track was muted or unmuted."""

    track: TrackInfo


class TrackUnpublished(_Message, tag="track_unpublished"):
    """A track ended."""

    publisher_id: str
    participant_id: str


class TransportClosed(_Message, tag="transport_closed"):
    """The server lost a peer connection: drop it and make a new one.

    For ``subscribe`` a fresh offer follows; for ``publish`` the client offers again.
    """

    transport: TransportName
    reason: str


class Token(_Message, tag="token"):
    """A fresh token before the old one expires."""

    token: str
    expires_at: int


class Pong(_Message, tag="pong"):
    """Reply to ``ping``; also the plain acknowledgement of requests without another reply."""

    id: int | str | None = None


class Left(_Message, tag="left"):
    """Reply to ``leave``."""

    id: int | str | None = None


class Bye(_Message, tag="bye"):
    """The server ends the connection; ``reconnect`` says whether trying again makes sense."""

    reason: str
    reconnect: bool = False


class Error(_Message, tag="error"):
    """A request failed."""

    problem: Problem
    id: int | str | None = None


ServerMessage = (
    Joined
    | ServerOffer
    | ServerAnswer
    | Candidate
    | ParticipantJoined
    | ParticipantUpdated
    | ParticipantLeft
    | TrackPublished
    | TrackUpdated
    | TrackUnpublished
    | TransportClosed
    | Token
    | Pong
    | Left
    | Bye
    | Error
)
