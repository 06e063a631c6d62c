"""Read the reports that pytest writes, and amend one after a second attempt.

Tests are named as pytest names them: `tests/e2e/test_call.py::test_mute[firefox]`.
"""

import xml.etree.ElementTree as ET
from pathlib import Path

from house.ledger import Counts

BAD = {"failure": "failures", "error": "errors"}
"""What marks a test as failed -> the suite's attribute that counts it."""
FLAKY = "flakyFailure"
"""What marks a test that passed at the second attempt, as Maven Surefire writes it."""
VOID = "machine too busy"
"""How the reason of a skip begins where the machine could not keep the time of a link: it proves nothing."""


def count(report: Path) -> Counts:
    """Count a report; a missing or broken one is one failure."""
    try:
        root = ET.parse(report).getroot()
    except (OSError, ET.ParseError):
        return Counts(failed=1)
    total = Counts()
    for suite in root.iter("testsuite"):
        tests, failures, errors, skipped = (
            int(suite.get(name, "0")) for name in ("tests", "failures", "errors", "skipped")
        )
        bad = failures + errors
        # A test whose teardown fails is counted as passed and as an error.
        total += Counts(max(tests - bad - skipped, 0), bad, skipped)
    return total


def outcomes(report: Path) -> dict[str, str]:
    """What became of each test, its teardown included: the worst counts.

    Returns:
        Name -> `failed`, `skipped`, `void` or `passed`; empty where there is no report to read.
    """
    found: dict[str, str] = {}
    for name, case in _cases(report):
        found[name] = min(found.get(name, "passed"), _outcome(case), key=WORST_FIRST.index)
    return found


def forgive(report: Path, again: Path) -> list[str]:
    """Mark as flaky, in a report, the failed tests that the report of a second attempt shows as passed.

    Args:
        report: Of the first attempt; changed in place.
        again: Of the second.

    Returns:
        One line per flaky test, with what it said when it failed.
    """
    tree = ET.parse(report)
    second = outcomes(again)
    lines = []
    for suite in tree.iter("testsuite"):
        for case in suite.iter("testcase"):
            trouble = [part for part in case if part.tag in BAD]
            if second.get(_name(case)) != "passed":
                continue
            for part in trouble:
                suite.set(BAD[part.tag], str(int(suite.get(BAD[part.tag], "0")) - 1))
                part.tag = FLAKY
                lines.append(f"{_name(case)}: {part.get('message', '')[:MESSAGE]}")
    tree.write(report)
    return lines


def _cases(report: Path) -> list[tuple[str, ET.Element]]:
    try:
        return [(_name(case), case) for case in ET.parse(report).iter("testcase")]
    except (OSError, ET.ParseError):
        return []


def _name(case: ET.Element) -> str:
    return f"{case.get('classname', '').replace('.', '/')}.py::{case.get('name', '')}"


def _outcome(case: ET.Element) -> str:
    if any(part.tag in BAD for part in case):
        return "failed"
    skip = case.find("skipped")
    if skip is None:
        return "passed"
    return "void" if skip.get("message", "").startswith(VOID) else "skipped"


WORST_FIRST = ("failed", "skipped", "void", "passed")
MESSAGE = 200
