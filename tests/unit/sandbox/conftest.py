"""Cells: a sandbox over a fresh workspace."""

from __future__ import annotations

from pathlib import Path

import pytest
from confined import Cell, make_cell, sandbox_of


@pytest.fixture
def cell(request: pytest.FixtureRequest, tmp_path: Path) -> Cell:
    """The cell of a kind; see `confined`."""
    return make_cell(sandbox_of(request.param), tmp_path / "trial")
