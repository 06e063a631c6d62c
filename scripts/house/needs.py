"""The system packages that only the tests need."""

from house import system

PROGRAMS = {
    "chromium": "chromium",
    "firefox-esr": "firefox-esr",
    "ffmpeg": "ffmpeg",
    "ffprobe": "ffmpeg",
    "espeak-ng": "espeak-ng",
    "ip": "iproute2",
    "tc": "iproute2",
    "unshare": "util-linux",
    "fc-list": "fontconfig",
    "git": "git",
}
"""Program on the PATH -> the Debian package that brings it."""


def ensure() -> None:
    """Install what is missing, without a question."""
    if system.install_missing(PROGRAMS, reason="a program that the tests use"):
        # Without one font a headless browser draws empty boxes on the screenshots.
        system.install(["fonts-dejavu-core"], reason="a font for the browsers")
