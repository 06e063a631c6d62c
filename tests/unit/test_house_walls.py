"""The import contracts cover every room, and loosen nothing quietly."""

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "python"
CONTRACTS: list[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"][
    "importlinter"
]["contracts"]
LAYERS = [contract for contract in CONTRACTS if contract["type"] == "layers"]


def exists(module: str) -> bool:
    """Whether a dotted module is a file, or a folder with a module in it."""
    path = SOURCE / module.replace(".", "/")
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def rooms(container: str) -> set[str]:
    """The modules and packages directly inside a package."""
    folder = SOURCE / container.replace(".", "/")
    names = {path.stem if path.suffix == ".py" else path.name for path in folder.iterdir()}
    return {name for name in names if exists(f"{container}.{name}") and name != "__init__"}


def tokens(contract: dict[str, Any]) -> list[str]:
    """Every room that a layers contract names, in parentheses when optional."""
    return [token for layer in contract["layers"] for token in re.split(r"\s*[|:]\s*", layer)]


@pytest.mark.parametrize("contract", LAYERS, ids=lambda contract: contract["name"])
def test_a_room_that_exists_is_not_optional(contract: dict[str, Any]) -> None:
    """A layer loses its parentheses with its first inhabitant, and gains them when it is emptied."""
    for container in contract["containers"]:
        for token in tokens(contract):
            optional, name = token.startswith("("), token.strip("()")
            assert exists(f"{container}.{name}") is not optional, f"{contract['name']}: {token}"


def test_every_room_has_its_layer() -> None:
    """No room of the package lies outside the order, whatever the linter thinks of it."""
    contract = next(contract for contract in LAYERS if contract["containers"] == ["headwater"])
    named = {token.strip("()") for token in tokens(contract)}
    assert rooms("headwater") - named - set(contract["exhaustive_ignores"]) == set()
    assert contract["exhaustive"] is True


def test_every_slice_of_meetings_has_its_order() -> None:
    """A new slice comes with routes over service over models, in a contract."""
    covered = {container for contract in LAYERS for container in contract["containers"]}
    assert {f"headwater.meetings.{name}" for name in rooms("headwater.meetings")} <= covered


def test_ignored_imports_are_for_types_only() -> None:
    """What a contract overlooks never happens at run time: it stands under TYPE_CHECKING."""
    ignored = [pair for contract in CONTRACTS for pair in contract.get("ignore_imports", [])]
    assert ignored, "this test would pass with nothing to look at"
    for pair in ignored:
        importer, imported = pair.split(" -> ")
        tree = ast.parse((SOURCE / (importer.replace(".", "/") + ".py")).read_text())
        typing_only = [
            node
            for branch in ast.walk(tree)
            if isinstance(branch, ast.If) and ast.unparse(branch.test) == "TYPE_CHECKING"
            for node in branch.body
        ]
        everywhere = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
        found = [node for node in everywhere if node.module == imported]
        assert found, pair
        assert all(node in typing_only for node in found), pair


def test_only_the_protected_door_leads_to_the_core() -> None:
    """The compiled core has one importer, and the contract that says so is still there."""
    contract = next(contract for contract in CONTRACTS if contract["type"] == "protected")
    assert contract["protected_modules"] == ["headwater._core"]
    assert contract["allowed_importers"] == ["headwater.media"]


@pytest.mark.parametrize("crate", ["core", "worker", "py", "sim"])
def test_every_crate_has_walls_of_its_own(crate: str) -> None:
    """Each crate bans what does not belong in it and says why."""
    text = (ROOT / "crates" / crate / "clippy.toml").read_text()
    bans = tomllib.loads(text)
    rules = [*bans.get("disallowed-methods", []), *bans.get("disallowed-types", [])]
    assert rules, f"crates/{crate}/clippy.toml bans nothing"
    assert all(isinstance(rule, dict) and rule.get("reason") for rule in rules)


@pytest.mark.parametrize(
    "crate", sorted(path.parent for path in ROOT.glob("crates/*/Cargo.toml")), ids=lambda p: p.name
)
def test_every_crate_takes_the_lints_of_the_workspace(crate: Path) -> None:
    """No crate opts out of the common lints."""
    assert tomllib.loads((crate / "Cargo.toml").read_text())["lints"] == {"workspace": True}


def test_the_core_crate_forbids_unsafe_code() -> None:
    """The state machine is safe Rust, enforced by the compiler."""
    assert "#![forbid(unsafe_code)]" in (ROOT / "crates/core/src/lib.rs").read_text()


def test_default_members_need_no_interpreter() -> None:
    """`cargo test` builds nothing that links against Python."""
    members = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["default-members"]
    for member in members:
        manifest = tomllib.loads((ROOT / member / "Cargo.toml").read_text())
        assert "pyo3" not in manifest["dependencies"], member


def lint_imports(folder: Path) -> str:
    """Run every import contract over a copy of the package, and return the report."""
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache", "--config", ROOT / "pyproject.toml"],
        cwd=folder,
        env={"PYTHONPATH": str(folder), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Contracts:" in done.stdout, done.stdout + done.stderr
    assert (done.returncode == 0) is (" 0 broken." in done.stdout)
    return done.stdout


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("protocols/sdp/session.py", "import socket", "Wire formats do no I/O and read no clock"),
        ("meetings/rooms/service.py", "import fastapi", "Services know no HTTP"),
        ("api/routes.py", "import headwater._core", "Only media touches the compiled core"),
    ],
)
def test_a_planted_import_breaks_its_wall(tmp_path: Path, module: str, line: str, contract: str) -> None:
    """In a copy of the package, one forbidden line breaks the contract that forbids it."""
    shutil.copytree(
        SOURCE / "headwater",
        tmp_path / "headwater",
        ignore=shutil.ignore_patterns("__pycache__", "_web"),
    )
    assert f"{contract} KEPT" in lint_imports(tmp_path)
    path = tmp_path / "headwater" / module
    text = path.read_text()
    path.write_text(
        text.replace("from __future__ import annotations\n", f"from __future__ import annotations\n{line}\n")
    )
    assert path.read_text() != text
    assert f"{contract} BROKEN" in lint_imports(tmp_path)
