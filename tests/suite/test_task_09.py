"""What task 09 rests on: its rows, and what its text rules do with long texts."""

from __future__ import annotations

import pytest
from suite_modules import RUNS, instance, task_module


@pytest.mark.parametrize("run", RUNS)
def test_three_rows_and_no_number_that_looks_like_the_caveat(run: int) -> None:
    rows = str(instance(9, run).files["revenue.csv"]).splitlines()

    assert len(rows) == 4
    assert not task_module(9).tells_the_limit("\n".join(rows))


@pytest.mark.parametrize(
    "piece", ["no verified reviews ", "- empty list\n", "3 days\n\n", "10 of ", "a" * 50, "| 3 |\n"]
)
def test_rules_come_to_an_end_over_the_longest_texts(piece: str) -> None:
    text = piece * (task_module(6).LONGEST_NOTE // len(piece))

    assert not task_module(9).tells_the_limit(text)
