"""Known weaknesses of locked packages, from a dated snapshot in the tree (`policy/advisories.json`).

No database is asked over the network: the check gives the same answer everywhere, on the day it is run
and a year later. The price is that someone must renew the snapshot; `docs/decisions/` says how.
A snapshot that names none of our packages would pass everything, so each ecosystem must have been
compared at least once.
"""

import json
from pathlib import Path
from typing import NamedTuple

from packaging.version import InvalidVersion, Version

from house import locked, paths
from house.locked import Package, Report

SNAPSHOT = paths.ROOT / "policy" / "advisories.json"
ECOSYSTEMS = ("rust", "python", "npm")


class Span(NamedTuple):
    """A range of bad versions: `introduced` is bad, `fixed` is not; `fixed` None means no release is good."""

    introduced: str
    fixed: str | None


class Advisory(NamedTuple):
    """One entry of the snapshot."""

    id: str
    ecosystem: str
    package: str
    spans: list[Span]
    summary: str


def findings(packages: list[Package] | None = None, snapshot: Path = SNAPSHOT) -> Report:
    """Compare locked packages with the snapshot.

    Args:
        packages: What is locked; the checkout's lock files by default.
        snapshot: The file of advisories.

    Returns:
        The number of comparisons and one line per bad package or ecosystem without a comparison.
    """
    wanted = locked.packages() if packages is None else packages
    by_name: dict[tuple[str, str], list[Package]] = {}
    for package in wanted:
        by_name.setdefault((package.ecosystem, package.name), []).append(package)
    compared = dict.fromkeys(ECOSYSTEMS, 0)
    lines = []
    for advisory in load(snapshot):
        for package in by_name.get((advisory.ecosystem, advisory.package), ()):
            compared[package.ecosystem] += 1
            if any(_inside(package.version, span) for span in advisory.spans):
                good = ", ".join(span.fixed or "no release" for span in advisory.spans)
                lines.append(
                    f"{advisory.id}: {package.name} {package.version} ({package.ecosystem}): "
                    f"{advisory.summary}; mended in {good}"
                )
    lines += [
        f"no {name} package was compared: an empty audit proves nothing"
        for name in ECOSYSTEMS
        if not compared[name]
    ]
    return Report(sum(compared.values()), lines)


def load(snapshot: Path = SNAPSHOT) -> list[Advisory]:
    """Read the snapshot.

    Args:
        snapshot: The file.

    Returns:
        Its advisories.
    """
    entries = json.loads(snapshot.read_text())["advisories"]
    return [
        Advisory(
            entry["id"],
            entry["ecosystem"],
            entry["package"],
            [Span(span.get("introduced", "0"), span.get("fixed")) for span in entry["ranges"]],
            entry["summary"],
        )
        for entry in entries
    ]


def _inside(version: str, span: Span) -> bool:
    found = _ordered(version)
    return _ordered(span.introduced) <= found and (span.fixed is None or found < _ordered(span.fixed))


def _ordered(version: str) -> Version:
    """A version that can be compared; build metadata and unusual pre-release words do not matter here."""
    core = version.partition("+")[0]
    try:
        return Version(core)
    except InvalidVersion:
        return Version(core.partition("-")[0])
