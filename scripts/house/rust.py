"""A Rust toolchain that is new enough: the one at hand, else the system's packages.

Debian's `rustc` stays at the version of the release (1.63 in Debian 12), but `rustc-web`, kept for
building browsers, moves on; Ubuntu has packages named after the version; newer releases have `rustup`.
"""

import os
import re
import shutil
from pathlib import Path

from house import console, paths, system


def ensure() -> None:
    """Have `cargo` and `rustc` on the PATH of our children, new enough for the workspace."""
    if find():
        return
    wanted = minimum()
    shown = ".".join(map(str, wanted))
    with console.stage(f"Rust >= {shown} from the system's packages"):
        system.refresh()
        for packages in _choices(wanted):
            system.install(packages, reason=f"Rust >= {shown}")
            if packages == ["rustup"]:
                console.run(["rustup", "toolchain", "install", "stable", "--profile", "default"])
            if _activate(wanted):
                return
    console.give_up(f"Rust >= {shown} is missing", "install it with https://rustup.rs, then try again")


def find() -> bool:
    """Put a toolchain that is new enough and already here at the front of our children's PATH.

    Returns:
        True when there is one.
    """
    return _activate(minimum())


def minimum() -> tuple[int, ...]:
    """The version that the workspace asks for (`rust-version` in Cargo.toml)."""
    text = (paths.ROOT / "Cargo.toml").read_text()
    found = re.search(r'^rust-version = "([\d.]+)"', text, re.MULTILINE)
    assert found, "the workspace manifest names its rust-version"
    return tuple(int(part) for part in found[1].split("."))


def version_of(text: str) -> tuple[int, ...]:
    """The numbers in what `rustc --version` prints; empty when there are none.

    >>> version_of("rustc 1.95.0 (59807616e 2026-04-14)")
    (1, 95, 0)
    """
    found = re.match(r"(?:rustc|cargo) (\d+)\.(\d+)\.(\d+)", text)
    return tuple(int(part) for part in found.groups()) if found else ()


def _activate(wanted: tuple[int, ...]) -> bool:
    """Put the first folder with a good enough pair of compiler and cargo at the front of the PATH."""
    for folder in _folders():
        compiler, cargo = folder / "rustc", folder / "cargo"
        if not (os.access(compiler, os.X_OK) and os.access(cargo, os.X_OK)):
            continue
        compiles = version_of(console.output([compiler, "--version"]) or "")
        builds = version_of(console.output([cargo, "--version"]) or "")
        if min(compiles, builds) >= wanted:
            os.environ["PATH"] = os.pathsep.join([str(folder), os.environ.get("PATH", os.defpath)])
            return True
    return False


def _folders() -> list[Path]:
    listed = [Path(part) for part in os.environ.get("PATH", os.defpath).split(os.pathsep) if part]
    versioned = sorted(Path("/usr/lib").glob("rust-1.*/bin"), reverse=True)
    home = Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo")) / "bin"
    return [*listed, home, *versioned]


def _choices(wanted: tuple[int, ...]) -> list[list[str]]:
    """Sets of packages that would bring a compiler new enough, best first."""
    choices = []
    if system.candidate("rustc") >= wanted:
        choices.append(["rustc", "cargo", "rustfmt", "rust-clippy"])
    if system.candidate("rustc-web") >= wanted:
        choices.append(["rustc-web", "cargo-web", "rustfmt-web", "rust-web-clippy"])
    choices += [[name, name.replace("rustc", "cargo")] for name in _versioned(wanted)]
    if system.candidate("rustup"):
        choices.append(["rustup"])
    return [[name for name in names if system.candidate(name)] for names in choices]


def _versioned(wanted: tuple[int, ...]) -> list[str]:
    """Ubuntu's `rustc-1.NN` packages that are new enough, newest first."""
    if shutil.which("apt-cache") is None:
        return []
    text = console.output(["apt-cache", "search", "--names-only", r"^rustc-1\.[0-9]+$"]) or ""
    names = re.findall(r"^(rustc-1\.(\d+)) ", text, re.MULTILINE)
    good = [(int(minor), name) for name, minor in names if (1, int(minor)) >= wanted]
    return [name for _, name in sorted(good, reverse=True)]
