"""The acceptance table is whole, honest and never shrinks."""

import subprocess
from pathlib import Path

import pytest

from house import acceptance
from house.acceptance import Row

ROOT = Path(__file__).resolve().parents[2]
COUNTS = {"S0-": 24, "S0-R": 14, "S1-": 33, "S1-R": 5, "S2-": 21, "S2-R": 6, "S3-": 22, "S3-R": 17, "S4-": 58}
"""Prefix -> how many rows it has."""

ROWS = acceptance.rows()


def show(revision: str) -> str | None:
    """The table as it was in a commit, or None when git cannot say (first commit, shallow clone)."""
    command = ["git", "show", f"{revision}:docs/acceptance.md"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else None


def proven(rows: list[Row]) -> set[str]:
    """The ids of the rows that name a proof."""
    return {row.id for row in rows if row.proofs}


def test_every_row_is_there_once_and_in_order() -> None:
    """No promised capability is forgotten, and none is counted twice."""
    wanted = [f"{prefix}{number:02d}" for prefix, count in COUNTS.items() for number in range(1, count + 1)]
    assert [row.id for row in ROWS] == wanted


def test_a_state_is_one_of_four_kinds() -> None:
    """Open with its increment, fact, declined with a reason, or proofs."""
    assert [row for row in ROWS if not row.well_formed] == []


def test_a_proof_exists_and_is_not_skipped() -> None:
    """A proven row names a test that is really there and really runs."""
    proofs = [proof for row in ROWS for proof in row.proofs]
    assert [why for proof in proofs if (why := acceptance.missing(proof))] == []


def test_no_commit_proves_less_than_the_one_before() -> None:
    """A row once proven stays proven."""
    now = acceptance.FILE.read_text()
    before = show("HEAD")
    if before == now:
        before = show("HEAD^")
    lost = proven(acceptance.rows(before)) - proven(ROWS) if before else set()
    assert lost == set()


def test_a_lost_test_is_noticed(tmp_path: Path) -> None:
    """The checker itself sees a missing file, a renamed test and a skipped one, in each language."""
    (tmp_path / "a.py").write_text(
        "import pytest\n\ndef test_here():\n    pass\n\n@pytest.mark.skip(reason='x')\n"
        "def test_off():\n    pass\n"
    )
    (tmp_path / "b.rs").write_text(
        "#[test]\nfn here() {}\n\n#[test]\n#[ignore]\nfn off() {}\n\nfn helper() {}\n"
    )
    (tmp_path / "c.ts").write_text('it("is here", () => {});\nit.skip("is off", () => {});\n')
    judged = {
        proof: acceptance.missing(proof, tmp_path) is None
        for proof in (
            "a.py::test_here",
            "a.py::test_off",
            "a.py::test_gone",
            "b.rs::here",
            "b.rs::off",
            "b.rs::helper",
            "c.ts::is here",
            "c.ts::is off",
            "d.py::test_here",
            "headwater bench fanout",
        )
    }
    assert [proof for proof, good in judged.items() if good] == [
        "a.py::test_here",
        "b.rs::here",
        "c.ts::is here",
        "headwater bench fanout",
    ]


def test_a_proof_that_did_not_pass_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a run, a proof that was skipped, failed or never ran is named; a void one is named apart."""
    table = tmp_path / "acceptance.md"
    names = ("good", "skipped", "absent", "void")
    table.write_text(
        "\n".join(f"| S0-0{n} | x | `tests/unit/t.py::test_{name}` |" for n, name in enumerate(names))
    )
    monkeypatch.setattr(acceptance, "FILE", table)
    (tmp_path / "pytest-unit.xml").write_text(
        '<testsuites><testsuite><testcase classname="tests.unit.t" name="test_good[1]"/>'
        '<testcase classname="tests.unit.t" name="test_skipped"><skipped/></testcase>'
        '<testcase classname="tests.unit.t" name="test_void">'
        '<skipped message="machine too busy: 9 ms"/></testcase>'
        "</testsuite></testsuites>"
    )
    missing, void = acceptance.unproved_by_run(tmp_path)
    assert [line.partition(": ")[0] for line in missing + void] == [
        f"tests/unit/t.py::test_{name}" for name in ("absent", "skipped", "void")
    ]
    assert len(void) == 1
