"""The stub tells the truth about the binary, and values behave as values."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import headwater._core
from headwater._core import native

ROOT = Path(__file__).parents[2]


def test_stub_and_binary_agree() -> None:
    """Every name, argument and default in the stub is in the binary, and the other way round."""
    command = [sys.executable, "-m", "mypy.stubtest", "headwater._core._native"]
    result = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_stubtest_would_notice_a_renamed_argument(tmp_path: Path) -> None:
    """The check above is not empty: a stub that lies about one argument fails it."""
    package = tmp_path / "headwater" / "_core"
    package.mkdir(parents=True)
    (tmp_path / "headwater" / "__init__.pyi").write_text("")
    (package / "__init__.pyi").write_text("")
    stub = Path(headwater._core.__file__).with_name("_native.pyi").read_text()
    (package / "_native.pyi").write_text(
        stub.replace("def accept_offer(self, transport: int", "def accept_offer(self, t: int")
    )
    command = [sys.executable, "-m", "mypy.stubtest", "headwater._core._native"]
    environment = {"MYPYPATH": str(tmp_path), "PATH": "/usr/bin"}
    result = subprocess.run(
        command, capture_output=True, text=True, cwd=tmp_path, env=environment, check=False
    )
    assert result.returncode != 0
    assert 'stub parameter "t" differs' in result.stdout, result.stdout + result.stderr


def test_build_info_names_the_pinned_str0m() -> None:
    """The binary says what it was built from."""
    info = native.build_info()
    assert info.keys() == {"version", "str0m", "profile", "source_hash"}
    lock = (ROOT / "Cargo.lock").read_text()
    pinned = re.search(r'name = "str0m"\nversion = "([^"]+)"', lock)
    assert pinned is not None
    assert info["str0m"] == pinned[1]
    assert re.fullmatch(r"[0-9a-f]{64}", info["source_hash"])


def test_source_hash_sees_every_change(tmp_path: Path) -> None:
    """A changed, renamed or new source file changes the hash that tells a stale binary."""
    for name in ("core", "worker", "py"):
        (tmp_path / name / "src").mkdir(parents=True)
    file = tmp_path / "core" / "src" / "lib.rs"
    file.write_text("a")
    hashes = [headwater._core.source_hash(tmp_path)]
    file.write_text("b")
    hashes.append(headwater._core.source_hash(tmp_path))
    file = file.rename(file.with_name("other.rs"))
    hashes.append(headwater._core.source_hash(tmp_path))
    file.with_name("new.rs").write_text("")
    hashes.append(headwater._core.source_hash(tmp_path))
    assert len(set(hashes)) == len(hashes)


def test_values_are_frozen_readable_and_matchable(worker: native.Worker) -> None:
    """An event shows its fields, cannot be changed, and can be taken apart by ``match``."""
    from tests.seam.conftest import outcome

    request = worker.close_router(worker.allocate_router())
    failed = outcome(worker, request)
    match failed:
        case native.Failed(number, error):
            assert number == request
        case _:
            pytest.fail(f"unexpected {failed!r}")
    assert repr(failed) == f"Failed(request={request}, error={error!r})"
    with pytest.raises(AttributeError):
        failed.request = 0  # type: ignore[misc]
    with pytest.raises(TypeError):
        native.Failed()  # only the core makes them
