"""Known weaknesses of locked packages, from a dated snapshot in the tree (`policy/advisories.json`).

No database is asked over the network: the check gives the same answer everywhere, on the day it is run
and a year later. The price is that someone must renew the snapshot (docs/decisions/advisories.md says
how). A snapshot that names none of our packages would pass everything, so each ecosystem must have been
compared at least once.

An entry lists the versions that are *good*, as RustSec does: a version that satisfies none of these
requirements is bad.
"""

import json
import operator
from pathlib import Path
from typing import NamedTuple

from packaging.version import InvalidVersion, Version

from house import locked, paths
from house.locked import Package, Report

SNAPSHOT = paths.ROOT / "policy" / "advisories.json"
ECOSYSTEMS = ("rust", "python", "npm")


class Advisory(NamedTuple):
    """One entry of the snapshot."""

    id: str
    ecosystem: str
    package: str
    good: list[str]
    """Requirements such as `>= 0.11.9, < 0.12`; any one makes a version good, none at all means never."""

    summary: str


def findings(packages: list[Package] | None = None, snapshot: Path = SNAPSHOT) -> Report:
    """Compare locked packages with the snapshot.

    Args:
        packages: What is locked; the checkout's lock files by default.
        snapshot: The file of advisories.

    Returns:
        The number of comparisons and one line per bad package or ecosystem without a comparison.
    """
    by_name: dict[tuple[str, str], list[Package]] = {}
    for package in locked.packages() if packages is None else packages:
        by_name.setdefault((package.ecosystem, package.name), []).append(package)
    compared = dict.fromkeys(ECOSYSTEMS, 0)
    lines = []
    for advisory in load(snapshot):
        for package in by_name.get((advisory.ecosystem, advisory.package), ()):
            compared[package.ecosystem] += 1
            if not any(satisfies(package.version, requirement) for requirement in advisory.good):
                good = " or ".join(advisory.good) or "no release"
                lines.append(
                    f"{advisory.id}: {package.name} {package.version} ({package.ecosystem}): "
                    f"{advisory.summary}; good: {good}"
                )
    empty = [name for name in ECOSYSTEMS if not compared[name]]
    lines += [f"no {name} package was compared: an empty audit proves nothing" for name in empty]
    return Report(sum(compared.values()), lines)


def load(snapshot: Path = SNAPSHOT) -> list[Advisory]:
    """Read the snapshot.

    Args:
        snapshot: The file.

    Returns:
        Its advisories.
    """
    return [Advisory(**entry) for entry in json.loads(snapshot.read_text())["advisories"]]


def satisfies(version: str, requirement: str) -> bool:
    """Whether a version meets every comparator of a requirement.

    Args:
        version: Such as `0.11.15`.
        requirement: Comparators joined by commas: `>= 1.2, < 2`, `^0.12.3`, `~1.2.3`, `= 1.0.1`.

    Returns:
        True when all of them hold.

    >>> satisfies("0.12.9", "^0.12.3"), satisfies("0.13.0", "^0.12.3"), satisfies("1.9", ">=1, <2")
    (True, False, True)
    """
    found = _ordered(version)
    return all(_holds(found, comparator.strip()) for comparator in requirement.split(","))


def _holds(found: Version, comparator: str) -> bool:
    for sign, compare in COMPARATORS.items():
        if comparator.startswith(sign):
            return bool(compare(found, _ordered(comparator.removeprefix(sign).strip())))
    floor = _ordered(comparator.lstrip("^~"))
    # A caret (Cargo's default) keeps the first number that is not 0; a tilde keeps the first two.
    kept = 2 if comparator.startswith("~") else next((i for i, n in enumerate(floor.release) if n), 0) + 1
    return found >= floor and found.release[:kept] == floor.release[:kept]


def _ordered(version: str) -> Version:
    """A version that can be compared; build metadata and unusual pre-release words do not matter here."""
    core = version.partition("+")[0]
    try:
        return Version(core)
    except InvalidVersion:
        return Version(core.partition("-")[0])


COMPARATORS = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    ">": operator.gt,
    "<": operator.lt,
    "=": operator.eq,
}
