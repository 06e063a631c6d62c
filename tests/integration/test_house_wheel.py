"""The wheel is complete: built like `pip install .` builds it, it serves a call from an empty environment."""

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from house import backend, paths
from tests.support.aiortc_peer import expect_marker_frame, publish_by_whip, watch_by_whep
from tests.support.server import Server

ROOT = Path(__file__).resolve().parents[2]
UV = str(Path(sys.prefix, "bin", "uv"))


def run(*command: str | Path, **environment: str) -> None:
    """Run a tool to its end; its output belongs to the failure."""
    done = subprocess.run(
        [str(word) for word in command],
        cwd=ROOT,
        env={**paths.tool_environment(), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command[:3]} failed:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of this checkout, with the profile that everything else here is built with."""
    folder = tmp_path_factory.mktemp("wheel")
    build = (UV, "build", "--wheel", "--no-build-isolation", "--python", sys.executable, "-o", folder, ROOT)
    run(*build, MATURIN_PEP517_ARGS="--profile=dev")
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty virtual environment with the wheel and its locked dependencies; its Python."""
    folder = tmp_path_factory.mktemp("venv")
    python = folder / "bin" / "python"
    run(UV, "venv", "-q", "--clear", "--python", sys.executable, folder)
    locked = paths.REQUIREMENTS / "run.txt"
    run(UV, "pip", "install", "-q", "--python", python, "--require-hashes", "-r", locked)
    run(UV, "pip", "install", "-q", "--python", python, "--no-deps", "--no-index", wheel)
    return python


@pytest.mark.timeout(600)
def test_the_wheel_is_abi3_and_complete(wheel: Path) -> None:
    """One file for every Python from 3.11, with core, types, pages, command and licence inside."""
    assert re.fullmatch(r"headwater-[\d.]+-cp311-abi3-\w+\.whl", wheel.name)
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        entry = next(name for name in names if name.endswith("entry_points.txt"))
        assert "headwater=headwater.cli:main" in archive.read(entry).decode().replace(" ", "")
    backend.verify(wheel)
    for wanted in ("headwater/py.typed", "headwater/_core/_native.pyi", "headwater/_web/index.html"):
        assert wanted in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not [
        name for name in names if "__pycache__" in name or name.startswith(("tests", "scripts", "web/"))
    ]


def test_a_wheel_without_the_pages_is_refused(tmp_path: Path) -> None:
    """The backend looks inside what it built."""
    hollow = tmp_path / "headwater-0-cp311-abi3-linux_x86_64.whl"
    with zipfile.ZipFile(hollow, "w") as archive:
        archive.writestr("headwater/_core/_native.abi3.so", b"")
    with pytest.raises(backend.IncompleteWheel, match="web application"):
        backend.verify(hollow)


def test_the_installed_wheel_is_whole(installed: Path, tmp_path: Path) -> None:
    """The package is imported from the environment, and the command is there."""
    where = subprocess.run(
        [installed, "-c", "import headwater; print(headwater.__file__)"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert str(installed.parents[1]) in where
    assert os.access(installed.parent / "headwater", os.X_OK)


@pytest.mark.timeout(600)
async def test_the_installed_wheel_serves_a_call(installed: Path, tmp_path: Path) -> None:
    """Health, page and a call between two peers, with nothing of the checkout on the path."""
    async with Server.start(tmp_path, python=str(installed)) as server:
        async with server.client() as http:
            assert (await http.get("/healthz")).status_code == 200
            page = await http.get("/")
            assert page.status_code == 200
            assert "text/html" in page.headers["content-type"]
            script = re.search(r'src="(/[^"]+\.js)"', page.text)
            assert script, "the page loads a script"
            assert (await http.get(script[1])).status_code == 200
        async with publish_by_whip(server, "wheel", 0x2A, 440.0), watch_by_whep(server, "wheel") as watching:
            video = next(each.receiver.track for each in watching.getTransceivers() if each.kind == "video")
            await expect_marker_frame(video, 0x2A)
