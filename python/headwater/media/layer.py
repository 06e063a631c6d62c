"""Layers: which of a publisher's pictures a subscriber gets, and why.

A decision has three steps. What the application asks for is *preferred*, a ceiling; the allocator's
choice is the *target*; what passes now is *current*. Current follows target at the next key frame or
switch point, so for a moment they differ.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Content", "Layer", "LayerReason"]

LayerReason = Literal["requested", "bandwidth", "publisher", "overload", "paused", "start"]
"""Why a layer changed: the application asked, the network, the publisher's layers came or went, a server
short of CPU or egress, a pause, or the subscription began."""

Content = Literal["camera", "detail", "motion"]
"""What is shed first: ``detail`` keeps resolution (text), ``motion`` frame rate, ``camera`` balances."""


@dataclass(frozen=True, slots=True, order=True)
class Layer:
    """A spatial layer (0 is the smallest picture) and a temporal layer (0 is the lowest frame rate)."""

    spatial: int
    temporal: int
