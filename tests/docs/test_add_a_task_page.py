"""The walk-through: its examples are parts of a suite that runs, its output is the real one, its lists are complete."""

from __future__ import annotations

import inspect
import re
import shutil
from dataclasses import fields
from pathlib import Path

import pytest

from pytest_agentcore import task
from pytest_agentcore.checking.trial import Trial
from pytest_agentcore.checks.selfcheck import RUBBISH
from pytest_agentcore.cli.__main__ import main

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "add-a-task.md").read_text(encoding="utf-8")


@pytest.fixture
def suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The page's suite, in the working folder."""
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copytree(DOCS / "my-suite", tmp_path / "my-suite"))


def test_every_example_is_part_of_the_suite() -> None:
    files = [path.read_text(encoding="utf-8") for path in (DOCS / "my-suite").glob("*.py")]
    shown = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(shown) == len(files) == 3
    assert all(any(code in file for file in files) for code in shown)


def test_every_example_is_a_strong_task(suite: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert suite.is_dir()
    assert main(["selfcheck", "my-suite", "--sandbox", "process", "--instances", "2"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "3 tasks, none weak"


def test_the_shown_output_is_the_real_one(suite: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert suite.is_dir()
    console = re.search(r"```console\n\$ agentcore (.*?)\n(.*?)```", PAGE, re.DOTALL)
    assert console
    assert main(console[1].split()) == 0
    assert capsys.readouterr().out == console[2]


@pytest.mark.sandbox
def test_the_shown_audit_is_the_real_one(suite: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert suite.is_dir()
    console = re.search(r"```console\n\$ agentcore (audit .*?)\n(.*?)\[…\]\n(.*?)```", PAGE, re.DOTALL)
    assert console
    assert main(console[1].split()) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(console[2])
    assert printed.endswith(console[3])


def test_the_examples_pass_under_pytest_with_the_oracle(suite: Path, pytester: pytest.Pytester) -> None:
    result = pytester.runpytest(
        "--agentcore-model=oracle", "--agentcore-runs=1", "--agentcore-sandbox=process", str(suite)
    )
    result.assert_outcomes(passed=3)


def listed(heading: str) -> set[str]:
    """Names that the items of the first list under a heading begin with."""
    section = PAGE.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    items = re.findall(r"^- (`.*?`): ", section, re.MULTILINE)
    return {word for item in items for word in re.findall(r"(?:^|, )`([a-z_]+)", item)}


def test_the_list_of_what_a_checker_can_ask_is_complete() -> None:
    public = {name for name in (*dir(Trial), *(field.name for field in fields(Trial))) if not name.startswith("_")}
    assert listed("What a checker can ask") == public - {"open"}


def test_the_list_of_the_declaration_is_complete() -> None:
    assert listed("The declaration") == set(inspect.signature(task).parameters) - {"unknown"}


def test_every_kind_of_rubbish_is_named() -> None:
    section = " ".join(PAGE.split("## When selfcheck finds something", 1)[1].split())
    said = {"missing": "nothing", "empty": "emptiness", "binary": "binary data", "huge": "20 MB"}
    for name in RUBBISH:
        assert said.get(name, name) in section
