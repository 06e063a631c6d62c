"""The public names of `headwater`: listed, typed, and loaded only when used."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import headwater

PACKAGE = Path(headwater.__file__).parent


def test_exported_names() -> None:
    """Everything in __all__ exists, is sorted, and lives where the type checker is told it lives."""
    assert list(headwater.__all__) == sorted(headwater.__all__)
    typed = {}
    for node in ast.walk(ast.parse((PACKAGE / "__init__.py").read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("headwater."):
            typed.update({alias.name: node.module for alias in node.names})
    assert typed == headwater._MODULES
    assert set(headwater.__all__) == set(typed)
    for name in headwater.__all__:
        assert getattr(headwater, name).__name__ == name
        assert name in dir(headwater)


def test_the_object_model_is_public() -> None:
    """The nouns that the documentation promises are there, and the reserved one is not."""
    nouns = {
        "Worker", "Router", "PublishTransport", "SubscribeTransport", "RecordingTransport", "Publisher",
        "Subscriber", "DataPublisher", "DataSubscriber", "LocalTrack", "RecordingTrack",
    }  # fmt: skip
    assert nouns <= set(headwater.__all__)
    assert "RelayedTrack" not in headwater.__all__


def test_every_error_is_public() -> None:
    """Whoever catches an error finds it at the front door."""
    from headwater import errors

    assert set(errors.__all__) <= set(headwater.__all__)


def test_wire_formats_load_without_the_core() -> None:
    """Errors and protocols import without the binary, and without the object model."""
    code = (
        "import sys; sys.modules['headwater._core._native'] = None\n"
        "import headwater, headwater.errors, headwater.protocols.sdp, headwater.testing\n"
        "headwater.InvalidSdp\n"
        "assert 'headwater._core' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": str(PACKAGE.parent)})


def test_unknown_name() -> None:
    """A misspelt name is an AttributeError as in any module."""
    assert not hasattr(headwater, "Wroker")


def test_typed() -> None:
    """The package says that it is typed (PEP 561)."""
    assert (PACKAGE / "py.typed").exists()
