"""Meetings, the live rooms behind them, and who is in them."""

from headwater.meetings.rooms.models import (
    JoinRequest,
    LayerWish,
    Meeting,
    MeetingSettings,
    RoomOptions,
    TrackHint,
)
from headwater.meetings.rooms.participant import Participant
from headwater.meetings.rooms.service import RoomsService

__all__ = [
    "JoinRequest",
    "LayerWish",
    "Meeting",
    "MeetingSettings",
    "Participant",
    "RoomOptions",
    "RoomsService",
    "TrackHint",
]
