"""Count what a run of stages proved, and say it in one line at the end.

Each stage adds its counts: a test runner's own numbers, or one for a linter that either passes or not.
A runner that dies without a report counts as one failure: silence is never success.
"""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from house import console

CARGO = re.compile(r"^test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored", re.MULTILINE)
VITEST = re.compile(r"^\s*Tests\s+(.*?)\s*\(\d+\)\s*$", re.MULTILINE)
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True, slots=True)
class Counts:
    """Tests passed, failed and skipped."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        """Sum field by field."""
        return Counts(self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped)

    def __str__(self) -> str:
        """The summary line's form: `N passed, M failed`, and `, K skipped` when there are any."""
        tail = f", {self.skipped} skipped" if self.skipped else ""
        return f"{self.passed} passed, {self.failed} failed{tail}"


@dataclass(slots=True)
class Ledger:
    """The stages of one run, in order."""

    rows: list[tuple[str, float, Counts]] = field(default_factory=list)

    def stage(self, name: str, work: Callable[[], Counts], *, heading: bool = True) -> bool:
        """Run one stage and book what it returns.

        Args:
            name: What the reader sees.
            heading: Whether to print the name before; not when the work prints stages of its own.
            work: Does it and counts; a `CommandFailed` or `SystemExit` from it is one failure.

        Returns:
            True when nothing failed.
        """
        if heading:
            console.say(f"==> {name}")
        began = time.monotonic()
        try:
            counts = work()
        except (console.CommandFailed, SystemExit) as failure:
            console.say(f"    {failure}")
            counts = Counts(failed=1)
        seconds = time.monotonic() - began
        self.rows.append((name, seconds, counts))
        if heading or counts.failed:
            console.say(f"    {name}: {counts}, {seconds:.1f} s")
        return counts.failed == 0

    @property
    def total(self) -> Counts:
        """All stages together."""
        return sum((counts for _, _, counts in self.rows), Counts())

    def report(self) -> int:
        """Print the stages with their times, then the summary line, alone and last.

        Returns:
            The exit status: 0 when something passed and nothing failed.
        """
        width = max((len(name) for name, _, _ in self.rows), default=0)
        console.say("")
        for name, seconds, counts in self.rows:
            console.say(f"  {name:<{width}}  {seconds:7.1f} s  {counts}")
        console.say(f"  {'total':<{width}}  {sum(seconds for _, seconds, _ in self.rows):7.1f} s")
        console.say(str(self.total))
        return 0 if self.total.failed == 0 and self.total.passed > 0 else 1


def at_least_one_failure(counts: Counts, status: int) -> Counts:
    """A runner that ends badly, or that counted nothing at all, has failed whatever it printed."""
    if status != 0 and counts.failed == 0:
        return counts + Counts(failed=1)
    return counts if counts != Counts() else Counts(failed=1)


def from_cargo(output: str) -> Counts:
    """Sum the result lines of `cargo test`."""
    rows = CARGO.findall(COLOUR.sub("", output))
    return sum((Counts(*map(int, row)) for row in rows), Counts())


def from_vitest(output: str) -> Counts:
    """Sum the `Tests` lines of vitest, one per workspace."""
    total = Counts()
    for line in VITEST.findall(COLOUR.sub("", output)):
        numbers = {word: int(number) for number, word in re.findall(r"(\d+) (\w+)", line)}
        skipped = numbers.get("skipped", 0) + numbers.get("todo", 0)
        total += Counts(numbers.get("passed", 0), numbers.get("failed", 0), skipped)
    return total
