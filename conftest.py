"""Fast tests first: those that load a real model come after all others."""

from __future__ import annotations

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Stable, so that everything else keeps its order."""
    items.sort(key=lambda item: item.get_closest_marker("model") is not None)
