"""Run a folder of Python tests, with a second chance for those that share the machine with other programs.

A browser or an FFmpeg that gets no processor for some seconds fails a test and says nothing about us. So
where such programs are judged, a few failed tests are run once more, alone. One that passes then is *flaky*:
it is named with its first failure and stays marked in the report. More than a few are never noise, and
nothing gets a third chance.
"""

from collections.abc import Callable
from pathlib import Path

from house import console, junit, paths
from house.ledger import Counts, at_least_one_failure

Watch = Callable[[list[str]], tuple[int, str]]


def run(category: str, watch: Watch) -> Counts:
    """Run `tests/<category>`.

    Args:
        category: The folder below `tests/`.
        watch: Runs a command, shows what it prints, and returns its exit status and that.

    Returns:
        What the report counts, and at least one failure where pytest ended badly.
    """
    report = paths.RESULTS / f"pytest-{category}.xml"
    workers = WORKERS.get(category)
    spread = ["-n", str(workers), "--dist", "loadfile"] if workers else []
    status = _pytest([f"tests/{category}", *spread], report, watch)
    failed = [name for name, outcome in junit.outcomes(report).items() if outcome == "failed"]
    if category in SHARING and status == TESTS_FAILED and 0 < len(failed) <= MOST_AGAIN:
        console.say(f"    once more: {', '.join(failed)}")
        again = report.with_name(f"again-{category}.xml")
        status = _pytest(failed, again, watch)
        for line in junit.forgive(report, again):
            console.say(f"    flaky: {line}")
    return at_least_one_failure(junit.count(report), status)


def _pytest(what: list[str], report: Path, watch: Watch) -> int:
    report.unlink(missing_ok=True)
    status, _ = watch([str(paths.PYTHON), "-m", "pytest", "-q", *what, f"--junitxml={report}"])
    return status


WORKERS = {"unit": 2, "integration": 3}
"""Category -> processes that share its modules: integration tests mostly wait, for FFmpeg and time-outs."""
SHARING = ("integration", "e2e", "network")
MOST_AGAIN = 3
TESTS_FAILED = 1
"""Pytest's exit status when tests ran and some failed; others mean that it did not run as it should."""
