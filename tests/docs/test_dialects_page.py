"""The page about dialects: its example runs, and its table has a row for each dialect."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

from pytest_agentcore.models.dialects.families import DIALECTS

PAGE = Path(__file__).parents[2] / "docs" / "dialects.md"


def test_the_example_runs() -> None:
    result = doctest.testfile(str(PAGE), module_relative=False)
    assert (result.failed, result.attempted > 0) == (0, True)


def test_every_dialect_has_a_row() -> None:
    section = PAGE.read_text().split("checked against\n", 1)[1].split("\n## ", 1)[0]
    assert re.findall(r"^\| (\w+) \| \w", section, re.MULTILINE)[1:] == [dialect.name for dialect in DIALECTS]
