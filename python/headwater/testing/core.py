"""The core, simulated: commands are carried out at once, in memory, and no packet flows."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from headwater.errors import (
    HeadwaterError,
    InvalidCandidate,
    InvalidSdp,
    InvalidState,
    NoOffer,
    NotFound,
    PublisherNotFound,
    TrackNotFound,
    UnsupportedCodec,
    WorkerClosed,
    WrongTransport,
)
from headwater.media.object import MediaObject
from headwater.protocols.sdp import MediaSection, SessionDescription, parse_sdp
from headwater.testing import values

__all__ = ["FakeCore"]


@dataclass(eq=False)
class _Thing:
    """Anything with a handle."""

    kind: str
    handle: int
    parent: _Thing | None = None
    source: _Thing | None = None
    children: list[_Thing] = field(default_factory=list)
    takers: list[_Thing] = field(default_factory=list)
    role: str = ""
    mid: str | None = None
    media_kind: str = "video"
    tracks: dict[str, values.Track] = field(default_factory=dict)
    lines: list[tuple[str, _Thing | None]] = field(default_factory=list)
    slots: dict[str, str] = field(default_factory=dict)
    data_line: bool = False
    offer_open: bool = False
    renewed: int = 0
    tapped: bool = False
    sent: list[str | bytes] = field(default_factory=list)
    wishes: dict[str, int | str | None] = field(default_factory=dict)
    journal: list[values.Decision] = field(default_factory=list)


class FakeCore:
    """The core's commands, carried out at once in memory; replies come through a real eventfd.

    ``hold`` keeps replies and events back until ``release``, to look at the time between.
    ``commands`` is the log of what was asked.
    """

    def __init__(self, *, threads: int = 1, port: int = 50000, addresses: Sequence[str] = ()) -> None:
        """Start empty."""
        self.threads = threads
        self.port = port
        self.commands: list[str] = []
        self.busy = 0
        self.shares: dict[int, float] = {}
        self._addresses = list(addresses) or ["127.0.0.1"]
        self._things: dict[int, _Thing] = {}
        self._events: deque[Any] = deque()
        self._descriptor = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._last_handle = 0
        self._last_request = 0
        self._held = False
        self._closed = False
        self._asked: asyncio.Future[None] | None = None

    # -- what a client causes -----------------------------------------------------------------------

    def connect(self, transport: MediaObject) -> None:
        """The client's connection is up."""
        for state in ("connecting", "connected"):
            self._emit(values.ConnectionStateChanged(transport._handle, state))

    def disconnect(self, transport: MediaObject) -> None:
        """Nothing is heard of the client for a while."""
        self._emit(values.ConnectionStateChanged(transport._handle, "disconnected"))

    def hang_up(self, transport: MediaObject) -> None:
        """The client closes its connection."""
        self._close(self._things[transport._handle], "remote_closed")

    def lose(self, transport: MediaObject) -> None:
        """The client's connection is lost for good."""
        self._emit(values.ConnectionStateChanged(transport._handle, "failed"))
        self._close(self._things[transport._handle], "connection_failed")

    def end(self, publisher: MediaObject) -> None:
        """The client stops a track or closes a data channel."""
        self._close(self._things[publisher._handle], "remote_ended")

    def reject(self, subscriber: MediaObject) -> None:
        """The client's answer lacks the codec of this subscriber."""
        self._close(self._things[subscriber._handle], "unsupported_codec")

    def packets(self, publisher: MediaObject, mime: str) -> None:
        """The first packets of a publisher arrive."""
        self._emit(values.PublisherActive(publisher._handle, values.Codec(mime)))

    def lose_thread(self, thread: int) -> None:
        """A media thread loses all that it holds to a bug."""
        for thing in [item for item in self._things.values() if item.kind == "router"]:
            if thing.handle >> 48 == thread:
                self._close(thing, "panic")

    def open_channel(self, transport: MediaObject, label: str, *, ordered: bool = True) -> None:
        """The client opens a data channel."""
        self._emit(values.DataChannelOpened(transport._handle, label, ordered))

    def message(self, data_publisher: MediaObject, payload: str | bytes) -> None:
        """The client sends a message; heard only while the program listens."""
        if self._things[data_publisher._handle].tapped:
            raw = payload.encode() if isinstance(payload, str) else payload
            self._emit(values.DataMessage(data_publisher._handle, isinstance(payload, bytes), raw))

    def sent(self, data_publisher: MediaObject) -> list[str | bytes]:
        """What the program sent through a data publisher."""
        return self._things[data_publisher._handle].sent

    def wishes(self, subscriber: MediaObject) -> dict[str, int | str]:
        """The preferences of a subscriber, those that were set."""
        wishes = self._things[subscriber._handle].wishes
        return {name: wish for name, wish in wishes.items() if wish is not None}

    def change_layer(
        self, subscriber: MediaObject, after: tuple[int, int] | None, reason: str = "start"
    ) -> None:
        """Another layer passes to a subscriber."""
        self._emit(values.LayerChanged(subscriber._handle, None, after, reason))

    def decide(self, subscriber: MediaObject, kind: str, at: float = 0.0, **facts: float | str) -> None:
        """Something was decided about a subscriber; the journal of the real core has 64 entries at most."""
        self._things[subscriber._handle].journal.append(values.Decision(at, kind, dict(facts)))

    def want_layers(self, publisher: MediaObject, *encodings: tuple[str, bool]) -> None:
        """Which encodings of a publisher anybody needs changed."""
        self._emit(values.LayersWanted(publisher._handle, list(encodings)))

    def speak(self, router: MediaObject, publisher: MediaObject | None) -> None:
        """Somebody speaks in a router, or nobody does any more."""
        self._emit(values.ActiveSpeaker(router._handle, None if publisher is None else publisher._handle))

    def sound(self, router: MediaObject, *levels: tuple[MediaObject, int]) -> None:
        """Publishers of a router make sound, this loud (-dBov); heard only when asked for."""
        if self._things[router._handle].tapped:
            told = [(publisher._handle, level) for publisher, level in levels]
            self._emit(values.AudioLevels(router._handle, told))

    def judge(self, transport: MediaObject, score: int) -> None:
        """How well a connection works changed, 0 to 100."""
        self._emit(values.ConnectionQuality(transport._handle, score))

    def fill_slot(self, slot: MediaObject, publisher: MediaObject | None) -> None:
        """Somebody else is the loudest, or nobody is."""
        self._emit(values.SlotChanged(slot._handle, None if publisher is None else publisher._handle))

    def hold(self) -> None:
        """Keep replies and events back."""
        self._held = True

    def release(self) -> None:
        """Deliver what was kept back, and go on delivering."""
        self._held = False
        self._signal()

    async def asked(self, command: str) -> None:
        """Wait until the program has sent a command of that name, and nothing after it."""
        while not self.commands or self.commands[-1] != command:
            self._asked = asyncio.get_running_loop().create_future()
            await self._asked

    @property
    def objects(self) -> int:
        """How many objects are open."""
        return len(self._things)

    # -- what the seam calls ------------------------------------------------------------------------

    def fileno(self) -> int:
        """The eventfd."""
        return self._descriptor

    def candidates(self) -> list[str]:
        """Advertised addresses."""
        return [f"{address}:{self.port}" for address in self._addresses]

    def counters(self) -> dict[str, int]:
        """One made-up counter."""
        return {"packets_received": 0}

    def drain_events(self, limit: int = 4096) -> list[Any]:
        """Hand out what happened."""
        size = 0 if self._held else min(limit, len(self._events))
        batch = [self._events.popleft() for _ in range(size)]
        if self._held or not self._events:
            with contextlib.suppress(BlockingIOError):
                os.eventfd_read(self._descriptor)
        return batch

    def adopt_tcp(self, descriptor: int, check: bytes) -> bool:
        """Close the connection: nobody connects over a simulated core."""
        os.close(descriptor)
        self.commands.append("adopt_tcp")
        return False

    def close(self) -> None:
        """Close the eventfd."""
        if not self._closed:
            self._closed = True
            os.close(self._descriptor)

    def allocate_router(self) -> int:
        """A handle."""
        return self.allocate_on(0)

    def loads(self) -> list[tuple[int, int]]:
        """Per thread: transports, and the part of a core that `busy` says, in thousandths."""
        counts = Counter(item.handle >> 48 for item in self._things.values() if item.kind == "transport")
        return [(counts[thread], self.busy) for thread in range(self.threads)]

    def allocate_on(self, thread: int) -> int:
        """A handle on a media thread."""
        self._last_handle += 1
        return thread << 48 | self._last_handle

    def allocate(self, parent: int) -> int:
        """A handle on the thread of another."""
        return self.allocate_on(parent >> 48)

    def __getattr__(self, name: str) -> Any:
        """Find the command of that name, and answer with a request number as the core does."""
        if name.startswith("_") or (command := getattr(type(self), f"_do_{name}", None)) is None:
            raise AttributeError(name)

        def send(*args: Any, **options: Any) -> int:
            if self._closed:
                raise WorkerClosed("the Worker was closed")
            self.commands.append(name)
            if self._asked is not None and not self._asked.done():
                self._asked.set_result(None)
            self._last_request += 1
            request = self._last_request
            try:
                value = command(self, *args, **options)
            except HeadwaterError as error:
                self._emit(values.Failed(request, error))
            else:
                self._emit(values.Replied(request, value))
            return request

        return send

    # -- inside -------------------------------------------------------------------------------------

    def _emit(self, event: Any) -> None:
        self._events.append(event)
        if not self._held:
            self._signal()

    def _signal(self) -> None:
        if self._events and not self._closed:
            os.eventfd_write(self._descriptor, 1)

    def _thing(self, kind: str, handle: int) -> _Thing:
        thing = self._things.get(handle)
        if thing is None or thing.kind != kind:
            raise (PublisherNotFound if kind == "publisher" else NotFound)(f"{kind} is closed or unknown")
        return thing

    def _add(self, kind: str, handle: int, parent: _Thing | None, **details: Any) -> _Thing:
        thing = _Thing(kind, handle, parent, **details)
        self._things[handle] = thing
        if parent is not None:
            parent.children.append(thing)
        if thing.source is not None:
            thing.source.takers.append(thing)
        return thing

    def _close(self, thing: _Thing, reason: str) -> None:
        if self._things.pop(thing.handle, None) is None:
            return
        for child in list(thing.children):
            self._close(child, "parent")
        for taker in list(thing.takers):
            self._close(taker, "publisher_closed")
        if thing.source is not None:
            thing.source.takers.remove(thing)
        parent = thing.parent
        if parent is not None:
            parent.children.remove(thing)
        self._emit(values.Closed(thing.kind, thing.handle, reason))
        if thing.kind == "subscriber" and parent is not None and parent.handle in self._things:
            parent.lines = [(kind, None if held is thing else held) for kind, held in parent.lines]
            self._emit(values.NegotiationNeeded(parent.handle))

    # -- commands: what they return is the reply's value, what they raise its failure -------------------

    def _do_set_share(self, thread: int, share: float) -> None:
        self.shares[thread] = share

    def _do_create_router(self, router: int, codecs: Sequence[str]) -> None:
        self._add("router", router, None)

    def _do_create_branch(self, branch: int, home: int, codecs: Sequence[str]) -> None:
        self._add("router", branch, None)

    def _do_close_router(self, router: int) -> None:
        self._close(self._thing("router", router), "requested")

    def _do_set_audio_levels(self, router: int, interval: float | None) -> None:
        self._thing("router", router).tapped = interval is not None

    def _do_create_publish_transport(
        self,
        router: int,
        transport: int,
        *,
        dtls: str,
        disconnected_timeout: float,
        failed_timeout: float,
        by_parameters: bool = False,
    ) -> None:
        self._add("transport", transport, self._thing("router", router), role="publish")

    def _do_create_subscribe_transport(
        self,
        router: int,
        transport: int,
        *,
        dtls: str,
        disconnected_timeout: float,
        failed_timeout: float,
        by_parameters: bool = False,
        max_bitrate: int | None = None,
    ) -> None:
        self._add("transport", transport, self._thing("router", router), role="subscribe")

    def _do_set_max_bitrate(self, transport: int, bitrate: int | None) -> None:
        self._thing("transport", transport)

    def _do_create_recording_transport(self, router: int, transport: int, address: str, port: int) -> None:
        self._add("transport", transport, self._thing("router", router), role="recording")

    def _do_create_plain_transport(
        self,
        router: int,
        transport: int,
        address: str,
        *,
        rtcp_mux: bool,
        comedia: bool,
        srtp: tuple[str, bytes] | None,
    ) -> values.BoundReply:
        self._add("transport", transport, self._thing("router", router), role="plain")
        return values.BoundReply((address, 40000), None if rtcp_mux else (address, 40001))

    def _do_connect_plain_transport(
        self,
        transport: int,
        *,
        remote: tuple[str, int] | None,
        rtcp_remote: tuple[str, int] | None,
        srtp: tuple[str, bytes] | None,
    ) -> None:
        self._thing("transport", transport)

    def _do_produce(
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
    ) -> values.PublishedReply:
        self._add("publisher", publisher, self._thing("transport", transport), media_kind=kind)
        return values.PublishedReply(kind, values.Codec(*codec))

    def _do_consume(
        self, transport: int, track: int, publisher: int, *, paused: bool
    ) -> values.ConsumedReply:
        source = self._thing("publisher", publisher)
        self._add("recording_track", track, self._thing("transport", transport), source=source)
        return values.ConsumedReply(1_000_000 + (track & 0xFFFF))

    def _do_set_track_paused(self, track: int, paused: bool) -> None:
        self._thing("recording_track", track)
        self._emit(values.Paused("recording_track", track, paused))

    def _do_set_track_preferences(self, track: int, *, spatial: int | None, temporal: int | None) -> None:
        self._thing("recording_track", track)

    def _do_close_transport(self, transport: int) -> None:
        self._close(self._thing("transport", transport), "requested")

    def _do_describe_transport(self, transport: int) -> values.ParametersReply:
        thing = self._thing("transport", transport)
        candidates = [(address, self.port, "udp") for address in self._addresses]
        ufrag = f"0000{thing.handle:x}n{thing.renewed}"
        return values.ParametersReply(ufrag, "p" * 32, candidates, "sha-256 " + ":".join(["AB"] * 32))

    def _do_set_fingerprint(self, transport: int, fingerprint: str) -> None:
        self._thing("transport", transport)

    def _do_renew_ice(self, transport: int) -> values.ParametersReply:
        self._thing("transport", transport).renewed += 1
        return self._do_describe_transport(transport)

    def _do_accept_offer(self, transport: int, sdp: str) -> values.AnswerReply:
        thing = self._thing("transport", transport)
        offer = parse_sdp(sdp)
        if not offer.media:
            raise InvalidSdp("the offer has no m-lines")
        tracks = []
        for media in offer.media:
            mid = media.mid or ""
            stream, _, track_id = (media.attribute("msid") or f" {mid}").partition(" ")
            active = media.direction in ("sendonly", "sendrecv")
            if media.kind == "application":
                thing.data_line = True
            elif thing.role == "publish":
                tracks.append(values.Track(mid, media.kind, track_id, stream, active))
            elif media.direction == "recvonly":
                thing.slots.setdefault(mid, media.kind)
        for publisher in [item for item in thing.children if item.kind == "publisher"]:
            if not any(track.mid == publisher.mid and track.active for track in tracks):
                self._close(publisher, "remote_ended")
        thing.tracks = {track.mid: track for track in tracks}
        lines = [(media.mid or str(number), media.kind) for number, media in enumerate(offer.media)]
        return values.AnswerReply(self._describe("answer", lines), tracks)

    def _do_create_offer(self, transport: int, *, ice_restart: bool) -> values.OfferReply:
        thing = self._thing("transport", transport)
        if thing.role != "subscribe":
            raise WrongTransport("only a subscribe transport offers")
        if thing.offer_open:
            raise InvalidState("an offer is still open; answer it first")
        thing.offer_open = True
        thing.data_line = True
        sdp = self._describe(
            "offer",
            [(str(mid), kind) for mid, kind in enumerate(("application", *(k for k, _ in thing.lines)))],
        )
        mids = [(str(mid + 1), held.handle) for mid, (_, held) in enumerate(thing.lines) if held is not None]
        return values.OfferReply(sdp, mids)

    def _do_accept_answer(self, transport: int, sdp: str) -> None:
        thing = self._thing("transport", transport)
        if not thing.offer_open:
            raise NoOffer("no offer is open")
        parse_sdp(sdp)
        thing.offer_open = False

    def _do_rollback_offer(self, transport: int) -> None:
        thing = self._thing("transport", transport)
        if not thing.offer_open:
            raise NoOffer("no offer is open")
        thing.offer_open = False

    def _do_add_candidate(self, transport: int, candidate: str) -> None:
        self._thing("transport", transport)
        if "candidate:" not in candidate:
            raise InvalidCandidate(f"not a candidate: {candidate[:40]!r}")

    def _do_publish(self, transport: int, publisher: int, mid: str) -> values.PublishedReply:
        thing = self._thing("transport", transport)
        track = thing.tracks.get(mid)
        if track is None or any(item.mid == mid for item in thing.children):
            raise TrackNotFound(f"no unpublished track {mid!r} on this transport")
        self._add("publisher", publisher, thing, mid=mid, media_kind=track.kind)
        codec = (
            values.Codec("audio/opus", 111, 48000, 2) if track.kind == "audio" else values.Codec("video/VP8")
        )
        return values.PublishedReply(track.kind, codec)

    def _do_set_publisher_paused(self, publisher: int, paused: bool) -> None:
        self._thing("publisher", publisher)
        self._emit(values.Paused("publisher", publisher, paused))

    def _do_request_key_frame(self, publisher: int) -> None:
        self._thing("publisher", publisher)

    def _do_close_publisher(self, publisher: int) -> None:
        self._close(self._thing("publisher", publisher), "requested")

    def _do_subscribe(self, transport: int, items: Sequence[tuple[int, int]]) -> values.OfferReply:
        thing = self._thing("transport", transport)
        if thing.offer_open:
            raise InvalidState("an offer is still open; answer it first")
        for subscriber, publisher in items:
            source = self._thing("publisher", publisher)
            taken = self._add("subscriber", subscriber, thing, source=source, media_kind=source.media_kind)
            free = [at for at, line in enumerate(thing.lines) if line == (source.media_kind, None)]
            if free:
                thing.lines[free[0]] = (source.media_kind, taken)
            else:
                thing.lines.append((source.media_kind, taken))
        return self._do_create_offer(transport, ice_restart=False)

    def _do_open_slots(
        self, transport: int, kind: str, slots: Sequence[int], own: int | None
    ) -> values.OfferReply:
        thing = self._thing("transport", transport)
        if thing.offer_open:
            raise InvalidState("an offer is still open; answer it first")
        for slot in slots:
            thing.lines.append((kind, self._add("subscriber", slot, thing, media_kind=kind)))
        return self._do_create_offer(transport, ice_restart=False)

    def _do_set_own_transport(self, transport: int, own: int | None) -> None:
        self._thing("transport", transport)

    def _do_set_slot(self, transport: int, subscriber: int, publisher: int | None, *, loudest: bool) -> None:
        self._thing("subscriber", subscriber)
        if publisher is not None:
            self._thing("publisher", publisher)
        if not loudest:
            self._emit(values.SlotChanged(subscriber, publisher))

    def _do_attach(
        self, transport: int, subscriber: int, publisher: int, wanted: str | None = None
    ) -> values.AttachedReply:
        thing, source = self._thing("transport", transport), self._thing("publisher", publisher)
        used = {item.mid for item in thing.children}
        for mid, kind in thing.slots.items():
            if kind == source.media_kind and mid not in used and wanted in (None, mid):
                self._add("subscriber", subscriber, thing, source=source, mid=mid, media_kind=kind)
                return values.AttachedReply(mid)
        raise UnsupportedCodec(f"no free slot for {source.media_kind}")

    def _do_set_preferences(self, subscriber: int, **wishes: int | str | None) -> None:
        self._thing("subscriber", subscriber).wishes = wishes

    def _do_set_publisher_content(self, publisher: int, content: str) -> None:
        self._thing("publisher", publisher)

    def _do_set_subscriber_paused(self, subscriber: int, paused: bool) -> None:
        self._thing("subscriber", subscriber)
        self._emit(values.Paused("subscriber", subscriber, paused))

    def _do_close_subscriber(self, subscriber: int) -> None:
        self._close(self._thing("subscriber", subscriber), "requested")

    def _do_publish_data(
        self, transport: int, data_publisher: int, label: str, stream: tuple[Any, ...] | None = None
    ) -> None:
        self._add("data_publisher", data_publisher, self._thing("transport", transport))

    def _do_subscribe_data(
        self, transport: int, data_subscriber: int, data_publisher: int, stream: int | None = None
    ) -> values.OfferReply | None:
        thing, source = self._thing("transport", transport), self._thing("data_publisher", data_publisher)
        self._add("data_subscriber", data_subscriber, thing, source=source)
        return None if thing.data_line else self._do_create_offer(transport, ice_restart=False)

    def _do_set_data_tap(self, data_publisher: int, tapped: bool) -> None:
        self._thing("data_publisher", data_publisher).tapped = tapped

    def _do_send_data(self, data_publisher: int, payload: str | bytes) -> None:
        self._thing("data_publisher", data_publisher).sent.append(payload)

    def _do_close_data_publisher(self, data_publisher: int) -> None:
        self._close(self._thing("data_publisher", data_publisher), "requested")

    def _do_close_data_subscriber(self, data_subscriber: int) -> None:
        self._close(self._thing("data_subscriber", data_subscriber), "requested")

    def _do_start_recording(
        self, transport: int, track: int, publisher: int, address: str, port: int
    ) -> None:
        source = self._thing("publisher", publisher)
        self._add("recording_track", track, self._thing("transport", transport), source=source)

    def _do_stop_recording(self, track: int) -> None:
        self._close(self._thing("recording_track", track), "requested")

    def _do_get_journal(self, subscriber: int) -> values.JournalReply:
        opened = values.Decision(0.0, "gate", {"open": 1})
        return values.JournalReply([opened, *self._thing("subscriber", subscriber).journal])

    def _do_get_stats(self, kind: str, handle: int) -> values.StatsReply:
        self._thing(kind, handle)
        return values.StatsReply({"packets": 0})

    def _do_inject_panic(self, transport: int) -> None:
        self._close(self._thing("transport", transport), "panic")

    def _describe(self, what: str, mids: Sequence[tuple[str, str]]) -> str:
        """Write an SDP that names the m-lines; no client could connect with it."""
        session = SessionDescription()
        for letter, value in (("v", "0"), ("o", "- 0 0 IN IP4 127.0.0.1"), ("s", what), ("t", "0 0")):
            session.add(letter, value)
        for number, (mid, kind) in enumerate(mids):
            section = MediaSection(kind=kind, port=9, protocol="UDP/TLS/RTP/SAVPF", formats=["96"])
            section.add("a", f"mid:{mid}")
            section.add("a", f"ssrc:{1000 + 2 * number} cname:fake")
            section.add("a", f"ssrc-group:FID {1000 + 2 * number} {1001 + 2 * number}")
            session.media.append(section)
        return str(session)
