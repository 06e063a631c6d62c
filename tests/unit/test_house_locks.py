"""Lock files hold versions and hashes, and nothing that ties them to one registry or mirror."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = sorted((ROOT / "requirements").glob("*.txt"))
CARGO: list[dict[str, Any]] = tomllib.loads((ROOT / "Cargo.lock").read_text())["package"]
CRATES_IO = "registry+https://github.com/rust-lang/crates.io-index"
"""The name by which Cargo identifies crates.io: not an address it downloads from (that is in its
configuration, where a mirror replaces it), and Cargo reads no lock file without it. See
docs/decisions/lock-files.md."""


@pytest.mark.parametrize("file", REQUIREMENTS, ids=lambda file: file.name)
def test_python_locks_hold_hashes_and_no_hosts(file: Path) -> None:
    """Each requirement is pinned and hashed; no line names an index, a URL or a path."""
    text = file.read_text()
    assert "://" not in text
    assert not re.search(r"^--|^-[eif]\b|find-links|index-url", text, re.MULTILINE)
    pins = re.findall(r"^[A-Za-z0-9._-]+==\S+.*\\$", text, re.MULTILINE)
    entries = re.findall(r"^[A-Za-z0-9._-]+.*$", text, re.MULTILINE)
    assert pins == entries
    assert pins, "an empty lock file proves nothing"
    blocks = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)
    assert all("--hash=sha256:" in block for block in blocks if block and not block.startswith("#"))


def test_python_locks_agree() -> None:
    """A package has the same version (or versions, by Python) in every file that names it."""
    seen: dict[str, list[set[str]]] = {}
    for file in REQUIREMENTS:
        here: dict[str, set[str]] = {}
        for name, version in re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", file.read_text(), re.MULTILINE):
            here.setdefault(name, set()).add(version)
        for name, versions in here.items():
            seen.setdefault(name, []).append(versions)
    assert {name: found for name, found in seen.items() if any(one != found[0] for one in found)} == {}


def test_rust_lock_holds_checksums_and_one_registry_name() -> None:
    """Every crate that is not ours comes from crates.io with a checksum; no git, no other registry."""
    foreign = [package for package in CARGO if "source" in package]
    assert len(foreign) > 50
    for package in foreign:
        assert package["source"] == CRATES_IO, package["name"]
        assert re.fullmatch(r"[0-9a-f]{64}", package["checksum"]), package["name"]


def test_rust_lock_names_no_other_host() -> None:
    """Nothing else in the file looks like an address."""
    text = (ROOT / "Cargo.lock").read_text()
    assert "://" not in text.replace(CRATES_IO, "")


def test_npm_lock_holds_hashes_and_no_hosts() -> None:
    """Each npm package has an integrity hash and no `resolved` address."""
    places = json.loads((ROOT / "web" / "package-lock.json").read_text())["packages"]
    foreign = {
        place: entry for place, entry in places.items() if "node_modules/" in place and not entry.get("link")
    }
    assert len(foreign) > 50
    for place, entry in foreign.items():
        assert "resolved" not in entry, place
        assert entry["integrity"].startswith("sha512-"), place
        # What remains of addresses says whom to thank, not where to download.
        rest = {key: value for key, value in entry.items() if key != "funding"}
        assert "://" not in json.dumps(rest), place


def test_npm_settings_keep_addresses_out() -> None:
    """`npm install` in web/ cannot bring the addresses back."""
    assert "omit-lockfile-registry-resolved=true" in (ROOT / "web" / ".npmrc").read_text().split()
