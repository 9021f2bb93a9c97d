"""What the charts draw, and into how many bins and ticks."""

from __future__ import annotations

import re

import pytest

from pytest_agentcore.reports.html.charts import WIDTH, bin_width, charts, whole_ticks
from pytest_agentcore.reports.rendering import page
from pytest_agentcore.reports.report import Report


def test_every_chart_is_drawn_without_style_script_or_fixed_ink(report: Report) -> None:
    text = "".join(page(report))

    drawn = re.findall(r"<figure>.*?(<svg.*?</svg>)", text, re.DOTALL)
    assert len(drawn) == len(list(charts(report.campaign))) == 5
    for svg in drawn:
        assert svg.count("<text") > 3
        assert not re.search(r"<(script|style|image|a)\b|\sstyle=|\son\w+=|href=", svg)
        assert re.findall(r'(?:fill|stroke)="(?!var\(--|none)', svg) == []


def test_everything_that_is_drawn_lies_in_the_drawing(report: Report) -> None:
    for chart in charts(report.campaign):
        for shape in chart.shapes:
            numbers = {name: float(value) for name, value in shape.attributes.items() if isinstance(value, int | float)}
            right = numbers.get("x", 0) + numbers.get("width", 0)
            assert 0 <= right <= WIDTH
            assert 0 <= numbers.get("y", 0) + numbers.get("height", 0) <= chart.height
            assert numbers.get("width", 0) >= 0
            assert numbers.get("height", 0) >= 0


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
