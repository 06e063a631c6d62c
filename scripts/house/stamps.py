"""Skip work whose inputs did not change.

A stamp is a file under `.cache/stamps/` that holds the digest of a step's inputs as they were when
the step last ended well. A step runs again when the digest differs or when one of its outputs is gone.
This is what lets a second `make run` start at once: no pip, npm or cargo is called to learn that
there is nothing to do.
"""

import hashlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from house import paths

SKIPPED = frozenset(
    {"node_modules", "dist", "target", "__pycache__", ".vite", ".svelte-kit", "coverage", "corpus"}
)
"""Folders that a build writes to: never an input."""


def digest(inputs: Iterable[Path], facts: Iterable[str] = ()) -> str:
    """One number for the content of files and folders.

    Args:
        inputs: Files, or folders that are walked; a missing one counts as empty.
        facts: Further words that the step depends on, such as an interpreter's version.

    Returns:
        A hexadecimal SHA-256.
    """
    total = hashlib.sha256()
    for fact in facts:
        total.update(fact.encode() + b"\0")
    for path in sorted(_files(inputs)):
        # Named relative to the checkout: moving it alone is no change of content.
        total.update(os.path.relpath(path, paths.ROOT).encode() + b"\0")
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def once(
    name: str,
    step: Callable[[], None],
    *,
    inputs: Iterable[Path],
    outputs: Iterable[Path] = (),
    facts: Iterable[str] = (),
) -> bool:
    """Run a step unless it already ended well with these inputs.

    Args:
        name: The stamp's name.
        step: The work.
        inputs: What it reads.
        outputs: What must exist afterwards.
        facts: Further words that it depends on.

    Returns:
        True when the step ran.
    """
    inputs, outputs, facts = list(inputs), list(outputs), list(facts)
    stamp = paths.CACHE / "stamps" / name
    # The place counts too: a virtual environment and an editable install hold absolute paths.
    wanted = digest(inputs, [*facts, str(paths.ROOT)])
    if stamp.is_file() and stamp.read_text() == wanted and all(path.exists() for path in outputs):
        return False
    stamp.unlink(missing_ok=True)
    step()
    stamp.parent.mkdir(parents=True, exist_ok=True)
    stamp.write_text(wanted)
    return True


def _files(inputs: Iterable[Path]) -> Iterable[Path]:
    for path in inputs:
        if path.is_file():
            yield path
            continue
        for folder, names, files in os.walk(path):
            names[:] = [name for name in names if name not in SKIPPED]
            for file in files:
                found = Path(folder, file)
                if found.is_file():
                    yield found
