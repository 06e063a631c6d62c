"""The compiled core, as Python sees it. Thin: commands go down, events come up.

Handles are plain integers; `media/` maps them to objects and public ids. Every method that sends
a command returns its request number at once and never blocks; the outcome arrives from
`Worker.drain_events` as `Replied` or `Failed` with that number.
"""

from collections.abc import Sequence
from typing import Literal, final

__all__ = [
    "AnswerReply", "AttachedReply", "Closed", "Codec", "ConnectionStateChanged",
    "DataChannelOpened", "DataMessage", "Failed", "NegotiationNeeded", "OfferReply", "Paused",
    "PublishedReply", "PublisherActive", "Replied", "StatsReply", "Track", "Worker", "build_info",
]

def build_info() -> dict[str, str]: ...

@final
class Codec:
    mime: str
    payload_type: int
    clock_rate: int
    channels: int | None
    fmtp: str

@final
class Track:
    mid: str
    kind: Literal["audio", "video"]
    track_id: str
    stream_id: str
    active: bool
    rids: list[str]

@final
class AnswerReply:
    sdp: str
    tracks: list[Track]

@final
class OfferReply:
    sdp: str
    mids: list[tuple[str, int]]  # (mid, subscriber handle)

@final
class PublishedReply:
    kind: Literal["audio", "video"]
    codec: Codec

@final
class AttachedReply:
    mid: str

@final
class StatsReply:
    values: dict[str, int | float | str]

@final
class Replied:
    request: int
    value: AnswerReply | OfferReply | PublishedReply | AttachedReply | StatsReply | None

@final
class Failed:
    request: int
    error: Exception  # an instance of a class from headwater.errors

@final
class ConnectionStateChanged:
    transport: int
    state: Literal["new", "connecting", "connected", "disconnected", "failed"]

@final
class Closed:
    kind: Literal["router", "transport", "publisher", "subscriber", "data_publisher", "data_subscriber", "recording_track"]
    handle: int
    reason: Literal["requested", "parent", "publisher_closed", "remote_ended", "remote_closed", "connection_failed", "unsupported_codec", "panic"]

@final
class NegotiationNeeded:
    transport: int

@final
class PublisherActive:
    publisher: int
    codec: Codec

@final
class Paused:
    kind: Literal["publisher", "subscriber"]
    handle: int
    paused: bool

@final
class DataChannelOpened:
    transport: int
    label: str
    ordered: bool
    max_retransmits: int | None
    max_packet_lifetime: int | None

@final
class DataMessage:
    data_publisher: int
    binary: bool
    payload: bytes

@final
class Worker:
    """Owns the media threads and their sockets. `close` joins every thread."""

    def __init__(
        self, *, threads: int, port: int, addresses: Sequence[str], announce: Sequence[str], announce_only: bool
    ) -> None:
        """Bind UDP `port` (0 picks one) on every thread and start them.

        `addresses` are local addresses to advertise; empty means every interface address
        (link-local skipped) and loopback. `announce` adds addresses in front of a NAT;
        `announce_only` keeps private ones out of the candidates. Raises OSError when the port is taken.
        """
    port: int
    threads: int
    def fileno(self) -> int:
        """An eventfd that becomes readable when events wait."""
    def candidates(self) -> list[str]:
        """Advertised `address:port` strings."""
    def counters(self) -> dict[str, int]:
        """Counters of all threads, summed, read without waiting for them (for /metrics)."""
    def drain_events(self, limit: int = 4096) -> list[
        Replied | Failed | ConnectionStateChanged | Closed | NegotiationNeeded | PublisherActive | Paused | DataChannelOpened | DataMessage
    ]: ...
    def close(self) -> None: ...

    def allocate_router(self) -> int:
        """A handle on the least loaded media thread."""
    def allocate(self, parent: int) -> int:
        """A handle on the thread of `parent`."""

    def create_router(self, router: int, codecs: Sequence[str]) -> int: ...
    def close_router(self, router: int) -> int: ...
    def create_publish_transport(self, router: int, transport: int, *, dtls: str) -> int: ...
    def create_subscribe_transport(self, router: int, transport: int, *, dtls: str) -> int: ...
    def create_recording_transport(self, router: int, transport: int, address: str, port: int) -> int: ...
    def close_transport(self, transport: int) -> int: ...
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
    def attach(self, transport: int, subscriber: int, publisher: int) -> int: ...
    def set_subscriber_paused(self, subscriber: int, paused: bool) -> int: ...
    def close_subscriber(self, subscriber: int) -> int: ...
    def publish_data(self, transport: int, data_publisher: int, label: str) -> int: ...
    def subscribe_data(self, transport: int, data_subscriber: int, data_publisher: int) -> int: ...
    def set_data_tap(self, data_publisher: int, tapped: bool) -> int: ...
    def send_data(self, data_publisher: int, payload: bytes | str) -> int: ...
    def close_data_publisher(self, data_publisher: int) -> int: ...
    def close_data_subscriber(self, data_subscriber: int) -> int: ...
    def start_recording(self, transport: int, track: int, publisher: int, address: str, port: int) -> int: ...
    def stop_recording(self, track: int) -> int: ...
    def get_stats(self, kind: str, handle: int) -> int: ...
    def inject_panic(self, transport: int) -> int: ...
