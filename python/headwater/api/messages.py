"""Signalling messages of ``/signaling/join``: one JSON object per WebSocket text frame.

Requests carry an optional ``id``; the reply repeats it. A failure is an ``error`` with an RFC 9457
problem. Flow: ``join`` -> ``joined``; the server then sends an ``offer`` for the subscribe
transport (a data-channel m-line alone when nobody publishes yet) and a new one whenever tracks
come or go; the client answers each. To publish, the client sends an ``offer`` for its publish
transport; every sending m-line is published. Data channels opened on the publish transport are
delivered to all others under the same label.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from headwater.media.decision import DecisionKind

__all__ = [
    "ActiveSpeaker",
    "Answer",
    "Bye",
    "Candidate",
    "ClientMessage",
    "Decision",
    "EncodingWanted",
    "Error",
    "Join",
    "Joined",
    "Layer",
    "LayerChanged",
    "LayerStats",
    "LayersWanted",
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
    "Quality",
    "RequestKeyFrame",
    "RestartIce",
    "ServerAnswer",
    "ServerMessage",
    "ServerOffer",
    "SetLayers",
    "SetSubscription",
    "Slot",
    "SlotChanged",
    "Token",
    "TrackInfo",
    "TrackPublished",
    "TrackUnpublished",
    "TrackUpdated",
    "TransportClosed",
    "Update",
    "Why",
    "WhyAnswer",
]

TransportName = Literal["publish", "subscribe"]
Source = Literal["camera", "microphone", "screen", "screen_audio", "unknown"]
Content = Literal["camera", "detail", "motion"]
LayerReason = Literal["requested", "bandwidth", "publisher", "overload", "paused", "start"]
Index = Annotated[int, msgspec.Meta(ge=0, le=7)]
"""Of a layer; RTP payload formats have at most eight of either kind."""
Pixels = Annotated[int, msgspec.Meta(ge=1, le=16384)]


class _Message(msgspec.Struct, tag_field="type", omit_defaults=True, kw_only=True):
    """Base: discriminated by ``type``, unknown fields ignored."""


# --- values ------------------------------------------------------------------------------------


class OfferedTrack(msgspec.Struct, omit_defaults=True, kw_only=True):
    """What the client says of an m-line it publishes."""

    mid: str
    source: Source = "unknown"
    muted: bool = False
    content: Content = "camera"
    """What is given up first on a thin line: ``detail`` keeps resolution, ``motion`` the frame rate."""


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


class Slot(msgspec.Struct, omit_defaults=True, kw_only=True):
    """An m-line that carries one voice after the other."""

    mid: str
    publisher_id: str | None = None
    """Whose voice it carries; absent while it is silent."""


class ParticipantInfo(msgspec.Struct, omit_defaults=True, kw_only=True):
    """A person (or program) in the room."""

    id: str
    name: str
    identity: str
    role: str = "participant"
    protocol: Literal["webrtc", "whip", "whep"] = "webrtc"
    tracks: list[TrackInfo] = []


class Layer(msgspec.Struct, omit_defaults=True, kw_only=True):
    """A spatial layer, 0 being the smallest picture, and a temporal layer, 0 the lowest frame rate."""

    spatial: int
    temporal: int


class EncodingWanted(msgspec.Struct, omit_defaults=True, kw_only=True):
    """Whether anybody needs one of the encodings that a track is sent in."""

    rid: str
    """Empty for a track without simulcast."""
    active: bool


class LayerStats(msgspec.Struct, omit_defaults=True, kw_only=True):
    """One layer that a publisher sends now."""

    spatial: int
    temporal: int
    bitrate: int
    """bit/s, with all layers below it."""
    width: int | None = None
    height: int | None = None
    fps: float | None = None


class Decision(msgspec.Struct, omit_defaults=True, kw_only=True):
    """Something that was decided about a received track, and on what grounds."""

    ago_ms: int
    kind: DecisionKind
    facts: dict[str, int | float | str] = {}
    """By name; ``docs/reference/decisions.md`` has those of each kind."""


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


class SetLayers(_Message, tag="set_layers"):
    """Say what one would like to receive of a publisher; what is absent is no wish.

    A whole: it takes the place of what was said before. Wishes are ceilings, the network may give less.
    """

    publisher_id: str
    spatial: Index | None = None
    temporal: Index | None = None
    width: Pixels | None = None
    """Of the picture's place on the screen, in device pixels."""
    height: Pixels | None = None
    max_fps: Annotated[int, msgspec.Meta(ge=1, le=240)] | None = None
    priority: Annotated[int, msgspec.Meta(ge=1, le=255)] | None = None
    """Against one's other tracks when the line is thin; 128 where nothing is said."""
    id: int | str | None = None


class Why(_Message, tag="why"):
    """Ask why one receives a track as one does."""

    publisher_id: str
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
    | SetLayers
    | Why
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
    slots: list[Slot] = []
    """In a large meeting: where the loudest voices are heard, which are not among ``tracks`` then."""
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


class LayerChanged(_Message, tag="layer_changed", rename={"before": "from", "after": "to"}):
    """What one receives of a publisher changed; without ``to`` the line is too thin for any picture."""

    publisher_id: str
    reason: LayerReason
    before: Layer | None = None
    after: Layer | None = None
    estimate: int | None = None
    """What the connection is believed to carry, in bit/s."""


class LayersWanted(_Message, tag="layers_wanted"):
    """Which encodings of one's own track anybody needs; the others need not be sent."""

    publisher_id: str
    encodings: list[EncodingWanted] = []
    max: Layer | None = None
    """The highest layer in use, for codecs with layers inside one encoding; absent: nobody watches."""


class ActiveSpeaker(_Message, tag="active_speaker"):
    """Who speaks; without ids nobody does."""

    publisher_id: str | None = None
    participant_id: str | None = None


class SlotChanged(_Message, tag="slot_changed"):
    """One of one's slots carries another voice; without ``publisher_id`` it is silent. No offer follows."""

    mid: str
    publisher_id: str | None = None


class Quality(_Message, tag="quality"):
    """How well somebody's connection works, oneself included: 0 (nothing gets through) to 100."""

    participant_id: str
    score: int


class WhyAnswer(_Message, tag="why"):
    """Reply to ``why``: what was asked for, what was decided, what passes, and the last decisions."""

    publisher_id: str
    preferred: Layer | None = None
    target: Layer | None = None
    current: Layer | None = None
    paused: bool = False
    codec: str | None = None
    layers: list[LayerStats] = []
    estimate: int | None = None
    """bit/s of the whole connection."""
    decisions: list[Decision] = []
    """Newest first."""
    id: int | str | None = None


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
    | LayerChanged
    | LayersWanted
    | ActiveSpeaker
    | SlotChanged
    | Quality
    | WhyAnswer
    | TransportClosed
    | Token
    | Pong
    | Left
    | Bye
    | Error
)
