"""`make run` on a prepared checkout: quick, honest about its link, and gone when asked to go."""

import os
import re
import select
import signal
import subprocess
import time
from pathlib import Path

import httpx
import pytest

from house import build, paths
from tests.support.pace import slowdown
from tests.support.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
STARTS_WITHIN = 5.0
"""Seconds from `make run` to a link that answers, when nothing has to be built."""


@pytest.fixture(scope="module", autouse=True)
def prepared() -> None:
    """The first `make run` was done: only the second one is timed."""
    build.ensure("run")


@pytest.mark.timeout(600)
def test_the_second_make_run_starts_at_once_and_ends_on_sigterm(tmp_path: Path) -> None:
    """A link that answers 200 within 5 s; SIGTERM to make ends the server and frees the port.

    One of three starts counts, and a machine that gives us half of itself has twice the time.
    """
    took, printed = start_and_end(tmp_path)
    for _ in range(2):
        if took > STARTS_WITHIN:
            again, printed = start_and_end(tmp_path)
            took = min(took, again)
    assert took <= STARTS_WITHIN * slowdown(), f"{took:.1f} s:\n{printed}"


def start_and_end(folder: Path) -> tuple[float, str]:
    """Run `make run`, look at its link and end it; the seconds until that answered, and what was printed."""
    port = free_port()
    environment = {
        **os.environ,
        "HEADWATER_PORT": str(port),
        "HEADWATER_DATA": str(folder),
        "PYTHONUNBUFFERED": "1",
    }
    began = time.monotonic()
    with subprocess.Popen(
        ["make", "run"], cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as child:
        try:
            link, printed = read_link(child, deadline=began + 120)
            status = httpx.get(link, trust_env=False, timeout=60).status_code
            took = time.monotonic() - began
            assert f":{port}" in link
            assert status == 200
        finally:
            child.send_signal(signal.SIGTERM)
            child.wait(timeout=60)
    with pytest.raises(httpx.ConnectError):
        httpx.get(link, trust_env=False, timeout=60)
    assert "Traceback" not in printed
    return took, printed


def read_link(child: subprocess.Popen[bytes], *, deadline: float) -> tuple[str, str]:
    """Read what make prints until a link appears.

    Args:
        child: `make run`.
        deadline: On the monotonic clock, in seconds.

    Returns:
        The link and everything printed so far.
    """
    assert child.stdout is not None
    text = b""
    while time.monotonic() < deadline:
        if select.select([child.stdout], [], [], 0.2)[0]:
            chunk = os.read(child.stdout.fileno(), 65536)
            text += chunk
            found = re.search(rb"https?://[^\s\x1b]+(?=[\s\x1b])", text)
            if found:
                return found[0].decode(), text.decode(errors="replace")
            if not chunk:
                break
    raise AssertionError(f"no link was printed:\n{text.decode(errors='replace')}")


def test_the_prepared_checkout_needs_no_tool(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With nothing changed, preparing runs no step and no other program: every stamp holds."""
    monkeypatch.setattr(subprocess, "Popen", None)
    build.ensure("run")
    assert capsys.readouterr().out == ""
    assert paths.NATIVE.exists()
