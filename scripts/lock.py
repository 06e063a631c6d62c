"""Renew the lock files: versions and hashes, no download URLs, no registry hosts.

`make lock` keeps every version that still fits; `python3 scripts/lock.py --upgrade` takes the newest.
"""

import sys
from pathlib import Path

from house import console, paths, rust, venv, web

COMPILE = (
    "pip",
    "compile",
    "-q",
    "--universal",
    "--python-version=3.11",
    "--generate-hashes",
    "--no-emit-index-url",
    "--no-emit-find-links",
    "--custom-compile-command=make lock",
)


def main() -> None:
    """Write requirements/*.txt, Cargo.lock and web/package-lock.json."""
    extra = [word for word in sys.argv[1:] if word == "--upgrade"]
    venv.ensure("run")
    with console.stage("Python lock files"):
        manifest = paths.ROOT / "pyproject.toml"
        build, run, test = (paths.REQUIREMENTS / f"{name}.txt" for name in ("build", "run", "test"))
        _compile(["--group", f"{manifest}:build"], build, extra)
        _compile([str(manifest), "-c", str(build)], run, extra)
        _compile(
            [str(manifest), "--group", f"{manifest}:test", "-c", str(build), "-c", str(run)], test, extra
        )
    with console.stage("Rust lock file"):
        rust.ensure()
        console.run(["cargo", "update", *([] if extra else ["--workspace"])])
    with console.stage("npm lock file"):
        web.npm_run(
            ["install", "--package-lock-only", "--omit-lockfile-registry-resolved", "--no-audit", "--no-fund"]
        )


def _compile(arguments: list[str], target: Path, extra: list[str]) -> None:
    names = [str(Path(word).relative_to(paths.ROOT)) if word.startswith("/") else word for word in arguments]
    console.run([paths.BIN / "uv", *COMPILE, *names, *extra, "-o", target.relative_to(paths.ROOT)])


if __name__ == "__main__":
    main()
