"""The Router: the publishers and subscribers of one room, and the fan-out between them.

A router begins on one media thread; a large one spreads over others (`headwater.media.placement`),
which nobody notices. Members of one router exchange media; nothing crosses from one router to another.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypedDict, TypeVar

from headwater.errors import AmbiguousTrack, ConfigurationError, HeadwaterError, PublisherNotFound
from headwater.ids import DataPublisherId, PublisherId, RouterId
from headwater.media.branch import Branch, thread_of
from headwater.media.codec import CodecName
from headwater.media.data_publisher import DataPublisher
from headwater.media.events import ActiveSpeaker, AudioLevels, Event, RouterClosed
from headwater.media.object import MediaObject
from headwater.media.observers import ActiveSpeakerObserver, AudioLevelObserver
from headwater.media.ortc import OrtcPublishTransport, OrtcSubscribeTransport, codec_parameters
from headwater.media.placement import ThreadLoad, choose_thread
from headwater.media.plain_transport import PlainTransport
from headwater.media.publish_transport import PublishTransport
from headwater.media.publisher import Publisher
from headwater.media.recording_transport import RecordingTransport
from headwater.media.seam import Seam
from headwater.media.srtp import SrtpParameters, SrtpSuite
from headwater.media.subscribe_transport import SubscribeTransport, check_bitrate
from headwater.media.transport import WebRtcTransport
from headwater.protocols.mediasoup import RtpCapabilities, can_consume, consumer_terms, router_capabilities

if TYPE_CHECKING:
    from headwater.media.object import Statistics

__all__ = ["DtlsVersion", "Router"]

DtlsVersion = Literal["1.2", "1.3"]
"""The DTLS version that a transport negotiates (RFC 6347, RFC 9147)."""


T = TypeVar("T", bound=WebRtcTransport)
O = TypeVar("O", OrtcPublishTransport, OrtcSubscribeTransport)  # noqa: E741


class Router(MediaObject):
    """One room's media; made by `Worker.create_router`."""

    _kind = "router"
    _prefix = "rtr"
    _closed_event = RouterClosed

    def __init__(
        self,
        seam: Seam,
        handle: int,
        siblings: dict[Router, None],
        *,
        spread: int,
        router_id: str | None = None,
    ) -> None:
        """Use `Worker.create_router`."""
        super().__init__(seam, handle, None)
        self._id = router_id or self._id
        self._siblings = siblings
        self._spread = spread
        self._codecs: Sequence[CodecName] = ()
        self._branches: dict[int, Branch] = {}
        self._ending: list[asyncio.Future[Any]] = []
        self._placing: Counter[int] = Counter()
        self._publishers: dict[str, Publisher] = {}
        self._by_track: dict[str, list[Publisher]] = {}
        self._data_publishers: dict[str, DataPublisher] = {}
        self._speaker: PublisherId | None = None
        self._levels: tuple[tuple[PublisherId, int], ...] = ()
        self._level_observers: dict[AudioLevelObserver, None] = {}

    @property
    def id(self) -> RouterId:
        """The router's id."""
        return RouterId(self._id)

    @property
    def publisher_ids(self) -> tuple[PublisherId, ...]:
        """What a late joiner can subscribe to, oldest first."""
        return tuple(publisher.id for publisher in self._publishers.values())

    @property
    def data_publisher_ids(self) -> tuple[DataPublisherId, ...]:
        """What a late joiner can subscribe to with ``subscribe_data``, oldest first."""
        return tuple(publisher.id for publisher in self._data_publishers.values())

    @property
    def rtp_capabilities(self) -> RtpCapabilities:
        """What it carries, in the words of ORTC: what mediasoup-client's ``Device.load`` takes."""
        return router_capabilities(self._codecs)

    def can_consume(self, publisher_id: str, rtp_capabilities: RtpCapabilities) -> bool:
        """Whether a client with these capabilities can receive what a publisher sends.

        Raises:
            PublisherNotFound: The router has no such publisher or track.
            AmbiguousTrack: Several publishers carry that track id.
        """
        publisher = self.publisher(publisher_id)
        sent = codec_parameters(publisher)
        return (
            can_consume(sent, rtp_capabilities)
            and consumer_terms(self.rtp_capabilities, rtp_capabilities, publisher.kind, sent) is not None
        )

    @property
    def active_speaker(self) -> PublisherId | None:
        """Who speaks; ``None`` when nobody does."""
        return self._speaker

    @property
    def audio_levels(self) -> tuple[tuple[PublisherId, int], ...]:
        """Who makes sound, the loudest first, and how loud in -dBov; see `set_audio_levels`."""
        return self._levels

    @property
    def transports(
        self,
    ) -> tuple[PublishTransport | SubscribeTransport | RecordingTransport | PlainTransport, ...]:
        """The open transports, oldest first."""
        return tuple(
            item
            for item in self._children
            if isinstance(item, PublishTransport | SubscribeTransport | RecordingTransport | PlainTransport)
        )

    def publisher(self, id_: str) -> Publisher:
        """Return the publisher of that id, or the one with that track id.

        Raises:
            PublisherNotFound: The router has neither.
            AmbiguousTrack: Several publishers carry that track id.
        """
        if (publisher := self._publishers.get(id_)) is not None:
            return publisher
        candidates = self._by_track.get(id_, ())
        if len(candidates) > 1:
            raise AmbiguousTrack(
                f"{len(candidates)} publishers carry the track {id_!r}; use a publisher's id"
            )
        if not candidates:
            raise PublisherNotFound(f"{self!r} has no publisher or track {id_!r}")
        return candidates[0]

    def data_publisher(self, id_: str) -> DataPublisher:
        """Return the data publisher of that id.

        Raises:
            PublisherNotFound: The router has none of that id.
        """
        if (publisher := self._data_publishers.get(id_)) is None:
            raise PublisherNotFound(f"{self!r} has no data publisher {id_!r}")
        return publisher

    async def create_publish_transport(
        self, *, dtls: DtlsVersion = "1.2", disconnected_timeout: float = 8.0, failed_timeout: float = 45.0
    ) -> PublishTransport:
        """Make a transport on which a client sends: the client offers, the server answers.

        Args:
            dtls: DTLS version to negotiate.
            disconnected_timeout: Seconds of silence after which the connection counts as disconnected.
                Browsers give a sign of life every 4 to 6 s, so with less than 6 it may flicker.
            failed_timeout: Seconds of silence after which the transport closes, also when the client
                never comes.

        Raises:
            ConfigurationError: A timeout is not above 0, or more than a day.
        """
        self._check()
        timeouts = _timeouts(disconnected_timeout, failed_timeout)
        native = self._seam.native
        return await self._place(
            lambda handle: PublishTransport(self._seam, handle, self),
            lambda router, new: native.create_publish_transport(router, new, dtls=dtls, **timeouts),
        )

    async def create_subscribe_transport(
        self,
        *,
        dtls: DtlsVersion = "1.2",
        negotiation_timeout: float = 10.0,
        disconnected_timeout: float = 8.0,
        failed_timeout: float = 45.0,
        max_bitrate: int | None = None,
    ) -> SubscribeTransport:
        """Make a transport on which a client receives: the server offers, the client answers.

        Args:
            dtls: DTLS version to negotiate.
            negotiation_timeout: Seconds that an operation waits for the answer to an earlier offer.
            disconnected_timeout: Seconds of silence after which the connection counts as disconnected.
                Browsers give a sign of life every 4 to 6 s, so with less than 6 it may flicker.
            failed_timeout: Seconds of silence after which the transport closes, also when the client
                never comes.
            max_bitrate: The most that is sent, in bit/s; see `SubscribeTransport.set_max_bitrate`.

        Raises:
            ConfigurationError: A timeout of the connection is not above 0, or more than a day; the bit
                rate is not above 0.
        """
        self._check()
        timeouts = _timeouts(disconnected_timeout, failed_timeout)
        check_bitrate(max_bitrate)
        native = self._seam.native
        return await self._place(
            lambda handle: SubscribeTransport(self._seam, handle, self, negotiation_timeout),
            lambda router, new: native.create_subscribe_transport(
                router, new, dtls=dtls, max_bitrate=max_bitrate, **timeouts
            ),
        )

    async def create_ortc_publish_transport(
        self, *, dtls: DtlsVersion = "1.2", disconnected_timeout: float = 8.0, failed_timeout: float = 45.0
    ) -> OrtcPublishTransport:
        """Make a transport on which a client sends that speaks parameters instead of SDP.

        Args:
            dtls: As for `create_publish_transport`.
            disconnected_timeout: As for `create_publish_transport`.
            failed_timeout: As for `create_publish_transport`; counts from `connect`.

        Raises:
            ConfigurationError: A timeout is not above 0, or more than a day.
        """
        self._check()
        timeouts = _timeouts(disconnected_timeout, failed_timeout)
        native = self._seam.native

        def make(handle: int) -> OrtcPublishTransport:
            transport = OrtcPublishTransport(self._seam, handle, self)
            transport._prepare()
            return transport

        transport = await self._place(
            make,
            lambda router, new: native.create_publish_transport(
                router, new, dtls=dtls, by_parameters=True, **timeouts
            ),
        )
        return await _described(transport)

    async def create_ortc_subscribe_transport(
        self, *, dtls: DtlsVersion = "1.2", disconnected_timeout: float = 8.0, failed_timeout: float = 45.0
    ) -> OrtcSubscribeTransport:
        """Make a transport on which a client receives that speaks parameters instead of SDP.

        Args:
            dtls: As for `create_publish_transport`.
            disconnected_timeout: As for `create_publish_transport`.
            failed_timeout: As for `create_publish_transport`; counts from the first ``consume``.

        Raises:
            ConfigurationError: A timeout is not above 0, or more than a day.
        """
        self._check()
        timeouts = _timeouts(disconnected_timeout, failed_timeout)
        native = self._seam.native

        def make(handle: int) -> OrtcSubscribeTransport:
            transport = OrtcSubscribeTransport(self._seam, handle, self, failed_timeout)
            transport._prepare()
            return transport

        transport = await self._place(
            make,
            lambda router, new: native.create_subscribe_transport(
                router, new, dtls=dtls, by_parameters=True, **timeouts
            ),
        )
        return await _described(transport)

    async def create_recording_transport(self, address: str, port: int) -> RecordingTransport:
        """Make a transport that sends plain RTP and RTCP to a recorder.

        Args:
            address: IP address of the recorder.
            port: First of its ports. Each recorded track takes two: RTP on the even place, RTCP
                right behind it.

        Raises:
            ConfigurationError: The address is no IP address, or the port is out of range.
        """
        self._check()
        try:
            ipaddress.ip_address(address)
        except ValueError as error:
            raise ConfigurationError(f"a recorder's address is an IP address, not {address!r}") from error
        if not 0 < port < 65535:
            raise ConfigurationError(f"a recorder's port is between 1 and 65534, not {port}")
        native = self._seam.native
        transport = RecordingTransport(self._seam, native.allocate(self._handle), self, address, port)
        return await self._create(
            transport,
            lambda: native.create_recording_transport(self._handle, transport._handle, address, port),
        )

    async def create_plain_transport(
        self,
        *,
        listen_ip: str = "127.0.0.1",
        rtcp_mux: bool = True,
        comedia: bool = False,
        srtp: SrtpSuite | None = None,
    ) -> PlainTransport:
        """Make a transport for plain RTP or SRTP, in both directions, on UDP ports of its own.

        Args:
            listen_ip: The local address to listen on and to send from.
            rtcp_mux: Whether RTCP comes to the port of RTP (RFC 5761); else it has a port of its own.
            comedia: Take the peer's address from its first valid packet, instead of from ``connect``.
            srtp: Suite by which everything is encrypted and authenticated; nothing is without one.

        Raises:
            ConfigurationError: The address is no IP address, or there is no such suite.
            ResourceError: The address is not one of this machine, or no port is free.
        """
        self._check()
        try:
            ipaddress.ip_address(listen_ip)
        except ValueError as error:
            raise ConfigurationError(f"listen_ip is an IP address, not {listen_ip!r}") from error
        parameters = None if srtp is None else SrtpParameters.generate(srtp)
        keys = None if parameters is None else (parameters.crypto_suite, parameters.key)
        native = self._seam.native
        transport = PlainTransport(
            self._seam, native.allocate(self._handle), self, parameters, comedia=comedia
        )
        return await self._create(
            transport,
            lambda: native.create_plain_transport(
                self._handle, transport._handle, listen_ip, rtcp_mux=rtcp_mux, comedia=comedia, srtp=keys
            ),
            transport._opened,
        )

    async def set_audio_levels(self, interval: float | None) -> None:
        """Tell how loud the publishers are: an `AudioLevels` event while anybody makes sound.

        Args:
            interval: Seconds between two events, 0.2 at least; ``None`` stops them.

        Raises:
            ConfigurationError: The interval is not above 0, or more than a day.
            Closed: The router was closed.
        """
        if interval is not None and not 0 < interval <= _LONGEST_TIMEOUT:
            raise ConfigurationError(f"an interval is a number of seconds above 0, not {interval}")
        await self._call(lambda: self._seam.native.set_audio_levels(self._handle, interval))
        if interval is None:
            self._levels = ()

    def create_active_speaker_observer(self) -> ActiveSpeakerObserver:
        """Listen to who speaks."""
        self._check()
        return ActiveSpeakerObserver(self)

    async def create_audio_level_observer(
        self, *, max_entries: int = 1, threshold: int = -80, interval: float = 1.0
    ) -> AudioLevelObserver:
        """Listen to who is loudest. `set_audio_levels` has the last word on how often that is told.

        Args:
            max_entries: How many are told of at once.
            threshold: Who is less loud makes no sound, dBov from -127 to 0.
            interval: Seconds between two looks, 0.2 at least.

        Raises:
            ConfigurationError: A value is out of its range.
        """
        self._check()
        observer = AudioLevelObserver(self, max_entries=max_entries, threshold=threshold, interval=interval)
        return await observer._start()

    async def get_stats(self) -> Statistics:
        """Count what the router holds."""
        self._check()
        return {
            "transports": len(self._children),
            "publishers": len(self._publishers),
            "data_publishers": len(self._data_publishers),
            "subscribers": sum(len(publisher.subscribers) for publisher in self._publishers.values()),
            "threads": len({thread_of(item._handle) for item in (self, *self.transports)}),
        }

    async def close(self) -> None:
        """Close the router and everything that hangs on it; closing twice is fine."""
        await super().close()
        ending, self._ending = self._ending, []
        for branch in ending:
            with contextlib.suppress(HeadwaterError):  # the other side closed it first
                await branch

    # -- for the other classes of this package ------------------------------------------------------

    async def _open(self, codecs: Sequence[CodecName]) -> Router:
        """Send the create command."""
        self._codecs = codecs
        return await self._create(self, lambda: self._seam.native.create_router(self._handle, codecs))

    async def _add_level_observer(self, observer: AudioLevelObserver) -> None:
        """Tell levels as often as the most curious observer wants."""
        interval = min(item.interval for item in (*self._level_observers, observer))
        await self.set_audio_levels(interval)
        self._level_observers[observer] = None

    async def _drop_level_observer(self, observer: AudioLevelObserver) -> None:
        """Tell levels less often, or no more."""
        self._level_observers.pop(observer, None)
        if not self.closed:
            intervals = [item.interval for item in self._level_observers]
            await self.set_audio_levels(min(intervals, default=None))

    def _handle_event(self, event: Event) -> None:
        if isinstance(event, ActiveSpeaker):
            self._speaker = event.publisher_id
        elif isinstance(event, AudioLevels):
            self._levels = event.levels
        super()._handle_event(event)

    def _adopted(self) -> None:
        """Take a place in the Worker."""
        self._siblings[self] = None

    def _add_publisher(self, publisher: Publisher) -> None:
        """Make a publisher findable by its id and its track's."""
        self._publishers[publisher.id] = publisher
        self._by_track.setdefault(publisher.track_id, []).append(publisher)

    def _remove_publisher(self, publisher: Publisher) -> None:
        """Forget a publisher; twice is fine."""
        if self._publishers.pop(publisher.id, None) is None:
            return
        same = self._by_track[publisher.track_id]
        same.remove(publisher)
        if not same:
            del self._by_track[publisher.track_id]

    def _add_data_publisher(self, publisher: DataPublisher) -> None:
        """Make a data publisher findable by its id."""
        self._data_publishers[publisher.id] = publisher

    def _remove_data_publisher(self, publisher: DataPublisher) -> None:
        """Forget a data publisher; twice is fine."""
        self._data_publishers.pop(publisher.id, None)

    async def _place(self, make: Callable[[int], T], send: Callable[[int, int], int]) -> T:
        """Make a transport on the media thread that suits it."""
        native = self._seam.native
        home = thread_of(self._handle)
        loads = [ThreadLoad(transports, busy / 1000) for transports, busy in native.loads()]
        members = Counter(thread_of(item._handle) for item in self.transports)
        thread = choose_thread(home, members + self._placing, loads, spread=self._spread)
        router = self._handle if thread == home else self._branch(thread)._handle
        transport = make(native.allocate(router))
        self._placing[thread] += 1
        try:
            return await self._create(transport, lambda: send(router, transport._handle))
        finally:
            self._placing[thread] -= 1

    def _branch(self, thread: int) -> Branch:
        """Return the part of the router on another thread; one that closed is followed by a new one."""
        if (branch := self._branches.get(thread)) is None:
            branch = Branch(
                self._seam, self._handle, thread, self._codecs, lambda: self._branches.pop(thread, None)
            )
            self._branches[thread] = branch
        return branch

    def _on_closed(self) -> None:
        self._siblings.pop(self, None)
        ended = [branch._end() for branch in list(self._branches.values())]
        self._ending = [future for future in ended if future is not None]

    def _send_close(self) -> int:
        return self._seam.native.close_router(self._handle)


async def _described(transport: O) -> O:
    """Have a new transport know itself; a caller that is cancelled leaves nothing behind."""
    try:
        await transport._describe()
    except BaseException:
        transport._abandon()
        raise
    return transport


class _Timeouts(TypedDict):
    disconnected_timeout: float
    failed_timeout: float


def _timeouts(disconnected: float, failed: float) -> _Timeouts:
    """Check the timeouts of a connection.

    Raises:
        ConfigurationError: One of them is not above 0, or more than a day.
    """
    for name, seconds in (("disconnected_timeout", disconnected), ("failed_timeout", failed)):
        if not 0 < seconds <= _LONGEST_TIMEOUT:
            raise ConfigurationError(f"{name} is a number of seconds above 0 and up to a day, not {seconds}")
    return {"disconnected_timeout": float(disconnected), "failed_timeout": float(failed)}


_LONGEST_TIMEOUT = 86_400
