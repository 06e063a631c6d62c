"""docs/reference/python.md says what there is: every class, member and event, and nothing else."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

import headwater
from headwater.media.events import Event
from headwater.media.object import MediaObject

PAGE = (Path(__file__).parents[3] / "docs" / "reference" / "python.md").read_text()
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
CLASSES = [
    "Worker", "Router", "PublishTransport", "SubscribeTransport", "RecordingTransport", "Publisher",
    "Subscriber", "Slot", "DataPublisher", "DataSubscriber", "RecordingTrack", "PlainTransport", "PlainTrack",
    "OrtcPublishTransport", "OrtcSubscribeTransport", "ActiveSpeakerObserver", "AudioLevelObserver",
]  # fmt: skip


def documented(section: str) -> set[str]:
    """The members named in the first column of a section's table."""
    cells = [line.split("|")[1] for line in SECTIONS[section].splitlines() if line.startswith("| `")]
    return {re.split(r"[(]", name)[0] for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


@pytest.mark.parametrize("name", CLASSES)
def test_members(name: str) -> None:
    """Each class has the documented members, and no others."""
    cls = getattr(headwater, name)
    members = {member for member in dir(cls) if not member.startswith("_")}
    common = documented("What every object has") if issubclass(cls, MediaObject) else set()
    if name.startswith("Ortc"):
        common |= documented(name.removeprefix("Ortc"))
    named = {member for member in documented(name) | common if not member.startswith("async ")}
    assert named == members


def test_events() -> None:
    """Each event is documented with its fields."""
    for name in headwater.__all__:
        cls = getattr(headwater, name)
        if not (isinstance(cls, type) and issubclass(cls, Event)) or name in ("Event", "ObjectClosed"):
            continue
        fields = ", ".join(field.name for field in dataclasses.fields(cls))
        wanted = name if name.endswith("Closed") else f"{name}({fields})"
        assert f"`{wanted}`" in SECTIONS["Events"]
