"""Packages of the operating system: installed without a question where we may, else one line to type."""

import functools
import os
import re
import shutil

from house import console


def install(packages: list[str], *, reason: str) -> None:
    """Install packages with apt, as root or through a sudo that does not ask.

    Args:
        packages: Their names.
        reason: What they are for, for the one line printed when it cannot be done.
    """
    words = " ".join(packages)
    if shutil.which("apt-get") is None:
        console.give_up(
            f"{reason} is missing", f"install the packages {words} (or your system's names for them)"
        )
    prefix = privilege()
    if prefix is None:
        console.give_up(f"{reason} is missing", f"sudo apt-get install {words}")
    refresh()
    console.run([*prefix, *APT, "install", "-y", "--no-install-recommends", *packages])


def install_missing(wanted: dict[str, str], *, reason: str) -> bool:
    """Install the packages whose program is not on the PATH.

    Args:
        wanted: Program name -> package name.
        reason: What they are for.

    Returns:
        True when something was installed.
    """
    missing = sorted({package for program, package in wanted.items() if shutil.which(program) is None})
    if missing:
        install(missing, reason=reason)
    return bool(missing)


def candidate(package: str) -> tuple[int, ...]:
    """The version that apt would install, as far as it is numeric; empty when there is none."""
    if shutil.which("apt-cache") is None:
        return ()
    text = console.output(["apt-cache", "policy", package]) or ""
    found = re.search(r"Candidate: (?:\d+:)?(\d+(?:\.\d+)*)", text)
    return tuple(int(part) for part in found[1].split(".")) if found else ()


@functools.cache
def refresh() -> None:
    """Fetch the package lists once per verb, when we may."""
    prefix = privilege()
    if prefix is None:
        return
    try:
        console.run([*prefix, *APT, "update", "-q"])
    except console.CommandFailed:
        # One unreachable third-party source must not stop us: the lists on disk may do.
        console.say("    apt-get update failed; going on with the package lists at hand")


def privilege() -> list[str] | None:
    """The words before a command that needs root: none as root, `sudo -n` where allowed, else None."""
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") is not None and console.output(["sudo", "-n", "true"]) is not None:
        return ["sudo", "-n"]
    return None


APT = (
    "env",
    "DEBIAN_FRONTEND=noninteractive",
    "apt-get",
    "-o",
    "Acquire::Retries=3",
    "-o",
    "DPkg::Lock::Timeout=300",
)
