"""The verbs' own tools: stamps skip only what did not change, and the ledger never counts silence."""

from pathlib import Path

import pytest

from house import console, ledger, paths, rust, stamps, system
from house.ledger import Counts, Ledger

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stamps of this test alone."""
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")
    return tmp_path


def test_a_step_runs_once_until_an_input_changes(cache: Path) -> None:
    """Same content, no work; other content, a new file or a lost output, work again."""
    source, result = cache / "in", cache / "out"
    source.mkdir()
    (source / "a").write_text("1")

    def step() -> None:
        result.write_text("built")

    def once() -> bool:
        return stamps.once("step", step, inputs=[source], outputs=[result])

    assert [once(), once()] == [True, False]
    (source / "a").write_text("2")
    assert [once(), once()] == [True, False]
    (source / "b").write_text("")
    assert [once(), once()] == [True, False]
    result.unlink()
    assert [once(), once()] == [True, False]


def test_build_output_is_no_input(cache: Path) -> None:
    """What a build writes beside its sources does not make it run again."""
    (cache / "in" / "node_modules").mkdir(parents=True)
    before = stamps.digest([cache / "in"])
    (cache / "in" / "node_modules" / "x.js").write_text("x")
    assert stamps.digest([cache / "in"]) == before


def test_a_failed_step_leaves_no_stamp(cache: Path) -> None:
    """A step that died is tried again."""

    def fail() -> None:
        raise console.CommandFailed(["false"], 1)

    with pytest.raises(console.CommandFailed):
        stamps.once("step", fail, inputs=[])
    assert stamps.once("step", lambda: None, inputs=[]) is True


def test_summary_line_and_status(capsys: pytest.CaptureFixture[str]) -> None:
    """The last line stands alone and has the promised form; failures make the status non-zero."""
    book = Ledger()
    book.stage("good", lambda: Counts(passed=3, skipped=1))
    assert book.report() == 0
    assert capsys.readouterr().out.splitlines()[-1] == "3 passed, 0 failed, 1 skipped"
    book.stage("bad", lambda: Counts(passed=1, failed=2))
    assert book.report() == 1
    assert capsys.readouterr().out.splitlines()[-1] == "4 passed, 2 failed, 1 skipped"


def test_a_stage_that_dies_is_a_failure() -> None:
    """A missing tool, a compiler error or an early exit counts, and the next stage still runs."""

    def die() -> Counts:
        raise console.CommandFailed(["cc"], 1)

    def leave() -> Counts:
        console.give_up("x is missing", "install x")

    book = Ledger()
    assert [book.stage("dies", die), book.stage("leaves", leave), book.stage("ok", lambda: Counts(1))] == [
        False,
        False,
        True,
    ]
    assert book.total == Counts(passed=1, failed=2)


def test_nothing_run_is_not_success() -> None:
    """An empty run ends with a non-zero status."""
    assert Ledger().report() == 1


def test_cargo_results_are_summed() -> None:
    """Every test binary's result line counts."""
    text = (
        "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.1s\n"
        "test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.1s\n"
    )
    assert ledger.from_cargo(text) == Counts(15, 2, 1)


def test_vitest_results_are_read_through_colour() -> None:
    """The Tests line counts, the Test Files line does not."""
    files = "\x1b[2m Test Files \x1b[22m 1 passed (1)\n"
    text = files + "\x1b[2m      Tests \x1b[22m 1 failed | 7 passed | 2 skipped (10)\n"
    assert ledger.from_vitest(text) == Counts(7, 1, 2)


def test_a_missing_prerequisite_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """The reader learns what is missing and what to type."""
    with pytest.raises(SystemExit) as raised:
        console.give_up("a C compiler is missing", "sudo apt-get install gcc")
    assert raised.value.code == 2
    line = capsys.readouterr().err
    assert line == "headwater: a C compiler is missing. Remedy: sudo apt-get install gcc\n"


def test_without_rights_the_package_to_install_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who is neither root nor allowed sudo gets the command to type, and nothing is tried."""
    monkeypatch.setattr(system, "privilege", lambda: None)
    monkeypatch.setattr("shutil.which", lambda program: f"/usr/bin/{program}")
    with pytest.raises(SystemExit):
        system.install(["gcc", "libc6-dev"], reason="a C compiler")
    assert capsys.readouterr().err.endswith("Remedy: sudo apt-get install gcc libc6-dev\n")


def test_the_wanted_compiler_is_read_from_the_workspace() -> None:
    """The bootstrap asks for what Cargo.toml promises."""
    assert rust.minimum() >= (1, 89)
    assert rust.version_of("rustc 1.96.0 (abc 2026-05-25) (built from a source tarball)") == (1, 96, 0)
    assert rust.version_of("something else") == ()


def test_every_verb_is_in_the_table_and_in_the_makefile() -> None:
    """scripts/README.md lists each verb once."""
    table = (ROOT / "scripts" / "README.md").read_text()
    verbs = sorted(path.name for path in (ROOT / "scripts").glob("*.py"))
    assert verbs
    for verb in verbs:
        assert table.count(f"| `{verb}` |") == 1, verb


def test_continuous_integration_runs_the_command_of_the_readme() -> None:
    """`.ci/run` calls `make test`, the command the README names, and nothing else."""
    script = (ROOT / ".ci" / "run").read_text()
    assert "exec make test" in script
    assert "\nmake test " in (ROOT / "README.md").read_text()
