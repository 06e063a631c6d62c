"""The pages name commands that exist and link to places that exist."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_commands_are_targets_of_make() -> None:
    """Every `make` line in README and CONTRIBUTING names a target."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    text = (ROOT / "README.md").read_text() + (ROOT / "CONTRIBUTING.md").read_text()
    named = set(re.findall(r"^(?:\w+=\S+ )?make ([a-z]+)", text, re.MULTILINE))
    assert {"run", "test"} <= named <= targets


def test_the_links_lead_somewhere() -> None:
    """Every relative link in the pages at the root and in docs/ names a file or folder that exists."""
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("scripts/*.md")]
    assert len(pages) > 10
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in pages
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text())
        if "://" not in target and not (page.parent / target).exists()
    ]
    assert broken == []


def test_every_picture_is_shown_somewhere() -> None:
    """A picture that no page links is not kept."""
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("web/**/README.md")]
    text = "".join(page.read_text() for page in pages if "node_modules" not in page.parts)
    pictures = sorted(path.name for path in (ROOT / "docs" / "images").iterdir())
    assert pictures
    assert [name for name in pictures if f"images/{name}" not in text] == []
