"""Cells: a sandbox over a fresh workspace."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confined import Cell, cell_of, make_cell


@pytest.fixture
def cell(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Cell]:
    """The cell of a kind; see `confined`."""
    with cell_of(request.param, tmp_path / "trial") as cell:
        yield cell


@pytest.fixture
def make_another(cell: Cell, tmp_path: Path) -> Callable[[], Cell]:
    """Makes a cell of the same kind over a workspace of its own."""
    return lambda: make_cell(cell.sandbox, tmp_path / "another")
