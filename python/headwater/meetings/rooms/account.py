"""The account of a received track: what was asked for, decided and sent, and why.

``account_of`` puts the core's journal of the track together with the statistics of the moment; nothing here
decides anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from headwater.media.decision import Decision
from headwater.media.layer import Layer

__all__ = ["Account", "LayerAccount", "account_of"]

Statistics = Mapping[str, int | float | str]


@dataclass(frozen=True, slots=True)
class LayerAccount:
    """One layer that the publisher sends: bit/s, pixels, frames per second."""

    layer: Layer
    bitrate: int
    width: int | None
    height: int | None
    fps: float | None


@dataclass(frozen=True, slots=True)
class Account:
    """Why a participant receives a track as they do."""

    preferred: Layer | None
    target: Layer | None
    current: Layer | None
    paused: bool
    codec: str | None
    layers: tuple[LayerAccount, ...]
    estimate: int | None
    decisions: tuple[tuple[float, Decision], ...]
    """The last ones, newest first, each with how many seconds ago it was."""


def account_of(
    subscriber: Statistics,
    publisher: Statistics,
    transport: Statistics,
    journal: Sequence[Decision],
    now: float,
) -> Account:
    """Put together what the statistics of the three say (``docs/reference/statistics.md``).

    Args:
        subscriber: The track on its way to the participant.
        publisher: The track as it arrives.
        transport: The participant's connection.
        journal: The last decisions, oldest first.
        now: Seconds since 1970.
    """
    codec = publisher.get("codec")
    estimate = transport.get("available_outgoing_bitrate")
    return Account(
        preferred=_layer(subscriber, "preferred"),
        target=_layer(subscriber, "target"),
        current=_layer(subscriber, "current"),
        paused=bool(subscriber.get("paused")),
        codec=codec.partition("/")[2] if isinstance(codec, str) else None,
        layers=tuple(_layers(publisher)),
        estimate=int(estimate) if isinstance(estimate, int | float) else None,
        decisions=tuple((max(0.0, now - each.at), each) for each in journal[: -_TOLD - 1 : -1]),
    )


def _layer(stats: Statistics, step: str) -> Layer | None:
    spatial, temporal = stats.get(f"{step}_spatial"), stats.get(f"{step}_temporal")
    if not isinstance(spatial, int | float) or not isinstance(temporal, int | float):
        return None
    return Layer(int(spatial), int(temporal))


def _layers(stats: Statistics) -> Iterator[LayerAccount]:
    for spatial in range(_MAX_LAYERS):
        for temporal in range(_MAX_LAYERS):
            prefix = f"layer_{spatial}_{temporal}_"
            if (bitrate := _number(stats, f"{prefix}bitrate")) is None:
                continue
            width, height = _number(stats, f"{prefix}frame_width"), _number(stats, f"{prefix}frame_height")
            yield LayerAccount(
                layer=Layer(spatial, temporal),
                bitrate=int(bitrate),
                width=None if width is None else int(width),
                height=None if height is None else int(height),
                fps=_number(stats, f"{prefix}frames_per_second"),
            )


def _number(stats: Statistics, name: str) -> float | None:
    value = stats.get(name)
    return float(value) if isinstance(value, int | float) else None


_TOLD = 64
"""Decisions of one account: what a person can read, in a few kilobytes."""
_MAX_LAYERS = 8
