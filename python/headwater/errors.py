"""Every exception Headwater raises.

The tree says who erred, because that decides what a caller does::

    HeadwaterError
    ├── LocalError                 the calling program erred: fix the call
    │   ├── InvalidState           the call does not fit the object's state
    │   │   ├── Closed             the object was closed (``WorkerClosed`` for the Worker)
    │   │   ├── WrongTransport     the call does not fit this kind of transport
    │   │   ├── NoOffer            an answer without an open offer
    │   │   ├── ChannelBusy        somebody else broadcasts there
    │   │   ├── ChannelNotLive     nobody broadcasts there now
    │   │   ├── ChannelEnded       the channel is over for good
    │   │   └── NameTaken          a meeting or channel of that name exists
    │   ├── NotFound               no such object
    │   │   ├── TrackNotFound      no unpublished track of that id on this transport
    │   │   ├── PublisherNotFound  no such publisher in this router
    │   │   ├── DataChannelNotFound
    │   │   └── ChannelNotFound
    │   ├── AmbiguousTrack         several publishers carry that track id; use the publisher's id
    │   ├── InvalidSlug            a name that cannot be part of an address
    │   └── ConfigurationError     a setting is missing, malformed or unsafe
    ├── RemoteError                the other side erred: tell it, or drop it
    │   ├── InvalidSdp
    │   ├── InvalidCandidate
    │   ├── UnsupportedCodec
    │   ├── InvalidMessage         a signalling message that cannot be understood
    │   ├── InvalidQuery           a parameter of an address makes no sense
    │   ├── NegotiationTimeout     an offer was not answered in time
    │   ├── Unauthorized           no token, or one that does not verify
    │   └── Forbidden              a valid token without the needed grant
    └── ResourceError              nobody erred: there is not enough of something
        ├── LimitReached
        ├── Overloaded             the machine is busy: newcomers must wait
        ├── BufferFull
        ├── StoreAway              the database does not answer
        └── PortInUse
"""

from __future__ import annotations

__all__ = [
    "AmbiguousTrack",
    "BufferFull",
    "ChannelBusy",
    "ChannelEnded",
    "ChannelNotFound",
    "ChannelNotLive",
    "Closed",
    "ConfigurationError",
    "DataChannelNotFound",
    "Forbidden",
    "HeadwaterError",
    "InvalidCandidate",
    "InvalidMessage",
    "InvalidQuery",
    "InvalidSdp",
    "InvalidSlug",
    "InvalidState",
    "LimitReached",
    "LocalError",
    "NameTaken",
    "NegotiationTimeout",
    "NoOffer",
    "NotFound",
    "Overloaded",
    "PortInUse",
    "PublisherNotFound",
    "RemoteError",
    "ResourceError",
    "StoreAway",
    "TrackNotFound",
    "Unauthorized",
    "UnsupportedCodec",
    "WorkerClosed",
    "WrongTransport",
]


class HeadwaterError(Exception):
    """Base of all errors. ``code`` is stable and machine-readable in every interface."""

    code: str = "error"

    def __init_subclass__(cls) -> None:
        """Derive ``code`` from the class name: ``InvalidSdp`` -> ``invalid_sdp``."""
        cls.code = "".join(f"_{c.lower()}" if c.isupper() else c for c in cls.__name__).lstrip("_")


class LocalError(HeadwaterError):
    """The calling program erred."""


class InvalidState(LocalError):
    """The call does not fit the state of the object."""


class Closed(InvalidState):
    """The object was closed."""


class WorkerClosed(Closed):
    """The Worker was closed, and with it everything it owned."""


class WrongTransport(InvalidState):
    """The call does not fit this kind of transport."""


class NoOffer(InvalidState):
    """An answer was given but no offer is open."""


class ChannelBusy(InvalidState):
    """Somebody else broadcasts on the channel."""


class ChannelNotLive(InvalidState):
    """Nobody broadcasts on the channel now."""


class ChannelEnded(InvalidState):
    """The channel is over for good."""


class NameTaken(InvalidState):
    """A meeting or a channel of that name exists."""


class NotFound(LocalError):
    """No such object."""


class TrackNotFound(NotFound):
    """The transport has no unpublished track of that id."""


class PublisherNotFound(NotFound):
    """The router has no such publisher."""


class DataChannelNotFound(NotFound):
    """The transport has no data channel of that label."""


class ChannelNotFound(NotFound):
    """No such channel."""


class AmbiguousTrack(LocalError):
    """Several publishers of the router carry that track id."""


class InvalidSlug(LocalError):
    """The name cannot be part of an address."""


class ConfigurationError(LocalError):
    """A setting is missing, malformed or unsafe."""


class RemoteError(HeadwaterError):
    """The other side erred."""


class InvalidSdp(RemoteError):
    """The session description cannot be parsed, or contradicts an earlier one."""


class InvalidCandidate(RemoteError):
    """The ICE candidate cannot be parsed."""


class UnsupportedCodec(RemoteError):
    """The other side did not negotiate the codec that is needed."""


class InvalidMessage(RemoteError):
    """A signalling message that cannot be understood."""


class InvalidQuery(RemoteError):
    """A parameter of the address makes no sense."""


class NegotiationTimeout(RemoteError):
    """An offer was not answered in time."""


class Unauthorized(RemoteError):
    """No token was given, or it does not verify."""


class Forbidden(RemoteError):
    """The token is valid but lacks the needed grant."""


class ResourceError(HeadwaterError):
    """There is not enough of something."""


class LimitReached(ResourceError):
    """A configured bound was reached."""


class Overloaded(ResourceError):
    """The server is short of CPU or bandwidth and takes nobody in; try again later."""


class StoreAway(ResourceError):
    """The database does not answer; try again later."""


class BufferFull(ResourceError):
    """A bounded buffer has no room; try again later."""


class PortInUse(ResourceError):
    """The port is taken by another program."""
