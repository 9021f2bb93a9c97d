"""What the charts draw, and into how many bins and ticks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packs import write_pack
from results import WRONG, manifest, result

from pytest_agentcore.pack.read import read_campaign
from pytest_agentcore.reports.html.charts import Chart, bin_width, charts, histogram, whole_ticks
from pytest_agentcore.reports.rendering import page
from pytest_agentcore.reports.report import Report
from pytest_agentcore.stats.counting import Distribution
from pytest_agentcore.trial.result import TrialResult

TITLES = ["Pass rate by task", "Why trials failed", "Time of a trial", "Turns of a trial", "Tokens of a trial, by task"]


def test_every_chart_is_drawn_without_style_script_or_fixed_ink(report: Report) -> None:
    text = "".join(page(report))

    drawn = re.findall(r"<figure><figcaption>(.*?)</figcaption>(.*?)</figure>", text, re.DOTALL)
    assert [title for title, _ in drawn] == [chart.title for chart in charts(report.campaign)] == TITLES
    for _, figure in drawn:
        assert figure.count("<text") > 3
        assert not re.search(r"<(script|style|image|a)\b|\sstyle=|\son\w+=|href=", figure)
        assert re.findall(r'(?:fill|stroke)="(?!var\(--|none)', figure) == []


def test_everything_that_is_drawn_lies_in_the_drawing(report: Report) -> None:
    for chart in charts(report.campaign):
        marks = [mark for row in chart.rows for mark in row.marks] + [mark for bar in chart.bars for mark in bar.marks]
        assert marks
        assert all(0 <= mark.start <= 1 and 0 <= mark.end <= 1 for mark in marks)
        assert all(bar.left >= 0 and bar.left + bar.width <= 1.0000001 for bar in chart.bars)
        assert all(0 <= tick.at <= 1.0000001 for tick in (*chart.ticks, *chart.heights))


def drawn(folder: Path, trials: list[TrialResult]) -> list[Chart]:
    plan = [(one.task, one.run) for one in trials] or [("task_01", 1)]
    return list(charts(read_campaign(write_pack(folder, manifest(plan), trials).path)))


def test_only_what_there_is_has_a_chart(tmp_path: Path) -> None:
    nothing: dict[str, int] = {"prompt_tokens": 0, "cached_tokens": 0, "reply_tokens": 0}

    assert drawn(tmp_path / "none", []) == []
    passed = [chart.title for chart in drawn(tmp_path / "passed", [result("task_01", 1, **nothing)])]
    assert passed == ["Pass rate by task", "Time of a trial", "Turns of a trial"]


def test_tasks_whose_names_begin_alike_keep_their_names(tmp_path: Path) -> None:
    names = [f"task_01_recover_from_a_tool_error_that_nobody_foresaw_{n}" for n in range(4)]
    first, *_ = drawn(tmp_path / "alike", [result(name, 1, **WRONG) for name in names])

    assert [row.label for row in first.rows] == names


@settings(deadline=None)
@given(st.lists(st.floats(0, 1e7) | st.floats(0, 1e-3), min_size=1, max_size=8), st.integers(1, 3000))
def test_no_axis_has_a_label_twice(seconds: list[float], turns: int) -> None:
    trials = [result("task_01", n, seconds=one, turns=turns + n) for n, one in enumerate(seconds)]
    for whole in (False, True):
        found = histogram("t", Distribution.of(seconds), str, results=trials, over="scored", whole=whole)
        for axis in (found.ticks, found.heights):
            labels = [tick.text for tick in axis]
            assert len(set(labels)) == len(labels) > 1
            assert len({tick.at for tick in axis}) == len(axis)


@pytest.mark.parametrize(
    ("most", "whole", "width"),
    [
        (0.0, False, 1.0),
        (15.0, True, 1.0),
        (40.0, True, 5.0),
        (415.0, False, 50.0),
        (0.03, False, 0.002),
        (1.0, True, 1.0),
    ],
)
def test_bins_are_round_and_few(most: float, width: float, whole: bool) -> None:
    assert bin_width(most, whole=whole) == pytest.approx(width)


@pytest.mark.parametrize(("most", "ticks"), [(0, [0]), (1, [0, 1]), (6, [0, 1, 2, 3, 4, 5, 6]), (16, [0, 5, 10, 15])])
def test_counts_have_whole_ticks(most: int, ticks: list[int]) -> None:
    assert whole_ticks(most) == ticks
