"""Which licences we accept, and which packages may be used by whom (`policy/licences.json`).

Rust is judged from `cargo metadata`, npm from `package-lock.json`, Python from the installed packages'
own metadata. What ships (in the wheel, or installed with it) is judged by a short list; tools that only
run the tests may also carry the licences named under `tools`.
"""

import json
import re
from importlib import metadata
from typing import Any

from house import console, locked, paths
from house.locked import Report

POLICY = paths.ROOT / "policy" / "licences.json"


def findings() -> Report:
    """Judge every locked package, and who depends on what.

    Returns:
        The number of packages judged and one line per finding.
    """
    policy = json.loads(POLICY.read_text())
    parts = [_rust(policy), _python(policy), _npm(policy)]
    lines = [line for part in parts for line in part.findings]
    lines += [
        f"no {name} package was judged" for name, part in zip(KINDS, parts, strict=True) if not part.compared
    ]
    return Report(sum(part.compared for part in parts), lines)


def accepted(expression: str, allowed: set[str]) -> bool:
    """Whether an SPDX expression can be satisfied with allowed licences alone.

    >>> accepted("MIT OR GPL-3.0", {"MIT"}), accepted("MIT AND GPL-3.0", {"MIT"})
    (True, False)
    >>> accepted("(MIT OR Apache-2.0) AND Unicode-3.0", {"Apache-2.0", "Unicode-3.0"})
    True
    >>> accepted("Apache-2.0 WITH LLVM-exception OR MIT", {"MIT"})
    True
    """
    words = re.findall(r"\(|\)|[^\s()]+", expression.replace("/", " OR "))
    value, rest = _either(words, allowed)
    return value and not rest


def banned(package: dict[str, Any], policy: dict[str, Any]) -> list[str]:
    """The bans that one crate of the workspace breaks.

    Args:
        package: Its entry in `cargo metadata`.
        policy: The policy file.

    Returns:
        One line per forbidden direct dependency.
    """
    lines = []
    for dependency in package["dependencies"]:
        rule = policy["bans"].get(dependency["name"])
        if rule is not None and package["name"] not in rule["only"]:
            lines.append(f"{package['name']} depends on {dependency['name']}: {rule['reason']}")
    return lines


def _rust(policy: dict[str, Any]) -> Report:
    text = console.output(["cargo", "metadata", "--format-version=1", "--locked"])
    if text is None:
        return Report(1, ["cargo metadata failed: is Cargo.lock up to date?"])
    allowed = set(policy["allowed"])
    judged, lines = 0, []
    crates = json.loads(text)["packages"]
    for crate in crates:
        judged += 1
        if crate["source"] is None:
            lines += banned(crate, policy)
            continue
        if crate["name"] in policy["bans"] and not policy["bans"][crate["name"]]["only"]:
            lines.append(f"{crate['name']} is in Cargo.lock: {policy['bans'][crate['name']]['reason']}")
        licence = policy["rust"].get(crate["name"]) or crate["license"] or ""
        if not accepted(licence, allowed):
            lines.append(_refusal(f"{crate['name']} {crate['version']} (rust)", licence))
    return Report(judged, lines)


def _python(policy: dict[str, Any]) -> Report:
    shipped = {package.name for package in _locked("run")}
    judged, lines = 0, []
    for package in {*_locked("run"), *_locked("build"), *_locked("test")}:
        try:
            found = metadata.metadata(package.name).json
        except metadata.PackageNotFoundError:
            continue  # locked for another platform or Python
        judged += 1
        allowed = set(policy["allowed"]) | (set() if package.name in shipped else set(policy["tools"]))
        licence = policy["python"].get(package.name) or _stated(found)
        if not accepted(licence, allowed):
            lines.append(_refusal(f"{package.name} {package.version} (python)", licence))
    return Report(judged, lines)


def _npm(policy: dict[str, Any]) -> Report:
    file = paths.WEB / "package-lock.json"
    if not file.is_file():
        return Report(0)
    judged, lines = 0, []
    for place, entry in json.loads(file.read_text())["packages"].items():
        if "node_modules/" not in place or entry.get("link"):
            continue
        judged += 1
        name = place.rpartition("node_modules/")[2]
        allowed = set(policy["allowed"]) | (set(policy["tools"]) if entry.get("dev") else set())
        licence = policy["npm"].get(name) or entry.get("license") or ""
        if not accepted(licence, allowed):
            lines.append(_refusal(f"{name} {entry.get('version')} (npm)", licence))
    return Report(judged, lines)


def _refusal(what: str, licence: str) -> str:
    return f"{what}: {licence or 'no licence'} is not allowed"


def _locked(name: str) -> list[locked.Package]:
    return list(locked.python_packages(paths.REQUIREMENTS / f"{name}.txt"))


def _stated(found: dict[str, Any]) -> str:
    """An SPDX expression from a package's metadata, old style or new."""
    expression = found.get("license_expression")
    if expression:
        return str(expression)
    classifiers = [text.split(" :: ") for text in found.get("classifier", [])]
    names = [parts[-1] for parts in classifiers if parts[0] == "License"]
    known = [CLASSIFIERS[name] for name in names if name in CLASSIFIERS]
    if known:
        return " AND ".join(known)
    first = str(found.get("license") or "").strip().splitlines()
    return FREE_TEXT.get(first[0].strip(), first[0].strip()) if first else ""


def _either(words: list[str], allowed: set[str]) -> tuple[bool, list[str]]:
    value, words = _both(words, allowed)
    while words and words[0].upper() == "OR":
        other, words = _both(words[1:], allowed)
        value = value or other
    return value, words


def _both(words: list[str], allowed: set[str]) -> tuple[bool, list[str]]:
    value, words = _one(words, allowed)
    while words and words[0].upper() == "AND":
        other, words = _one(words[1:], allowed)
        value = value and other
    return value, words


def _one(words: list[str], allowed: set[str]) -> tuple[bool, list[str]]:
    if not words:
        return False, []
    first, rest = words[0], words[1:]
    if first == "(":
        value, rest = _either(rest, allowed)
        return value, rest[1:]
    if rest and rest[0].upper() == "WITH":
        # An exception only adds permissions.
        return first in allowed, rest[2:]
    return first in allowed, rest


KINDS = ("rust", "python", "npm")

CLASSIFIERS = {
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "MIT No Attribution License (MIT-0)": "MIT-0",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
}

FREE_TEXT = {
    "Apache 2.0": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "BSD": "BSD-3-Clause",
    "BSD License": "BSD-3-Clause",
    "BSD 3-Clause License": "BSD-3-Clause",
    "MIT License": "MIT",
}
