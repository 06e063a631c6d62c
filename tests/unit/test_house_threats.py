"""Every test that the table of threats names exists, and every threat of the core has one."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TABLE = ROOT / "docs" / "reference" / "threats.md"
NAMED = re.compile(r"`([\w/.]+\.(?:rs|py))::(\w+)`")


def test_every_named_test_exists() -> None:
    """A renamed or removed test is noticed here."""
    named = NAMED.findall(TABLE.read_text())
    assert len(named) > 20
    for path, name in named:
        source = (ROOT / path).read_text()
        definition = re.search(rf"((?:#\[\w+\]\s*)*)(?:async )?(?:fn|def) {name}\(", source)
        assert definition, f"{path} has no {name}"
        if path.endswith(".rs"):
            assert definition[1].split() == ["#[test]"], f"{name} does not run"


def test_every_threat_has_a_test() -> None:
    """T1 to T13, each with at least one."""
    rows = {row.split()[1]: row for row in TABLE.read_text().splitlines() if row.startswith("| T")}
    assert list(rows) == [f"T{number}" for number in range(1, 14)]
    assert all(NAMED.search(row) for row in rows.values())
