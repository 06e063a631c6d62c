"""A real PostgreSQL, made for one test run: reached by a socket file, gone with the run."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.support.children import end_with_parent

__all__ = ["Postgresql", "postgresql"]

_ACCOUNT = "postgres"
_DEADLINE = 60.0


class Postgresql:
    """A running server.

    Args:
        folder: Where its socket is.
        programs: Where its programs are.
        server: Its process.
    """

    def __init__(self, folder: Path, programs: Path, server: subprocess.Popen[bytes]) -> None:
        self._folder = folder
        self._programs = programs
        self._server = server
        self._made = 0

    def new_database(self) -> str:
        """Make an empty database and return its address, as `--database` takes it."""
        self._made += 1
        name = f"test_{self._made}"
        self.run("createdb", name)
        return f"postgresql://{_ACCOUNT}@/{name}?host={quote(str(self._folder), safe='')}"

    def pause(self) -> None:
        """Stop it, and what serves its clients: nothing answers any more."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        children = Path(f"/proc/{self._server.pid}/task/{self._server.pid}/children").read_text().split()
        for process in [self._server.pid, *map(int, children)]:
            os.kill(process, number)

    def run(self, program: str, *arguments: str) -> None:
        """Run one of its programs against it."""
        command = [str(self._programs / program), "-h", str(self._folder), "-U", _ACCOUNT, *arguments]
        subprocess.run(command, check=True, capture_output=True, timeout=_DEADLINE)


@contextmanager
def postgresql() -> Iterator[Postgresql]:
    """Start a server, and end it."""
    servers = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    assert servers, "PostgreSQL is missing; `make bootstrap` installs it"
    programs = servers[-1].parent
    # A socket's path has at most 107 characters: pytest's own folders are too deep.
    folder = Path(tempfile.mkdtemp(prefix="headwater-pg-"))
    try:
        account = _account(folder)
        data = folder / "data"
        subprocess.run(
            [programs / "initdb", "-D", data, "-U", _ACCOUNT, "-A", "trust", "-N", "-E", "UTF8"],
            check=True, capture_output=True, timeout=_DEADLINE, cwd=folder, **account,
        )  # fmt: skip
        server = subprocess.Popen(
            [programs / "postgres", "-D", data, "-k", folder, "-h", "", "-F"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder,
            preexec_fn=end_with_parent, **account,
        )  # fmt: skip
        try:
            _wait_ready(programs, folder, server)
            yield Postgresql(folder, programs, server)
        finally:
            server.send_signal(signal.SIGINT)  # SIGTERM would wait for clients
            server.wait(_DEADLINE)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _account(folder: Path) -> dict[str, Any]:
    """PostgreSQL refuses to run as root: then it runs as the account that its package made."""
    if os.geteuid() != 0:
        return {}
    entry = pwd.getpwnam(_ACCOUNT)
    os.chown(folder, entry.pw_uid, entry.pw_gid)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _wait_ready(programs: Path, folder: Path, server: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + _DEADLINE
    while subprocess.run([programs / "pg_isready", "-q", "-h", folder], check=False).returncode != 0:
        assert server.poll() is None, "PostgreSQL ended while starting"
        assert time.monotonic() < end, "PostgreSQL does not answer"
        time.sleep(0.05)
