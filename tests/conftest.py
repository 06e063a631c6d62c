"""Every test module declares its category by its folder; browsers get more time than the rest."""

from pathlib import Path

import pytest

HERE = Path(__file__).parent
SECONDS = {"unit": 60, "seam": 180, "integration": 180, "conformance": 60, "e2e": 300, "network": 300}
"""Category -> the longest that one of its tests may take: it ends what hangs, and judges nothing else."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test with its category and its limit in time."""
    for item in items:
        if not item.path.is_relative_to(HERE):
            continue
        category = item.path.relative_to(HERE).parts[0]
        if category not in SECONDS:
            raise pytest.UsageError(f"{item.path}: a test lives in one of tests/{{{','.join(SECONDS)}}}/")
        item.add_marker(getattr(pytest.mark, category))
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(SECONDS[category]))
