"""Where things are. The only module that knows the shape of the checkout."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""The checkout."""

VENV = ROOT / ".venv"
BIN = VENV / "bin"
PYTHON = BIN / "python"
CACHE = ROOT / ".cache"
REQUIREMENTS = ROOT / "requirements"
PACKAGE = ROOT / "python" / "headwater"
WEB = ROOT / "web"
WEB_BUILT = PACKAGE / "_web"
NATIVE = PACKAGE / "_core" / "_native.abi3.so"
RESULTS = ROOT / "test-results"


def tool_environment() -> dict[str, str]:
    """The environment of every child: our virtual environment's tools come first.

    Returns:
        A copy of `os.environ` with `PATH`, `VIRTUAL_ENV` and `PYO3_PYTHON` set.
    """
    environment = dict(os.environ)
    places = [str(BIN), environment.get("PATH", os.defpath), str(Path.home() / ".cargo" / "bin")]
    environment["PATH"] = os.pathsep.join(places)
    environment["VIRTUAL_ENV"] = str(VENV)
    environment["PYO3_PYTHON"] = str(PYTHON)
    environment.pop("PYTHONHOME", None)
    return environment
