"""Headwater: a real-time media server.

This is the front door of the library: the object model, its events and its errors. Names are
resolved on first use, so that `headwater.errors` and `headwater.protocols` load without the
compiled core::

    from headwater import Worker

`RelayedTrack` is a reserved name, for tracks that arrive from another server.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headwater.errors import (
        AmbiguousTrack,
        BufferFull,
        ChannelBusy,
        ChannelEnded,
        ChannelNotFound,
        ChannelNotLive,
        Closed,
        ConfigurationError,
        DataChannelNotFound,
        Forbidden,
        HeadwaterError,
        InvalidCandidate,
        InvalidMessage,
        InvalidQuery,
        InvalidSdp,
        InvalidSlug,
        InvalidState,
        LimitReached,
        LocalError,
        NameTaken,
        NegotiationTimeout,
        NoOffer,
        NotFound,
        Overloaded,
        PortInUse,
        PublisherNotFound,
        RemoteError,
        ResourceError,
        StoreAway,
        TrackNotFound,
        Unauthorized,
        UnsupportedCodec,
        WorkerClosed,
        WrongTransport,
    )
    from headwater.media.codec import Codec
    from headwater.media.data_publisher import DataPublisher
    from headwater.media.data_subscriber import DataSubscriber
    from headwater.media.decision import Decision
    from headwater.media.events import (
        ActiveSpeaker,
        AudioLevels,
        ConnectionQuality,
        ConnectionStateChanged,
        DataChannelOpened,
        DataMessage,
        DataPublisherAdded,
        DataPublisherClosed,
        DataSubscriberClosed,
        Event,
        EventsLost,
        EventStream,
        LayerChanged,
        LayersWanted,
        NegotiationNeeded,
        ObjectClosed,
        PauseChanged,
        PeerFound,
        PlainTrackClosed,
        PublisherActive,
        PublisherAdded,
        PublisherClosed,
        RecordingTrackClosed,
        RouterClosed,
        SlotChanged,
        SubscriberClosed,
        TrackAdded,
        TrackRemoved,
        TransportClosed,
    )
    from headwater.media.layer import Layer
    from headwater.media.observers import ActiveSpeakerObserver, AudioLevelObserver
    from headwater.media.ortc import OrtcPublishTransport, OrtcSubscribeTransport
    from headwater.media.overload import OverloadLimits
    from headwater.media.plain_track import PlainTrack
    from headwater.media.plain_transport import PlainTransport, TransportTuple
    from headwater.media.port_pair import PortPair
    from headwater.media.publish_transport import PublishTransport
    from headwater.media.publisher import Publisher
    from headwater.media.recording_track import RecordingTrack
    from headwater.media.recording_transport import RecordingTransport
    from headwater.media.router import Router
    from headwater.media.slot import Slot
    from headwater.media.srtp import SrtpParameters
    from headwater.media.stats_feed import StatsFeed, StatsSample
    from headwater.media.subscribe_transport import SubscribeTransport
    from headwater.media.subscriber import Subscriber
    from headwater.media.track import LocalTrack
    from headwater.media.worker import Worker

# fmt: off
__all__ = [
    "ActiveSpeaker", "ActiveSpeakerObserver", "AmbiguousTrack", "AudioLevelObserver", "AudioLevels",
    "BufferFull", "ChannelBusy", "ChannelEnded",
    "ChannelNotFound", "ChannelNotLive", "Closed", "Codec", "ConfigurationError", "ConnectionQuality",
    "ConnectionStateChanged", "DataChannelNotFound", "DataChannelOpened", "DataMessage", "DataPublisher",
    "DataPublisherAdded", "DataPublisherClosed", "DataSubscriber", "DataSubscriberClosed", "Decision",
    "Event", "EventStream", "EventsLost", "Forbidden", "HeadwaterError", "InvalidCandidate",
    "InvalidMessage", "InvalidQuery", "InvalidSdp", "InvalidSlug", "InvalidState", "Layer", "LayerChanged",
    "LayersWanted", "LimitReached", "LocalError", "LocalTrack", "NameTaken", "NegotiationNeeded",
    "NegotiationTimeout",
    "NoOffer", "NotFound", "ObjectClosed", "OrtcPublishTransport", "OrtcSubscribeTransport",
    "OverloadLimits", "Overloaded", "PauseChanged", "PeerFound", "PlainTrack",
    "PlainTrackClosed", "PlainTransport", "PortInUse", "PortPair", "PublishTransport", "Publisher",
    "PublisherActive", "PublisherAdded", "PublisherClosed", "PublisherNotFound", "RecordingTrack",
    "RecordingTrackClosed", "RecordingTransport", "RemoteError", "ResourceError", "Router", "RouterClosed",
    "Slot", "SlotChanged", "SrtpParameters", "StatsFeed", "StatsSample", "StoreAway", "SubscribeTransport",
    "Subscriber", "SubscriberClosed", "TrackAdded", "TrackNotFound", "TrackRemoved", "TransportClosed",
    "TransportTuple", "Unauthorized", "UnsupportedCodec", "Worker", "WorkerClosed", "WrongTransport",
]

_HOMES: dict[str, tuple[str, ...]] = {
    "headwater.errors": (
        "AmbiguousTrack", "BufferFull", "ChannelBusy", "ChannelEnded", "ChannelNotFound", "ChannelNotLive",
        "Closed", "ConfigurationError", "DataChannelNotFound", "Forbidden",
        "HeadwaterError", "InvalidCandidate", "InvalidMessage", "InvalidQuery", "InvalidSdp",
        "InvalidSlug", "InvalidState", "LimitReached", "LocalError", "NameTaken", "NegotiationTimeout",
        "NoOffer",
        "NotFound", "Overloaded", "PortInUse", "PublisherNotFound", "RemoteError", "ResourceError",
        "StoreAway", "TrackNotFound", "Unauthorized", "UnsupportedCodec", "WorkerClosed", "WrongTransport",
    ),
    "headwater.media.codec": ("Codec",),
    "headwater.media.data_publisher": ("DataPublisher",),
    "headwater.media.data_subscriber": ("DataSubscriber",),
    "headwater.media.decision": ("Decision",),
    "headwater.media.events": (
        "ActiveSpeaker", "AudioLevels", "ConnectionQuality", "ConnectionStateChanged", "DataChannelOpened",
        "DataMessage", "DataPublisherAdded", "DataPublisherClosed", "DataSubscriberClosed", "Event",
        "EventStream", "EventsLost", "LayerChanged", "LayersWanted", "NegotiationNeeded", "ObjectClosed",
        "PauseChanged", "PeerFound", "PlainTrackClosed", "PublisherActive", "PublisherAdded",
        "PublisherClosed", "RecordingTrackClosed", "RouterClosed", "SlotChanged", "SubscriberClosed",
        "TrackAdded", "TrackRemoved", "TransportClosed",
    ),
    "headwater.media.layer": ("Layer",),
    "headwater.media.observers": ("ActiveSpeakerObserver", "AudioLevelObserver"),
    "headwater.media.ortc": ("OrtcPublishTransport", "OrtcSubscribeTransport"),
    "headwater.media.overload": ("OverloadLimits",),
    "headwater.media.plain_track": ("PlainTrack",),
    "headwater.media.plain_transport": ("PlainTransport", "TransportTuple"),
    "headwater.media.port_pair": ("PortPair",),
    "headwater.media.publish_transport": ("PublishTransport",),
    "headwater.media.publisher": ("Publisher",),
    "headwater.media.recording_track": ("RecordingTrack",),
    "headwater.media.recording_transport": ("RecordingTransport",),
    "headwater.media.router": ("Router",),
    "headwater.media.slot": ("Slot",),
    "headwater.media.stats_feed": ("StatsFeed", "StatsSample"),
    "headwater.media.srtp": ("SrtpParameters",),
    "headwater.media.subscribe_transport": ("SubscribeTransport",),
    "headwater.media.subscriber": ("Subscriber",),
    "headwater.media.track": ("LocalTrack",),
    "headwater.media.worker": ("Worker",),
}
# fmt: on
_MODULES = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Import the module of a public name when the name is first used."""
    try:
        module = _MODULES[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    value = getattr(import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names, imported or not."""
    return sorted({*globals(), *__all__})
