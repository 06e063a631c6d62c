"""What must be built before anything runs: the compiled core and the web application."""

import shutil

from house import console, paths, rust, stamps, system, venv, web

CARGO_PROFILE = "dev"
"""One fast-compiling profile serves `make run`, tests, lints and the wheel test."""


def ensure(purpose: str) -> None:
    """Have everything that a purpose needs installed and built.

    Args:
        purpose: "run" or "test".
    """
    venv.ensure(purpose)
    ensure_native()
    ensure_web()


def ensure_native() -> None:
    """Have `headwater._core._native` and an editable install that match the sources."""
    stamps.once(
        "native",
        _native,
        inputs=[
            paths.ROOT / "crates",
            paths.ROOT / "Cargo.toml",
            paths.ROOT / "Cargo.lock",
            paths.ROOT / "pyproject.toml",
            paths.CACHE / "stamps" / "venv",
        ],
        outputs=[paths.NATIVE, paths.BIN / "headwater"],
    )


def ensure_web() -> None:
    """Have the built web application inside the package."""
    stamps.once(
        "web",
        _web,
        inputs=[paths.WEB, paths.ROOT / "schema"],
        outputs=[paths.WEB_BUILT / "index.html"],
    )


def ensure_load() -> None:
    """Have load generator and impairment lab, which tests start; cargo knows what changed.

    The whole workspace is selected, here and by every other call of cargo: naming one package would
    give shared dependencies other features, and with them a second build.
    """
    ensure_compiler()
    with console.stage("load generator"):
        programs = ["--bin", "headwater-load", "--bin", "headwater-lab"]
        console.run(["cargo", "build", "--locked", "--workspace", *programs])


def ensure_compiler() -> None:
    """Have Rust and a C compiler (the cryptography library has parts in C and assembler)."""
    if shutil.which("cc") is None:
        with console.stage("C compiler from the system's packages"):
            # Cargo trusts the certificates of the system, which the smallest ones lack.
            system.install(["ca-certificates", "gcc", "libc6-dev"], reason="a C compiler")
    rust.ensure()


def _native() -> None:
    ensure_compiler()
    with console.stage("compiled core (the first time takes some minutes)"):
        console.run([paths.BIN / "maturin", "develop", "--uv", "--locked", "--profile", CARGO_PROFILE])


def _web() -> None:
    with console.stage("web application"):
        web.install()
        web.build()
