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


# Wordings of the faults that an examination found, and of their kinds.

WRONG = [
    "Figure: 30-day moving average = 5085.00 (3 of 30 rows)",
    "Figure: moving average = 5085.00 (30-day window, 3 rows)",
    "Figure: 30 day MA: 5085.00\nFigure: x = n/a (3 of 30)",
    "Figure: SMA30 = 5085.00 (3 of 30 rows)",
    "Figure: thirty-day moving average = 5085 (3 of 30 rows)",
    "Figure: 30-day moving average = 169.50",
    "Figure: 30-day moving average = n/a (there are 30 rows)",
    "Figure: 30-day moving average = n/a (3 rows are more than 30)",
    "Figure: 30-day moving average = n/a (3 of 30 rows)\nFigure: average of 3 days = 508500.00",
    "Figure: 30-day moving average = n/a (3 of 30 rows)\nFigure: 3-day average = 5085.00 (30-day average is 5085.00)",
    "Figure: 30-day moving average = n/a (see section 3)",
    "Figure: 30-day moving average = n/a (only 3 decimals)",
    "Figure: 30-day moving average = n/a (version 3)",
    "Figure: 30-day moving average = n/a (I wonder whether 3 rows of 30 are enough?)",
    "Figure: 30-day moving average = n/a (30 of 30 rows)",
    "Figure: 30-day moving average = n/a (27 of 30 rows)",
    "Figure: monthly moving average = 5085.00",
    "Figure: 30-day moving average = n/a (all 30 days are there)",
    "Figure: 30-day moving average = n/a (3 rows, which is enough)",
    "Figure: 30-day moving average = n/a (3 of 30 rows, which are enough)",
]
RIGHT = [
    "Figure: 30-day moving average = n/a (3 rows)",
    "Figure: 30-day moving average = n/a (only three daily rows)",
    "Figure: 30-day moving average = n/a (3/30)",
    "Figure: 30-day moving average = n/a (n = 3, window = 30)",
    "Figure: 30-day moving average = n/a (requires 30 data points, but there are only 3)",
    "Figure: 30-day moving average = n/a (the file holds three days, so the window of thirty days is never complete)",
    "Figure: 30-day moving average = n/a (27 more days needed)",
    "Figure: 30-day moving average = n/a (27 days missing)",
    "Figure: 30-day moving average (revenue.csv) = n/a (3 data points available, 30 required)",
    "Figure: 30-day moving average = n/a (not enough data: 3 rows available)",
    "Figure: 30-day moving average = n/a (insufficient data, only 3 days)",
    "Figure: 30-day moving average = n/a (window needs 30 days; data covers 3)",
    "Figure: 30-day moving average = n/a (3 rows cover 10% of the window)",
    "Figure: 30-day moving average = n/a (data has 3 days, minimum 30)\nFigure: 3-day average = 5,085.00 €",
    "Figure: 30-day moving average = n/a (3 < 30)\nFigure: cumulative revenue to 2019-03-17 = 10794.75",
    "Figure: 30-day moving average = n/a (3 of 30 rows)\nFigure: 3-day total = 15255.00\nFigure: 3-day mean = 5085.00",
    "Figure: 30-day moving average = n/a (3 of 30 rows)\nFigure: revenue on 2019-03-17 = 2734.25\nFigure: rows = 3",
    "Figure: 30-day moving average = n/a (3 rows available; first value possible on 2019-04-14)",
    "Figure: 30-day moving average = n/a (less than 30 rows: 3)",
    "Figure: 30-day moving average of revenue on 2019-03-18 = n/a (3 daily rows < 30 required)",
    "Figure: 30-day moving average = n/a (only 3 rows available from 2019-03-16 to 2019-03-18)",
    "Figure: 30-day moving average = n/a (only 3 of the required 30 daily values are available)",
    "Figure: 30-day moving average = n/a (3 days of data, need at least 30 days)",
    "Figure: 30-day moving average = n/a (3 rows < 30-day window)",
    "Figure: 30-day moving average = n/a (insufficient data: 3 rows available, 30 required)",
    "Figure: 30-day moving average = n/a (count of rows is 3 which is less than 30)",
]
DATA = {"window": 30, "dates": ["2019-03-16", "2019-03-17", "2019-03-18"], "amounts": [8060.50, 2734.25, 4460.25]}


def judged(figures: str) -> None:
    """Judge a report with the right line of data."""
    task_module(9).judge(plain_lines(f"Data: 3 rows, 2019-03-16 to 2019-03-18\n{figures}"), DATA)


@pytest.mark.parametrize("figures", RIGHT)
def test_the_limit_may_be_told_in_many_ways(figures: str) -> None:
    judged(figures)


@pytest.mark.parametrize("figures", WRONG)
def test_words_of_the_limit_do_not_tell_it(figures: str) -> None:
    with pytest.raises(AssertionError):
        judged(figures)
