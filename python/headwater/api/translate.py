"""From what rooms tell (values) to what signalling says (messages), one case per event."""

from __future__ import annotations

from collections.abc import Mapping

from headwater.api import messages as m
from headwater.meetings.rooms import TrackHint, events

__all__ = ["candidate_text", "message_of", "participant_info", "track_hints", "track_info"]


def message_of(event: events.RoomEvent) -> m.ServerMessage:
    """Write a room event as a message."""
    match event:
        case events.ParticipantJoined(participant):
            return m.ParticipantJoined(participant=participant_info(participant))
        case events.ParticipantUpdated(participant):
            return m.ParticipantUpdated(participant=participant_info(participant))
        case events.ParticipantLeft(participant_id, reason):
            return m.ParticipantLeft(participant_id=participant_id, reason=reason)
        case events.TrackPublished(track):
            return m.TrackPublished(track=track_info(track))
        case events.TrackUpdated(track):
            return m.TrackUpdated(track=track_info(track))
        case events.TrackUnpublished(publisher_id, participant_id):
            return m.TrackUnpublished(publisher_id=publisher_id, participant_id=participant_id)
        case events.OfferMade(sdp, tracks):
            return m.ServerOffer(sdp=sdp, tracks=[track_info(track, mid) for mid, track in tracks])
        case events.TransportLost(transport, reason):
            return m.TransportClosed(transport=transport, reason=reason)
        case events.Ended(reason, reconnect):
            return m.Bye(reason=reason, reconnect=reconnect)


def track_info(track: events.TrackView, mid: str | None = None) -> m.TrackInfo:
    """Write a track; ``mid`` in offers only."""
    return m.TrackInfo(
        publisher_id=track.publisher_id,
        participant_id=track.participant_id,
        kind=track.kind,
        source=track.source,
        muted=track.muted,
        mid=mid,
    )


def participant_info(view: events.ParticipantView) -> m.ParticipantInfo:
    """Write a participant with all tracks."""
    return m.ParticipantInfo(
        id=view.id,
        name=view.name,
        identity=view.identity,
        role=view.role,
        protocol=view.protocol,
        tracks=[track_info(track) for track in view.tracks],
    )


def track_hints(tracks: list[m.OfferedTrack]) -> Mapping[str, TrackHint]:
    """Read what a client says of its m-lines."""
    return {track.mid: TrackHint(source=track.source, muted=track.muted) for track in tracks}


def candidate_text(message: m.Candidate) -> str:
    """Read a candidate, given as a line or as the browser's ``RTCIceCandidateInit``."""
    candidate = message.candidate
    if isinstance(candidate, dict):
        candidate = candidate.get("candidate")
    return candidate if isinstance(candidate, str) else ""
