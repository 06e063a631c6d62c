"""The gate reads pytest's reports: nothing is passed that did not pass, and a second chance shows."""

from collections.abc import Callable
from pathlib import Path

import pytest

from house import junit, paths, pytests
from house.ledger import Counts

Gate = Callable[..., tuple[Counts, list[list[str]]]]
_FAILED = '<failure message="assert 4 &lt;= 2">where</failure>'


def _report(*cases: tuple[str, str]) -> str:
    """A report of these tests: name and what stands in its element."""
    bad = sum("<failure" in inner for _, inner in cases)
    rows = "".join(
        f'<testcase classname="tests.e2e.t" name="{name}">{inner}</testcase>' for name, inner in cases
    )
    return f'<testsuites><testsuite tests="{len(cases)}" failures="{bad}">{rows}</testsuite></testsuites>'


def test_results_are_counted(tmp_path: Path) -> None:
    """Errors are failures; a report that is not there is one failure."""
    report = tmp_path / "report.xml"
    report.write_text('<testsuites><testsuite tests="9" failures="1" errors="1" skipped="2"/></testsuites>')
    assert junit.count(report) == Counts(5, 2, 2)
    assert junit.count(tmp_path / "nothing.xml") == Counts(failed=1)


def test_the_worst_outcome_of_a_test_counts(tmp_path: Path) -> None:
    """A test that passed and failed in its teardown stands twice in a report."""
    report = tmp_path / "report.xml"
    report.write_text(_report(("test_a", ""), ("test_a", '<error message="left open"/>'), ("test_b[x]", "")))
    assert junit.outcomes(report) == {
        "tests/e2e/t.py::test_a": "failed",
        "tests/e2e/t.py::test_b[x]": "passed",
    }


@pytest.fixture
def attempts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Gate:
    """Lets the gate run a category whose attempts write these reports; what it counted and ran."""

    def gate(category: str, *reports: str) -> tuple[Counts, list[list[str]]]:
        monkeypatch.setattr(paths, "RESULTS", tmp_path)
        ran: list[list[str]] = []

        def watch(command: list[str]) -> tuple[int, str]:
            text = reports[len(ran)]
            ran.append(command)
            Path(command[-1].partition("=")[2]).write_text(text)
            return int("<failure" in text), ""

        return pytests.run(category, watch), ran

    return gate


def test_a_flaky_test_is_named_and_forgiven(
    attempts: Gate,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    """Only the failed one runs again; what it said at first is printed and stays in the report."""
    counts, ran = attempts("e2e", _report(("test_a", ""), ("test_b[x]", _FAILED)), _report(("test_b[x]", "")))
    assert counts == Counts(passed=2)
    assert [word for word in ran[1] if "::" in word] == ["tests/e2e/t.py::test_b[x]"]
    assert "flaky: tests/e2e/t.py::test_b[x]: assert 4 <= 2" in capsys.readouterr().out
    assert "<flakyFailure" in (tmp_path / "pytest-e2e.xml").read_text()


def test_what_fails_twice_has_failed(attempts: Gate) -> None:
    """There is no third attempt, and a test that is void the second time stays failed."""
    both = _report(("test_a", _FAILED), ("test_b", _FAILED), ("test_c", _FAILED))
    void = '<skipped message="machine too busy: the link was late"/>'
    again = _report(("test_a", _FAILED), ("test_b", void), ("test_c", ""))
    counts, ran = attempts("network", both, again)
    assert counts == Counts(passed=1, failed=2)
    assert len(ran) == 2


@pytest.mark.parametrize(("category", "number"), [("unit", 1), ("seam", 1), ("e2e", 4)])
def test_no_second_chance(attempts: Gate, category: str, number: int) -> None:
    """Not where nothing but our own code runs, and not for many at once."""
    report = _report(*((f"test_{each}", _FAILED) for each in range(number)))
    counts, ran = attempts(category, report)
    assert counts == Counts(failed=number)
    assert len(ran) == 1
