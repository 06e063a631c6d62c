"""Decisions: what the core decided about a track on its way to a client, and on what grounds.

`Subscriber.journal` tells the last ones of a running Worker. A Worker that was opened with ``record``
writes down all that enters them, and `replay` takes them again from that file: with the same code it
must come to the same ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from headwater.errors import ConfigurationError

if TYPE_CHECKING:
    from headwater._core import _native

__all__ = ["Decision", "DecisionKind", "Replay", "Step", "replay"]

DecisionKind = Literal[
    "target",
    "current",
    "gate",
    "key_frame_asked",
    "queue_dropped",
    "key_frame_requested",
    "key_frame_arrived",
    "wanted",
    "estimate",
    "speaker",
    "slot",
]
"""What was decided; ``docs/reference/decisions.md`` names the facts of each."""

Facts = Mapping[str, int | float | str]


@dataclass(frozen=True, slots=True)
class Decision:
    """A decision about one subscriber, its publisher or its transport."""

    at: float
    """Seconds since 1970."""
    kind: DecisionKind
    facts: Facts


@dataclass(frozen=True, slots=True)
class Step:
    """A decision of a record."""

    thread: int
    """The media thread."""
    at: float
    """Seconds since that thread began to record."""
    owner: Literal["transport", "publisher", "subscriber", "router"]
    handle: int
    """Tells owners of one kind apart."""
    kind: DecisionKind
    facts: Facts


@dataclass(frozen=True, slots=True)
class Replay:
    """What came of playing a record."""

    steps: tuple[Step, ...]
    """Its decisions, in the order of the file."""
    inputs: int
    """How many commands, packets, messages of feedback and moments were played."""
    cut: tuple[int, ...]
    """Media threads whose record ends before the run did."""
    difference: str | None
    """Where record and replay part; ``None`` when they are the same."""


def decisions_from_native(
    reply: _native.JournalReply, publisher_id: Callable[[int], str | None]
) -> tuple[Decision, ...]:
    """Convert what the core answered.

    Args:
        reply: A journal.
        publisher_id: Names the publisher of a handle; one that has closed has no name.
    """
    decisions = []
    for each in reply.decisions:
        facts = dict(each.facts)
        handle = facts.pop("publisher", None)
        if isinstance(handle, int) and (id_ := publisher_id(handle)) is not None:
            facts["publisher"] = id_
        decisions.append(Decision(each.at, cast("DecisionKind", each.what), facts))
    return tuple(decisions)


def replay(path: Path) -> Replay:
    """Play a record of decisions; blocks for about a tenth of the time that it took.

    Raises:
        ConfigurationError: There is no such file, it is no record, or another version wrote it.
    """
    from headwater._core import native

    try:
        report = native.replay_record(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path}: {error}") from error
    steps = (
        Step(step.thread, step.at, step.kind, step.handle, cast("DecisionKind", step.what), dict(step.facts))
        for step in report.steps
    )
    return Replay(tuple(steps), report.inputs, tuple(report.cut), report.difference)
