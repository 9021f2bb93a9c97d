"""docs/leaderboard.md against what is printed and written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pytest_agentcore.cli.__main__ import main
from pytest_agentcore.reports.leaderboard import COLUMNS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "leaderboard.md").read_text(encoding="utf-8")


def test_the_example_is_what_is_printed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(ROOT)
    found = re.search(r"^\$ agentcore (leaderboard \S+)\n(.*?)```", PAGE, re.MULTILINE | re.DOTALL)
    assert found
    assert main(found[1].split()) == 0
    assert capsys.readouterr().out.startswith(found[2])


def test_every_column_of_the_csv_is_explained_in_its_order() -> None:
    table = PAGE.partition("| column | meaning |")[2]
    explained = [
        name for row in re.findall(r"^\| (`[^|]+) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)
    ]
    assert sorted(explained) == sorted(COLUMNS)
