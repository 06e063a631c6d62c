"""The compiled core, as Python sees it. Thin: commands go down, events come up.

Handles are plain integers; `media/` maps them to objects and public ids. Every method that sends
a command returns its request number at once and never blocks; the outcome arrives from
`Worker.drain_events` as `Replied` or `Failed` with that number.
"""

from collections.abc import Sequence
from os import PathLike
from typing import ClassVar, Final, Literal, Self, TypeAlias, final

__all__ = [
    "ActiveSpeaker",
    "AnswerReply",
    "AttachedReply",
    "AudioLevels",
    "BoundReply",
    "Closed",
    "Codec",
    "ConnectionQuality",
    "ConnectionStateChanged",
    "ConsumedReply",
    "DataChannelOpened",
    "DataMessage",
    "Decision",
    "Failed",
    "JournalReply",
    "LayerChanged",
    "LayersWanted",
    "NegotiationNeeded",
    "OfferReply",
    "ParametersReply",
    "Paused",
    "PeerFound",
    "PublishedReply",
    "PublisherActive",
    "ReplayReport",
    "ReplayStep",
    "Replied",
    "SlotChanged",
    "StatsReply",
    "Track",
    "Worker",
    "build_info",
    "error_samples",
    "replay_record",
]

def build_info() -> dict[str, str]:
    """What the binary was built from: `version`, `str0m`, `profile`, `source_hash`."""

def error_samples() -> dict[str, Exception]:
    """One exception per kind of failure that can cross, by the name of the Rust variant (for tests)."""

def replay_record(record: bytes) -> ReplayReport:
    """Take the decisions of a record again; `ValueError` when it is none. Releases the GIL."""

@final
class Codec:
    __match_args__: ClassVar[
        tuple[
            Literal["mime"],
            Literal["payload_type"],
            Literal["clock_rate"],
            Literal["channels"],
            Literal["fmtp"],
        ]
    ]
    mime: Final[str]
    payload_type: Final[int]
    clock_rate: Final[int]
    channels: Final[int | None]
    fmtp: Final[str]

@final
class Track:
    __match_args__: ClassVar[
        tuple[
            Literal["mid"],
            Literal["kind"],
            Literal["track_id"],
            Literal["stream_id"],
            Literal["active"],
            Literal["rids"],
        ]
    ]
    mid: Final[str]
    kind: Final[Literal["audio", "video"]]
    track_id: Final[str]
    stream_id: Final[str]
    active: Final[bool]
    rids: Final[list[str]]

@final
class AnswerReply:
    __match_args__: ClassVar[tuple[Literal["sdp"], Literal["tracks"]]]
    sdp: Final[str]
    tracks: Final[list[Track]]

@final
class OfferReply:
    __match_args__: ClassVar[tuple[Literal["sdp"], Literal["mids"]]]
    sdp: Final[str]
    mids: Final[list[tuple[str, int]]]  # (mid, subscriber handle)

@final
class PublishedReply:
    __match_args__: ClassVar[tuple[Literal["kind"], Literal["codec"]]]
    kind: Final[Literal["audio", "video"]]
    codec: Final[Codec]

@final
class ParametersReply:
    __match_args__: ClassVar[
        tuple[Literal["ufrag"], Literal["password"], Literal["candidates"], Literal["fingerprint"]]
    ]
    ufrag: Final[str]
    password: Final[str]
    candidates: Final[list[tuple[str, int, str]]]  # address, port, "udp" or "tcp"
    fingerprint: Final[str]

@final
class AttachedReply:
    __match_args__: ClassVar[tuple[Literal["mid"]]]
    mid: Final[str]

@final
class BoundReply:
    __match_args__: ClassVar[tuple[Literal["local"], Literal["rtcp_local"]]]
    local: Final[tuple[str, int]]
    rtcp_local: Final[tuple[str, int] | None]

@final
class ConsumedReply:
    __match_args__: ClassVar[tuple[Literal["ssrc"]]]
    ssrc: Final[int]

@final
class StatsReply:
    __match_args__: ClassVar[tuple[Literal["values"]]]
    values: Final[dict[str, int | float | str]]

@final
class Decision:
    __match_args__: ClassVar[tuple[Literal["at"], Literal["what"], Literal["facts"]]]
    at: Final[float]  # seconds since 1970
    what: Final[str]
    facts: Final[dict[str, int | float | str]]

@final
class JournalReply:
    __match_args__: ClassVar[tuple[Literal["decisions"]]]
    decisions: Final[list[Decision]]

@final
class ReplayStep:
    __match_args__: ClassVar[
        tuple[
            Literal["thread"],
            Literal["at"],
            Literal["kind"],
            Literal["handle"],
            Literal["what"],
            Literal["facts"],
        ]
    ]
    thread: Final[int]
    at: Final[float]  # seconds since the start of its thread's record
    kind: Final[Literal["transport", "publisher", "subscriber", "router"]]
    handle: Final[int]
    what: Final[str]
    facts: Final[dict[str, int | float | str]]

@final
class ReplayReport:
    __match_args__: ClassVar[
        tuple[Literal["steps"], Literal["inputs"], Literal["cut"], Literal["difference"]]
    ]
    steps: Final[list[ReplayStep]]
    inputs: Final[int]
    cut: Final[list[int]]
    difference: Final[str | None]

@final
class Replied:
    __match_args__: ClassVar[tuple[Literal["request"], Literal["value"]]]
    request: Final[int]
    value: Final[
        AnswerReply
        | OfferReply
        | PublishedReply
        | ParametersReply
        | AttachedReply
        | BoundReply
        | ConsumedReply
        | StatsReply
        | JournalReply
        | None
    ]

@final
class Failed:
    __match_args__: ClassVar[tuple[Literal["request"], Literal["error"]]]
    request: Final[int]
    error: Final[Exception]  # an instance of a class from headwater.errors

@final
class ConnectionStateChanged:
    __match_args__: ClassVar[tuple[Literal["transport"], Literal["state"]]]
    transport: Final[int]
    state: Final[Literal["new", "connecting", "connected", "disconnected", "failed"]]

@final
class Closed:
    __match_args__: ClassVar[tuple[Literal["kind"], Literal["handle"], Literal["reason"]]]
    kind: Final[
        Literal[
            "router",
            "transport",
            "publisher",
            "subscriber",
            "data_publisher",
            "data_subscriber",
            "recording_track",
        ]
    ]
    handle: Final[int]
    reason: Final[
        Literal[
            "requested",
            "parent",
            "publisher_closed",
            "remote_ended",
            "remote_closed",
            "connection_failed",
            "unsupported_codec",
            "panic",
        ]
    ]

@final
class NegotiationNeeded:
    __match_args__: ClassVar[tuple[Literal["transport"]]]
    transport: Final[int]

@final
class PublisherActive:
    __match_args__: ClassVar[tuple[Literal["publisher"], Literal["codec"]]]
    publisher: Final[int]
    codec: Final[Codec]

@final
class PeerFound:
    __match_args__: ClassVar[tuple[Literal["transport"], Literal["remote"], Literal["rtcp_remote"]]]
    transport: Final[int]
    remote: Final[tuple[str, int]]
    rtcp_remote: Final[tuple[str, int] | None]

@final
class Paused:
    __match_args__: ClassVar[tuple[Literal["kind"], Literal["handle"], Literal["paused"]]]
    kind: Final[Literal["publisher", "subscriber", "recording_track"]]
    handle: Final[int]
    paused: Final[bool]

@final
class LayerChanged:
    __match_args__: ClassVar[
        tuple[
            Literal["subscriber"],
            Literal["before"],
            Literal["after"],
            Literal["reason"],
            Literal["estimate"],
        ]
    ]
    subscriber: Final[int]
    before: Final[tuple[int, int] | None]  # (spatial, temporal)
    after: Final[tuple[int, int] | None]
    reason: Final[Literal["start", "requested", "bandwidth", "publisher", "overload", "paused"]]
    estimate: Final[int | None]  # bit/s

@final
class ConnectionQuality:
    __match_args__: ClassVar[tuple[Literal["transport"], Literal["score"]]]
    transport: Final[int]
    score: Final[int]  # 0 to 100

@final
class LayersWanted:
    __match_args__: ClassVar[tuple[Literal["publisher"], Literal["encodings"], Literal["maximum"]]]
    publisher: Final[int]
    encodings: Final[list[tuple[str, bool]]]  # rid, needed
    maximum: Final[tuple[int, int] | None]  # (spatial, temporal)

@final
class ActiveSpeaker:
    __match_args__: ClassVar[tuple[Literal["router"], Literal["publisher"]]]
    router: Final[int]
    publisher: Final[int | None]

@final
class AudioLevels:
    __match_args__: ClassVar[tuple[Literal["router"], Literal["levels"]]]
    router: Final[int]
    levels: Final[list[tuple[int, int]]]  # publisher, level in -dBov

@final
class SlotChanged:
    __match_args__: ClassVar[tuple[Literal["subscriber"], Literal["publisher"]]]
    subscriber: Final[int]
    publisher: Final[int | None]

@final
class DataChannelOpened:
    __match_args__: ClassVar[
        tuple[
            Literal["transport"],
            Literal["label"],
            Literal["ordered"],
            Literal["max_retransmits"],
            Literal["max_packet_lifetime"],
        ]
    ]
    transport: Final[int]
    label: Final[str]
    ordered: Final[bool]
    max_retransmits: Final[int | None]
    max_packet_lifetime: Final[int | None]

@final
class DataMessage:
    __match_args__: ClassVar[tuple[Literal["data_publisher"], Literal["binary"], Literal["payload"]]]
    data_publisher: Final[int]
    binary: Final[bool]
    payload: Final[bytes]

_Event: TypeAlias = (
    Replied
    | Failed
    | ConnectionStateChanged
    | Closed
    | NegotiationNeeded
    | PeerFound
    | PublisherActive
    | Paused
    | LayerChanged
    | ConnectionQuality
    | LayersWanted
    | ActiveSpeaker
    | AudioLevels
    | SlotChanged
    | DataChannelOpened
    | DataMessage
)

@final
class Worker:
    """Owns the media threads and their sockets. `close` joins every thread."""

    def __new__(
        cls,
        *,
        threads: int,
        port: int,
        addresses: Sequence[str],
        announce: Sequence[str],
        announce_only: bool,
        tcp: Sequence[str],
        record: tuple[PathLike[str], int] | None = None,
        heartbeats: bool = True,
    ) -> Self:
        """Bind UDP `port` (0 picks one) on every thread and start them.

        `addresses` are local addresses to advertise; empty means every interface address
        (link-local skipped) and loopback. `announce` adds addresses in front of a NAT;
        `announce_only` keeps private ones out of the candidates. Raises PortInUse, ConfigurationError
        (an address or a thread count that cannot be), or OSError. `tcp` are the addresses where
        somebody accepts TCP on the same port for `adopt_tcp`. `record` is a file for what enters
        decisions, and how many bytes it may have. Without `heartbeats` clients that ask for one get none.
        """
    @property
    def port(self) -> int: ...
    @property
    def threads(self) -> int: ...
    def fileno(self) -> int:
        """An eventfd that becomes readable when events wait."""
    def candidates(self) -> list[str]:
        """Advertised `address:port` strings."""
    def counters(self) -> dict[str, int]:
        """Counters of all threads, summed, up to 250 ms old; never waits for them (for /metrics)."""
    def drain_events(self, limit: int = 4096) -> list[_Event]:
        """Take what waits. The descriptor stays readable when there is more.

        Works after `close` too: what the media threads said last can still be read.
        """
    def close(self) -> None:
        """Join every media thread and close every descriptor. The second time does nothing."""

    def adopt_tcp(self, descriptor: int, check: bytes) -> bool:
        """Take ownership of a connected TCP socket whose unread first frame holds this STUN check.

        False, and the descriptor closed, when no media thread takes it.
        """

    def allocate_router(self) -> int:
        """A handle on the least loaded media thread."""
    def loads(self) -> list[tuple[int, int]]:
        """Per media thread: transports, and CPU time lately in thousandths of a core."""
    def set_share(self, thread: int, share: float) -> int:
        """What part of its subscribers' lines a media thread may fill, 0 to 1."""
    def allocate_on(self, thread: int) -> int:
        """A handle on a media thread."""
    def allocate(self, parent: int) -> int:
        """A handle on the thread of `parent`."""

    def create_router(self, router: int, codecs: Sequence[str]) -> int: ...
    def create_branch(self, branch: int, home: int, codecs: Sequence[str]) -> int: ...
    def close_router(self, router: int) -> int: ...
    def set_audio_levels(self, router: int, interval: float | None) -> int: ...
    def create_publish_transport(
        self,
        router: int,
        transport: int,
        *,
        dtls: str,
        disconnected_timeout: float = 8.0,
        failed_timeout: float = 45.0,
        by_parameters: bool = False,
    ) -> int: ...
    def create_subscribe_transport(
        self,
        router: int,
        transport: int,
        *,
        dtls: str,
        disconnected_timeout: float = 8.0,
        failed_timeout: float = 45.0,
        by_parameters: bool = False,
        max_bitrate: int | None = None,
    ) -> int: ...
    def set_max_bitrate(self, transport: int, bitrate: int | None) -> int: ...
    def create_recording_transport(self, router: int, transport: int, address: str, port: int) -> int: ...
    def create_plain_transport(
        self,
        router: int,
        transport: int,
        address: str,
        *,
        rtcp_mux: bool,
        comedia: bool,
        srtp: tuple[str, bytes] | None,
    ) -> int: ...
    def connect_plain_transport(
        self,
        transport: int,
        *,
        remote: tuple[str, int] | None,
        rtcp_remote: tuple[str, int] | None,
        srtp: tuple[str, bytes] | None,
    ) -> int: ...
    def close_transport(self, transport: int) -> int: ...
    def describe_transport(self, transport: int) -> int: ...
    def set_fingerprint(self, transport: int, fingerprint: str) -> int: ...
    def renew_ice(self, transport: int) -> int: ...
    def accept_offer(self, transport: int, sdp: str) -> int: ...
    def create_offer(self, transport: int, *, ice_restart: bool) -> int: ...
    def accept_answer(self, transport: int, sdp: str) -> int: ...
    def rollback_offer(self, transport: int) -> int: ...
    def add_candidate(self, transport: int, candidate: str) -> int: ...
    def publish(self, transport: int, publisher: int, mid: str) -> int: ...
    def set_publisher_paused(self, publisher: int, paused: bool) -> int: ...
    def request_key_frame(self, publisher: int) -> int: ...
    def close_publisher(self, publisher: int) -> int: ...
    def subscribe(self, transport: int, items: Sequence[tuple[int, int]]) -> int: ...
    def attach(self, transport: int, subscriber: int, publisher: int, mid: str | None = None) -> int: ...
    def open_slots(self, transport: int, kind: str, slots: Sequence[int], own: int | None) -> int: ...
    def set_own_transport(self, transport: int, own: int | None) -> int: ...
    def set_slot(self, transport: int, subscriber: int, publisher: int | None, *, loudest: bool) -> int: ...
    def set_subscriber_paused(self, subscriber: int, paused: bool) -> int: ...
    def set_preferences(
        self,
        subscriber: int,
        *,
        spatial: int | None,
        temporal: int | None,
        min_spatial: int | None,
        min_temporal: int | None,
        max_spatial: int | None,
        max_temporal: int | None,
        width: int | None,
        height: int | None,
        max_fps: int | None,
        priority: int,
        content: str | None,
    ) -> int: ...
    def set_publisher_content(self, publisher: int, content: str) -> int: ...
    def close_subscriber(self, subscriber: int) -> int: ...
    def publish_data(
        self,
        transport: int,
        data_publisher: int,
        label: str,
        stream: tuple[int, bool, int | None, int | None, str] | None = None,
    ) -> int: ...
    def subscribe_data(
        self, transport: int, data_subscriber: int, data_publisher: int, stream: int | None = None
    ) -> int: ...
    def set_data_tap(self, data_publisher: int, tapped: bool) -> int: ...
    def send_data(self, data_publisher: int, payload: bytes | str) -> int: ...
    def close_data_publisher(self, data_publisher: int) -> int: ...
    def close_data_subscriber(self, data_subscriber: int) -> int: ...
    def start_recording(self, transport: int, track: int, publisher: int, address: str, port: int) -> int: ...
    def stop_recording(self, track: int) -> int: ...
    def produce(
        self,
        transport: int,
        publisher: int,
        kind: str,
        codec: tuple[str, int, int, int | None, str],
        *,
        ssrcs: Sequence[int],
        nack: bool,
        pli: bool,
        fir: bool,
        audio_level: int | None,
    ) -> int: ...
    def consume(self, transport: int, track: int, publisher: int, *, paused: bool) -> int: ...
    def set_track_paused(self, track: int, paused: bool) -> int: ...
    def set_track_preferences(self, track: int, *, spatial: int | None, temporal: int | None) -> int: ...
    def get_journal(self, subscriber: int) -> int: ...
    def get_stats(self, kind: str, handle: int) -> int: ...
    def inject_panic(self, transport: int) -> int: ...
