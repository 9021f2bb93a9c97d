"""Suites that are laid out for workers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from elsewhere.orders import Laid, lay


@pytest.fixture
def laid(tmp_path: Path) -> Laid:
    """One task and the oracle."""
    return lay(tmp_path / "tiny", "oracle")


@pytest.fixture
def laid_slow(tmp_path: Path) -> Laid:
    """One task and a model that takes its time."""
    script = tmp_path / "slow.json"
    script.write_text(json.dumps({"replies": {"*": [{"text": "at last", "delay": 600}]}}))
    return lay(tmp_path / "tiny", f"scripted:{script}")
