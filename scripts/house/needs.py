"""The system packages that only the tests need."""

from pathlib import Path

from house import console, system

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


POSTGRESQL = Path("/usr/lib/postgresql")
"""Where Debian keeps the servers, one folder per version; none of them is on the PATH."""
GSTREAMER = (
    "gstreamer1.0-nice",
    "gstreamer1.0-plugins-base",
    "gstreamer1.0-plugins-good",
    "gstreamer1.0-plugins-bad",
    "gstreamer1.0-plugins-ugly",
    "gir1.2-gst-plugins-base-1.0",
    "gir1.2-gst-plugins-bad-1.0",
    "python3-gi",
    "openssl",
)
"""What `examples/gstreamer_whip.py` needs; none of it is a program by itself."""
HAPROXY = Path("/usr/sbin/haproxy")
"""The proxy in front of several nodes; not on everybody's PATH."""


def ensure() -> None:
    """Install what is missing, without a question."""
    if system.install_missing(PROGRAMS, reason="a program that the tests use"):
        # Without one font a headless browser draws empty boxes on the screenshots.
        system.install(["fonts-dejavu-core"], reason="a font for the browsers")
    if console.output(["dpkg", "-s", *GSTREAMER]) is None:
        system.install(list(GSTREAMER), reason="GStreamer, by which the tests send and watch,")
    if not HAPROXY.exists():
        _install_haproxy()
    if not any(POSTGRESQL.glob("*/bin/postgres")):
        _install_postgresql()


def _install_haproxy() -> None:
    """Install the program without the service that Debian would start with it: tests start their own."""
    system.install(["haproxy"], reason="HAProxy, behind which the tests run nodes,")
    if Path("/run/systemd/system").is_dir():
        console.run([*(system.privilege() or []), "systemctl", "disable", "--now", "-q", "haproxy"])


def _install_postgresql() -> None:
    """Install the server without the database that Debian would start with it: tests make their own."""
    reason = "PostgreSQL, in which the tests keep data too,"
    system.install(["postgresql-common"], reason=reason)
    prefix = system.privilege() or []
    setting = "s/^#?create_main_cluster.*/create_main_cluster = false/"
    console.run([*prefix, "sed", "-ri", setting, "/etc/postgresql-common/createcluster.conf"])
    system.install(["postgresql"], reason=reason)
