"""The values that cross the seam, made in Python; named and shaped as in ``_native.pyi``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = [
    "ActiveSpeaker", "AnswerReply", "AttachedReply", "AudioLevels", "BoundReply", "Closed", "Codec",
    "ConnectionQuality", "ConnectionStateChanged", "ConsumedReply", "DataChannelOpened", "DataMessage",
    "Decision", "Failed", "JournalReply", "LayerChanged", "LayersWanted", "NegotiationNeeded", "OfferReply",
    "ParametersReply", "Paused", "PeerFound", "PublishedReply", "PublisherActive", "Replied", "SlotChanged",
    "StatsReply", "Track",
]  # fmt: skip


@dataclass
class Codec:
    """A codec."""

    mime: str
    payload_type: int = 96
    clock_rate: int = 90000
    channels: int | None = None
    fmtp: str = ""


@dataclass
class Track:
    """An offered track."""

    mid: str
    kind: str
    track_id: str
    stream_id: str
    active: bool
    rids: list[str] = field(default_factory=list)


@dataclass
class AnswerReply:
    """The answer to a client's offer."""

    sdp: str
    tracks: list[Track]


@dataclass
class OfferReply:
    """An offer for the client."""

    sdp: str
    mids: list[tuple[str, int]]


@dataclass
class PublishedReply:
    """A publisher exists."""

    kind: str
    codec: Codec


@dataclass
class ParametersReply:
    """How a client by parameters reaches a transport."""

    ufrag: str
    password: str
    candidates: list[tuple[str, int, str]]
    fingerprint: str


@dataclass
class AttachedReply:
    """A subscriber feeds a slot."""

    mid: str


@dataclass
class BoundReply:
    """A plain transport listens."""

    local: tuple[str, int]
    rtcp_local: tuple[str, int] | None


@dataclass
class ConsumedReply:
    """A plain transport sends a publisher's packets on."""

    ssrc: int


@dataclass
class PeerFound:
    """A plain transport has learned where its peer is."""

    transport: int
    remote: tuple[str, int]
    rtcp_remote: tuple[str, int] | None


@dataclass
class StatsReply:
    """Counters."""

    values: dict[str, int | float | str]


@dataclass
class Decision:
    """A decision of a journal."""

    at: float
    what: str
    facts: dict[str, int | float | str]


@dataclass
class JournalReply:
    """Decisions."""

    decisions: list[Decision]


@dataclass
class Replied:
    """A command succeeded."""

    request: int
    value: Any


@dataclass
class Failed:
    """A command failed."""

    request: int
    error: Exception


@dataclass
class ConnectionStateChanged:
    """A transport's connection changed."""

    transport: int
    state: str


@dataclass
class Closed:
    """Something closed."""

    kind: str
    handle: int
    reason: str


@dataclass
class NegotiationNeeded:
    """A new offer is due."""

    transport: int


@dataclass
class PublisherActive:
    """First packet."""

    publisher: int
    codec: Codec


@dataclass
class Paused:
    """Paused or resumed."""

    kind: str
    handle: int
    paused: bool


@dataclass
class LayerChanged:
    """Another layer passes to a subscriber."""

    subscriber: int
    before: tuple[int, int] | None
    after: tuple[int, int] | None
    reason: str
    estimate: int | None = None


@dataclass
class ConnectionQuality:
    """How well a connection works changed."""

    transport: int
    score: int


@dataclass
class LayersWanted:
    """Which encodings of a publisher anybody needs changed."""

    publisher: int
    encodings: list[tuple[str, bool]]
    maximum: tuple[int, int] | None = None


@dataclass
class ActiveSpeaker:
    """Somebody else speaks in a router."""

    router: int
    publisher: int | None


@dataclass
class AudioLevels:
    """How loud a router's publishers are."""

    router: int
    levels: list[tuple[int, int]]


@dataclass
class SlotChanged:
    """Somebody else fills a slot."""

    subscriber: int
    publisher: int | None


@dataclass
class DataChannelOpened:
    """A client opened a data channel."""

    transport: int
    label: str
    ordered: bool = True
    max_retransmits: int | None = None
    max_packet_lifetime: int | None = None


@dataclass
class DataMessage:
    """A message of a tapped data publisher."""

    data_publisher: int
    binary: bool
    payload: bytes
