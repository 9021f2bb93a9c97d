"""The tables of the docs that follow from the code are as the code has it."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
SCRIPT = runpy.run_path(str(DOCS / "tables.py"))


@pytest.mark.parametrize(("page", "name"), SCRIPT["TABLES"])
def test_a_table_is_as_the_script_writes_it(page: str, name: str) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    assert f"<!-- table {name}: " in text
    assert SCRIPT["with_table"](text, name, SCRIPT["TABLES"][page, name]()) == text
