"""What task 09 rests on: files that vary and are always too short, and a rule that comes to an end."""

from __future__ import annotations

import pytest
from suite_modules import RUNS, declared, instance, task_module

from pytest_agentcore import plain_lines

MANY = range(1, 51)


@pytest.mark.parametrize("run", RUNS)
def test_there_are_too_few_rows_for_the_window_that_the_prompt_names(run: int) -> None:
    drawn = instance(9, run)
    rows = str(drawn.files["revenue.csv"]).splitlines()[1:]

    assert 2 <= len(rows) <= 8
    assert drawn.facts["window"] > len(rows)
    assert f"Compute the {drawn.facts['window']}-day moving average" in declared(task_module(9)).prompt_of(drawn)


def test_rows_windows_and_dates_vary_and_the_published_window_is_the_most_frequent() -> None:
    facts = [instance(9, run).facts for run in MANY]
    windows = [each["window"] for each in facts]

    assert {len(each["dates"]) for each in facts} == set(range(2, 9))
    assert max(set(windows), key=windows.count) == 10
    assert len({tuple(each["dates"]) for each in facts}) == len(facts)


@pytest.mark.parametrize("run", RUNS)
def test_no_report_is_right_for_two_instances(run: int) -> None:
    module, facts = task_module(9), instance(9, run).facts
    report = plain_lines(module.report(facts, module.RIGHT))

    module.judge(report, facts)
    for other in MANY:
        if other != run:
            with pytest.raises(AssertionError):
                module.judge(report, instance(9, other).facts)


@pytest.mark.parametrize(
    "piece",
    [
        "Figure: 10-day = n/a (3 of 10) ",
        "Figure: a = 1 ",
        "Data: 3 rows\n",
        "10 of ",
        "needs the only ",
        "| 3 ",
        "= ",
        "1,000",
    ],
)
def test_the_rule_comes_to_an_end_over_the_longest_texts(piece: str) -> None:
    with pytest.raises(AssertionError):
        task_module(9).judge(plain_lines("Figure: " + piece * (20_000 // len(piece))), instance(9, 1).facts)
