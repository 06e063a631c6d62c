"""What the lock files hold: ecosystem, name and version of every package that we build or test with."""

import json
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from house import paths


@dataclass(frozen=True, slots=True, order=True)
class Package:
    """One locked package."""

    ecosystem: str
    """`rust`, `python` or `npm`."""

    name: str
    version: str


@dataclass(frozen=True, slots=True)
class Report:
    """What a policy check saw."""

    compared: int
    """How many comparisons were made; a check that made none has proved nothing."""

    findings: list[str] = field(default_factory=list)


def packages(root: Path = paths.ROOT) -> list[Package]:
    """Every package of the three kinds of lock file, without our own.

    Args:
        root: The checkout.

    Returns:
        Sorted, each once.
    """
    found = {*_rust(root / "Cargo.lock"), *_npm(root / "web" / "package-lock.json")}
    for file in sorted((root / "requirements").glob("*.txt")):
        found.update(python_packages(file))
    return sorted(found)


def python_packages(file: Path) -> Iterator[Package]:
    """The packages of one hashed requirements file."""
    for name, version in re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", file.read_text(), re.MULTILINE):
        yield Package("python", re.sub(r"[-_.]+", "-", name).lower(), version)


def _rust(file: Path) -> Iterator[Package]:
    for entry in tomllib.loads(file.read_text())["package"]:
        if "source" in entry:
            yield Package("rust", entry["name"], entry["version"])


def _npm(file: Path) -> Iterator[Package]:
    if not file.is_file():
        return
    for place, entry in json.loads(file.read_text())["packages"].items():
        if "node_modules/" in place and "version" in entry and not entry.get("link"):
            yield Package("npm", place.rpartition("node_modules/")[2], entry["version"])
