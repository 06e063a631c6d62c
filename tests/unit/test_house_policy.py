"""The policies fail on what they are for, and on having looked at nothing."""

import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from house import advisories, licences, locked
from house.locked import Package

ROOT = Path(__file__).resolve().parents[2]
LOCKED = locked.packages()
ADVISORIES = advisories.load()
TODAY = json.loads(advisories.SNAPSHOT.read_text())["as_of"]


def test_locked_packages_carry_no_known_weakness() -> None:
    """Nothing in our lock files is in the snapshot, and each ecosystem was compared."""
    report = advisories.findings()
    assert report.findings == []
    assert report.compared > 20


@pytest.mark.parametrize(
    ("ecosystem", "name", "version"),
    [
        ("rust", "str0m", "0.23.0"),
        ("rust", "pyo3", "0.28.9"),
        ("rust", "quinn-proto", "0.11.14"),
        ("rust", "rustls-webpki", "0.103.12"),
        ("python", "h11", "0.14.0"),
        ("npm", "vite", "6.2.0"),
    ],
)
def test_a_planted_bad_version_is_found(ecosystem: str, name: str, version: str) -> None:
    """One bad version among the good ones fails the check and is named."""
    report = advisories.findings([*LOCKED, Package(ecosystem, name, version)])
    assert any(f"{name} {version} " in line for line in report.findings)


@pytest.mark.parametrize("ecosystem", advisories.ECOSYSTEMS)
def test_an_audit_that_compared_nothing_fails(ecosystem: str) -> None:
    """Without a single comparison in an ecosystem the check fails: silence is not safety."""
    others = [package for package in LOCKED if package.ecosystem != ecosystem]
    assert any(f"no {ecosystem} package" in line for line in advisories.findings(others).findings)


def test_an_empty_snapshot_fails(tmp_path: Path) -> None:
    """A snapshot that lost its entries does not pass everything."""
    snapshot = tmp_path / "advisories.json"
    snapshot.write_text(json.dumps({"as_of": TODAY, "advisories": []}))
    report = advisories.findings(LOCKED, snapshot)
    assert report.compared == 0
    assert len(report.findings) == len(advisories.ECOSYSTEMS)


def test_a_range_ends_where_it_is_mended(tmp_path: Path) -> None:
    """Only a version that meets a requirement for good ones passes."""
    snapshot = tmp_path / "advisories.json"
    entry = {
        "id": "TEST-1",
        "ecosystem": "rust",
        "package": "thing",
        "good": ["< 1.2.0", ">= 1.4.1, < 2"],
        "summary": "a test",
    }
    snapshot.write_text(json.dumps({"as_of": TODAY, "advisories": [entry]}))

    def bad(version: str) -> bool:
        found = advisories.findings([Package("rust", "thing", version)], snapshot).findings
        return any(line.startswith("TEST-1") for line in found)

    versions = ("1.1.9", "1.2.0", "1.4.0", "1.4.1", "1.9.0", "2.0.0", "3.1.0+build")
    assert [version for version in versions if bad(version)] == ["1.2.0", "1.4.0", "2.0.0", "3.1.0+build"]


@pytest.mark.parametrize(
    ("version", "requirement", "holds"),
    [
        ("0.12.9", "^0.12.3", True),
        ("0.13.0", "^0.12.3", False),
        ("1.9.0", "^1.2", True),
        ("1.2.9", "~1.2.3", True),
        ("1.3.0", "~1.2.3", False),
        ("2.0.0", "> 1, <= 2", True),
        ("1.0.1", "= 1.0.1", True),
        ("0.8.0-rc.1", ">= 0.8.0", False),
    ],
)
def test_requirements_are_read_as_cargo_reads_them(version: str, requirement: str, holds: bool) -> None:
    """Carets, tildes and comparators mean what RustSec means by them."""
    assert advisories.satisfies(version, requirement) is holds


def test_the_snapshot_is_dated_and_well_formed() -> None:
    """Every entry has an id of a known register and a sentence, and appears once."""
    assert date.fromisoformat(TODAY).year >= 2026
    keys = [(advisory.id, advisory.package) for advisory in ADVISORIES]
    assert len(keys) == len(set(keys))
    for advisory in ADVISORIES:
        assert re.fullmatch(
            r"(RUSTSEC-\d{4}-\d{4}|GHSA(-\w{4}){3}|PYSEC-\d{4}-\d+|CVE-\d{4}-\d+|POLICY-[\w.-]+)", advisory.id
        )
        assert advisory.ecosystem in advisories.ECOSYSTEMS
        assert "*" not in "".join(advisory.good)
        assert advisory.summary


def test_licences_and_bans_hold() -> None:
    """Every locked package may be used the way we use it."""
    report = licences.findings()
    assert report.findings == []
    assert report.compared > 100


@pytest.mark.parametrize(
    ("expression", "good"),
    [
        ("MIT", True),
        ("MIT OR GPL-3.0-only", True),
        ("MIT AND GPL-3.0-only", False),
        ("(MIT OR GPL-3.0-only) AND ISC", True),
        ("Apache-2.0 WITH LLVM-exception", True),
        ("MIT/Apache-2.0", True),
        ("GPL-3.0-only", False),
        ("", False),
        ("MIT garbage", False),
    ],
)
def test_licence_expressions(expression: str, good: bool) -> None:
    """An expression passes when allowed licences alone satisfy it."""
    assert licences.accepted(expression, {"MIT", "ISC", "Apache-2.0"}) is good


@pytest.mark.parametrize(("crate", "wanted"), [("headwater-core", 2), ("headwater-py", 1)])
def test_bans_name_the_crate_that_breaks_them(crate: str, wanted: int) -> None:
    """pyo3 belongs to crates/py alone, tokio to nobody."""
    policy: dict[str, Any] = json.loads(licences.POLICY.read_text())
    package = {"name": crate, "dependencies": [{"name": "pyo3"}, {"name": "tokio"}, {"name": "str0m"}]}
    assert len(licences.banned(package, policy)) == wanted
