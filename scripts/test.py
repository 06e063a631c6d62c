"""Run everything: linters, Rust, Python, TypeScript, browsers; the last line is `N passed, M failed`.

What the tests need is installed first, without a question. A stage that fails does not stop the next
ones: one run shows all that is wrong. Words after the verb name stages: `python3 scripts/test.py rust
unit` runs these two alone.
"""

import subprocess
import sys
from collections.abc import Callable

from house import acceptance, build, checks, console, ledger, needs, paths, pytests, rust, venv, web
from house.ledger import Counts, Ledger

Work = Callable[[], Counts]


def main() -> None:
    """Run the stages and report."""
    wanted = set(sys.argv[1:])
    stages = [
        (key, name, work) for key, name, work in _stages() if not wanted or key in wanted or key == "prepare"
    ]
    unknown = wanted - {key for key, _, _ in _stages()}
    if unknown:
        console.give_up(f"no stage is called {', '.join(sorted(unknown))}", f"use {', '.join(_keys())}")
    book = Ledger()
    paths.RESULTS.mkdir(exist_ok=True)
    for key, name, work in stages:
        book.stage(name, work, heading=key != "prepare")
    sys.exit(book.report())


def _stages() -> list[tuple[str, str, Work]]:
    """Key, name and work of each stage, in order: what fails fast comes first."""
    return [
        ("prepare", "system packages", _prepared(_needs)),
        ("prepare", "Python packages", _prepared(lambda: venv.ensure("test"))),
        ("prepare", "compilers", _prepared(build.ensure_compiler)),
        ("prepare", "compiled core", _prepared(build.ensure_native)),
        ("prepare", "web application", _prepared(build.ensure_web)),
        ("prepare", "load generator", _prepared(build.ensure_load)),
        *(("check", name, check) for name, check in checks.FAST),
        ("rust", *checks.RUST),
        ("rust", "Rust tests", _cargo),
        ("web", "npm packages", _prepared(web.install)),
        ("web", *checks.WEB),
        ("web", "TypeScript tests", _vitest),
        *(
            (category, f"Python tests: {category}", _pytest(category))
            for category in CATEGORIES
            if (paths.ROOT / "tests" / category).is_dir()
        ),
        ("proofs", "acceptance rows shown by this run", _proofs),
    ]


def _keys() -> list[str]:
    return list(dict.fromkeys(key for key, _, _ in _stages()))


def _prepared(step: Callable[[], object]) -> Work:
    """A step of preparation: not a test, so it counts only when it fails."""

    def work() -> Counts:
        step()
        return Counts()

    return work


def _needs() -> None:
    with console.stage("system packages for the tests"):
        needs.ensure()


def _cargo() -> Counts:
    rust.ensure()
    status, output = _watch(["cargo", "test", "--locked", "--workspace"])
    return ledger.at_least_one_failure(ledger.from_cargo(output), status)


def _vitest() -> Counts:
    status, output = _watch([str(paths.BIN / "npm"), "test", "--silent"], folder="web")
    return ledger.at_least_one_failure(ledger.from_vitest(output), status)


def _pytest(category: str) -> Work:
    return lambda: pytests.run(category, _watch)


def _proofs() -> Counts:
    """Each row of docs/acceptance.md that names a test of ours was shown by this very run."""
    missing, void = acceptance.unproved_by_run()
    for line in missing + void:
        console.say(f"    {line}")
    return Counts(passed=int(not missing), failed=len(missing), skipped=len(void))


def _watch(command: list[str], folder: str = ".") -> tuple[int, str]:
    """Run a child, show its output as it comes, and keep it."""
    kept = []
    with subprocess.Popen(
        command,
        cwd=paths.ROOT / folder,
        env=paths.tool_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as child:
        assert child.stdout is not None
        for line in child.stdout:
            sys.stdout.write(line)
            sys.stdout.flush()
            kept.append(line)
    return child.returncode, "".join(kept)


CATEGORIES = ("unit", "seam", "integration", "conformance", "e2e", "network")

if __name__ == "__main__":
    main()
