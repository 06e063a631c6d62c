"""From what rooms tell (values) to what signalling says (messages), one case per event."""

from __future__ import annotations

from collections.abc import Mapping

from headwater.api import messages as m
from headwater.media.layer import Layer
from headwater.meetings.rooms import LayerWish, TrackHint, events
from headwater.meetings.rooms.account import Account

__all__ = [
    "candidate_text",
    "layer_wish",
    "message_of",
    "participant_info",
    "track_hints",
    "track_info",
    "why_answer",
]


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
        case events.LayerChanged() | events.LayersWanted() | events.ActiveSpeaker() | events.QualityChanged():
            return _about_layers(event)
        case events.SlotChanged(mid, publisher_id):
            return m.SlotChanged(mid=mid, publisher_id=publisher_id)
        case events.OfferMade(sdp, tracks, slots):
            return m.ServerOffer(
                sdp=sdp,
                tracks=[track_info(track, mid) for mid, track in tracks],
                slots=[m.Slot(mid=mid, publisher_id=publisher_id) for mid, publisher_id in slots],
            )
        case events.TransportLost(transport, reason):
            return m.TransportClosed(transport=transport, reason=reason)
        case events.Ended(reason, reconnect):
            return m.Bye(reason=reason, reconnect=reconnect)


def _about_layers(
    event: events.LayerChanged | events.LayersWanted | events.ActiveSpeaker | events.QualityChanged,
) -> m.ServerMessage:
    match event:
        case events.LayerChanged(publisher_id, before, after, reason, estimate):
            return m.LayerChanged(
                publisher_id=publisher_id,
                reason=reason,
                before=_layer(before),
                after=_layer(after),
                estimate=estimate,
            )
        case events.LayersWanted(publisher_id, encodings, maximum):
            wanted = [m.EncodingWanted(rid=rid, active=active) for rid, active in encodings]
            return m.LayersWanted(publisher_id=publisher_id, encodings=wanted, max=_layer(maximum))
        case events.ActiveSpeaker(publisher_id, participant_id):
            return m.ActiveSpeaker(publisher_id=publisher_id, participant_id=participant_id)
        case events.QualityChanged(participant_id, score):
            return m.Quality(participant_id=participant_id, score=score)


def _layer(layer: Layer | None) -> m.Layer | None:
    return None if layer is None else m.Layer(spatial=layer.spatial, temporal=layer.temporal)


def layer_wish(message: m.SetLayers) -> LayerWish:
    """Read what a client would like to receive."""
    return LayerWish(
        spatial=message.spatial,
        temporal=message.temporal,
        width=message.width,
        height=message.height,
        max_fps=message.max_fps,
        priority=message.priority,
    )


def why_answer(publisher_id: str, account: Account, request_id: int | str | None) -> m.WhyAnswer:
    """Write the account of a received track."""
    return m.WhyAnswer(
        publisher_id=publisher_id,
        preferred=_layer(account.preferred),
        target=_layer(account.target),
        current=_layer(account.current),
        paused=account.paused,
        codec=account.codec,
        layers=[
            m.LayerStats(
                spatial=each.layer.spatial,
                temporal=each.layer.temporal,
                bitrate=each.bitrate,
                width=each.width,
                height=each.height,
                fps=each.fps,
            )
            for each in account.layers
        ],
        estimate=account.estimate,
        decisions=[
            m.Decision(ago_ms=round(ago * 1000), kind=decision.kind, facts=dict(decision.facts))
            for ago, decision in account.decisions
        ],
        id=request_id,
    )


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
    return {
        track.mid: TrackHint(source=track.source, muted=track.muted, content=track.content)
        for track in tracks
    }


def candidate_text(message: m.Candidate) -> str:
    """Read a candidate, given as a line or as the browser's ``RTCIceCandidateInit``."""
    candidate = message.candidate
    if isinstance(candidate, dict):
        candidate = candidate.get("candidate")
    return candidate if isinstance(candidate, str) else ""
