"""Renew `policy/advisories.json` from checkouts of public advisory databases.

    python3 scripts/snapshot.py RUSTSEC [PYPA]

RUSTSEC is a checkout of github.com/rustsec/advisory-db, PYPA one of github.com/pypa/advisory-database.
Entries about packages that we lock, and about the families that may come back into the lock files, are
taken over as facts: id, package, good versions, kind. Entries of other ecosystems, and those marked
`"source": "hand"`, stay as they are.
"""

import json
import re
import subprocess
import sys
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from house import advisories, console, locked

FAMILIES = re.compile(
    r"(str0m|pyo3|quinn|rustls|webpki|ring|aws-lc|openssl|tokio|hyper|h2|mio|socket2|rustix|crossbeam|"
    r"sctp|webrtc|rtp|dtls|stun|x509|rcgen|time|bytes|slab|smallvec|zerocopy|memmap|libc|nix)\b"
)


def main() -> None:
    """Rewrite the snapshot."""
    if not 2 <= len(sys.argv) <= 3:
        sys.exit(__doc__)
    wanted = {(package.ecosystem, package.name) for package in locked.packages()}
    old = json.loads(advisories.SNAPSHOT.read_text())
    entries = [entry for entry in old["advisories"] if entry["ecosystem"] == "npm" or _by_hand(entry)]
    rust = Path(sys.argv[1])
    entries += _rustsec(rust, wanted)
    sources = {**old.get("sources", {}), "rustsec/advisory-db": _commit_date(rust)}
    if len(sys.argv) == 3:
        python = Path(sys.argv[2])
        entries += _pypa(python, wanted)
        sources["pypa/advisory-database"] = _commit_date(python)
    entries.sort(key=lambda entry: (entry["ecosystem"], entry["package"], entry["id"]))
    snapshot = {"as_of": datetime.now(UTC).date().isoformat(), "sources": sources}
    lines = ",\n    ".join(json.dumps(entry) for entry in entries)
    head = json.dumps(snapshot, indent=2).removesuffix("\n}")
    advisories.SNAPSHOT.write_text(f'{head},\n  "advisories": [\n    {lines}\n  ]\n}}\n')
    console.say(f"{len(entries)} advisories")


def _by_hand(entry: dict[str, Any]) -> bool:
    return str(entry["id"]).startswith(("GHSA-", "POLICY-"))


def _rustsec(root: Path, wanted: set[tuple[str, str]]) -> list[dict[str, Any]]:
    entries = []
    for file in sorted(root.glob("crates/*/RUSTSEC-*.md")):
        name = file.parent.name
        if ("rust", name) not in wanted and not FAMILIES.match(name):
            continue
        data = tomllib.loads(file.read_text().split("```toml")[1].split("```")[0])
        about, versions = data["advisory"], data["versions"]
        if about.get("withdrawn") or about.get("informational") in {"unmaintained", "notice"}:
            continue
        kinds = [
            *about.get("categories", []),
            *([about["informational"]] if "informational" in about else []),
        ]
        good = [*versions.get("unaffected", []), *versions["patched"]]
        entries.append(_entry(about["id"], "rust", name, good, ", ".join(kinds) or "weakness"))
    return entries


def _pypa(root: Path, wanted: set[tuple[str, str]]) -> list[dict[str, Any]]:
    """The PyPA database is YAML of one fixed shape; only its ids and events are read."""
    entries = []
    for file in sorted(root.glob("vulns/*/PYSEC-*.yaml")):
        name = file.parent.name
        text = file.read_text()
        if ("python", name) not in wanted or "withdrawn:" in text:
            continue
        part = text.split("type: ECOSYSTEM")[-1].split("versions:")[0]
        events = re.findall(r"- (introduced|fixed): '?\"?([^'\"\s]+)", part)
        if events and "type: ECOSYSTEM" in text:
            entries.append(_entry(file.stem, "python", name, _good(events), "see the register"))
    return entries


def _good(events: list[tuple[str, str]]) -> list[str]:
    """The complement of OSV's introduced and fixed events, in order."""
    good, fixed = [], ""
    for kind, version in events:
        if kind == "fixed":
            fixed = f">= {version}"
        elif version != "0":
            good.append(", ".join(part for part in (fixed, f"< {version}") if part))
            fixed = ""
    return [*good, *([fixed] if fixed else [])]


def _entry(identity: str, ecosystem: str, package: str, good: list[str], summary: str) -> dict[str, Any]:
    return {"id": identity, "ecosystem": ecosystem, "package": package, "good": good, "summary": summary}


def _commit_date(root: Path) -> str:
    command = ["git", "-C", str(root), "log", "-1", "--format=%cs %h"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    main()
