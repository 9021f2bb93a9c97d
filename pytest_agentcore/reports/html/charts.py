"""The charts of a report as values: the template draws them as SVG, so every text in them is escaped.

Horizontal places are shares of a plot's width, which the browser sets: a chart is as wide as its place while its
letters keep their size. Labels of rows are text of the page, which wraps. Colours are the page's CSS variables.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter, itemgetter
from typing import NamedTuple

from pytest_agentcore.analysis.compare import Comparison
from pytest_agentcore.format import (
    average,
    count,
    fraction,
    interval,
    joined,
    latency,
    overlapping,
    percent,
    short,
    thousands,
)
from pytest_agentcore.pack.read import Campaign
from pytest_agentcore.stats.counting import OUTCOMES, Distribution, basis
from pytest_agentcore.trial.modes import FailureMode
from pytest_agentcore.trial.result import TrialResult

BINS = 20
CLOCK = 1e-6
"""Seconds below which a time counts as zero."""
TICKS = 6
PLAIN, FIRST, SECOND = "var(--muted)", "var(--first)", "var(--second)"
CURVES = ("first", "second", "third")
"""Colours of the page, for as many curves as there are policies."""


class Mark(NamedTuple):
    """Something in a row or a column, in shares of the plot."""

    kind: str
    """`line`, `bar`, `dot` or `ring`; the last two stand at `end`."""
    start: float
    end: float
    colour: str
    opacity: float = 1


class Row(NamedTuple):
    """Marks beside the label of what they are about."""

    label: str
    marks: Sequence[Mark]
    value: str
    """The row's number, written behind its marks."""


class Bar(NamedTuple):
    """A column of a histogram, stacked from below."""

    left: float
    width: float
    marks: Sequence[Mark]
    meaning: str
    """In words, for whoever points at it."""


class Point(NamedTuple):
    """A step of a curve, with an interval around its height."""

    at: float
    height: float
    low: float
    high: float
    meaning: str
    """In words, for whoever points at it."""


class Curve(NamedTuple):
    """Points from left to right."""

    points: Sequence[Point]
    colour: str


class Tick(NamedTuple):
    """A place on an axis."""

    at: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """One chart, and the same in words for those who do not see it. It has rows, columns or curves."""

    title: str
    summary: str
    ticks: Sequence[Tick]
    """Of the horizontal axis."""
    rows: Sequence[Row] = ()
    bars: Sequence[Bar] = ()
    curves: Sequence[Curve] = ()
    heights: Sequence[Tick] = ()
    """Of the vertical axis, where there are columns or curves."""
    unit: str = ""
    """Of the horizontal axis."""
    legend: Sequence[tuple[str, str]] = ()
    """CSS class of each colour, and its meaning."""


PERCENTS = tuple(Tick(share, f"{share:.0%}") for share in (0, 0.25, 0.5, 0.75, 1))


def charts(campaign: Campaign) -> Iterator[Chart]:
    """Draw pass rates, causes of failure, times, turns and tokens of a campaign, each where there are any."""
    figures, effort = campaign.figures, campaign.figures.overall.effort
    over, counted = basis(campaign.results)
    rates = []
    for task in figures.tasks:
        if task.wilson:
            line = Mark("line", task.wilson.low, task.wilson.high, FIRST, 0.4)
            dot = Mark("dot", 0, task.rates.effective or 0, FIRST)
            rates.append(Row(task.task, [line, dot], fraction(task.rates.passed, task.rates.scored)))
    if rates:
        summary = "Point: passed of scored trials. Line: Wilson's 95% interval of the task."
        yield Chart(title="Pass rate by task", summary=summary, ticks=PERCENTS, rows=rates)
    if figures.causes:
        yield _causes(campaign)
    if counted:
        title = overlapping("Time of a trial", campaign.manifest.parallel)
        yield histogram(title, effort.seconds, latency, results=counted, over=over)
        yield histogram("Turns of a trial", effort.turns, average, results=counted, over=over, whole=True)
    if effort.prompt_tokens or effort.reply_tokens:
        yield _tokens(campaign)


def compared(comparison: Comparison) -> Chart | None:
    """Draw both pass rates of each task, with a line from one to the other; None where no task has both."""
    rows = []
    for task in comparison.tasks:
        before, now = task.first.rates.effective, task.second.rates.effective
        if before is not None and now is not None:
            line, ring = Mark("line", min(before, now), max(before, now), PLAIN), Mark("ring", 0, before, SECOND)
            shown = f"{percent(before)} → {percent(now)}"
            rows.append(Row(task.task, [line, ring, Mark("dot", 0, now, FIRST)], shown))
    summary = "Ring: the baseline. Point: this campaign. A task that one of them has no scored trial of is left out."
    return Chart(title="Pass rate by task", summary=summary, ticks=PERCENTS, rows=rows) if rows else None


def ladder(title: str, steps: Sequence[str], campaigns: Sequence[tuple[str, int, Campaign]], unit: str = "") -> Chart:
    """Draw effective rates and their intervals as a curve over steps of equal width.

    Args:
        title: of the chart.
        steps: below the axis, from left to right.
        campaigns: each after the curve that it belongs to and the number of its step.
        unit: of the axis.
    """
    names = list(dict.fromkeys(name for name, _, _ in campaigns))
    curves = []
    for number, name in enumerate(names):
        points = []
        for _, step, campaign in sorted((one for one in campaigns if one[0] == name), key=itemgetter(1)):
            rate, around = campaign.figures.overall.rates.effective, campaign.figures.same_tasks
            if rate is not None and around:
                # curves stand a little beside each other, so that no interval hides another
                at = (step + 0.5 + (number - (len(names) - 1) / 2) * 0.06) / len(steps)
                meaning = f"{joined([name, steps[step]])}: {percent(rate)}, {interval(around)}"
                points.append(Point(at, rate, around.low, around.high, meaning))
        curves.append(Curve(points, f"var(--{CURVES[number % len(CURVES)]})"))
    return Chart(
        title=title,
        summary="Effective rate with its 95% interval for the same tasks again.",
        ticks=[Tick((step + 0.5) / len(steps), text) for step, text in enumerate(steps)],
        curves=curves,
        heights=PERCENTS,
        unit=unit,
        legend=[(CURVES[number % len(CURVES)], name) for number, name in enumerate(names) if name],
    )


def _causes(campaign: Campaign) -> Chart:
    """Draw how many trials each cause ended, in the colour of its failure mode."""
    figures = campaign.figures
    most = max(figures.causes.values())
    rows = [
        Row(cause.value, [Mark("bar", 0, n / most, f"var(--{outcome})")], str(n))
        for (outcome, cause), n in figures.causes.items()
    ]
    present = {outcome for outcome, _ in figures.causes}
    legend = [(outcome, f"{outcome} {figures.outcomes[outcome]}") for outcome in OUTCOMES if outcome in present]
    modes = ", ".join(f"{mode.value} {figures.outcomes[mode.value]}" for mode in FailureMode)
    summary = f"Trials of {figures.overall.rates.planned} planned: {modes}."
    ticks = [Tick(n / most, str(n)) for n in whole_ticks(most)]
    return Chart(title="Why trials failed", summary=summary, ticks=ticks, rows=rows, legend=legend)


def _tokens(campaign: Campaign) -> Chart:
    """Draw what a trial of each task has evaluated and written in the mean."""
    figures, effort = campaign.figures, campaign.figures.overall.effort
    found = []
    for task in figures.tasks:
        if trials := task.rates.recorded:
            evaluated = round((task.effort.prompt_tokens - task.effort.cached_tokens) / trials)
            found.append((task.task, evaluated, round(task.effort.reply_tokens / trials)))
    most = max(1, *(evaluated + written for _, evaluated, written in found))
    rows = []
    for name, evaluated, written in found:
        prompt = Mark("bar", 0, evaluated / most, FIRST)
        reply = Mark("bar", evaluated / most, (evaluated + written) / most, SECOND)
        rows.append(Row(name, [prompt, reply], thousands(evaluated + written)))
    cached = effort.cached_tokens / effort.prompt_tokens if effort.prompt_tokens else None
    summary = (
        f"Mean of a recorded trial. All trials: {thousands(effort.prompt_tokens)} prompt tokens, {percent(cached)} of "
        f"them cached and not drawn; {thousands(effort.reply_tokens)} reply tokens, "
        f"{average(effort.tokens_per_second)} per second of model time."
    )
    ticks = [Tick(n / most, short(n)) for n in whole_ticks(most)]
    legend = [("first", "prompt, evaluated"), ("second", "reply")]
    return Chart(title="Tokens of a trial, by task", summary=summary, ticks=ticks, rows=rows, legend=legend)


def histogram(
    title: str,
    found: Distribution,
    show: Callable[[float | None], str],
    *,
    results: Sequence[TrialResult],
    over: str,
    whole: bool = False,
) -> Chart:
    """Draw how many trials took how many turns (`whole`) or else seconds, from 0 on, stacked by outcome."""
    unit = "turns" if whole else "seconds"
    value: Callable[[TrialResult], float] = attrgetter(unit)
    summary = (
        f"Mean {show(found.mean)}, median {show(found.p50)}, p95 {show(found.p95)}, "
        f"from {show(found.least)} to {show(found.most)}, over {count(found.n, f'{over} trial')}."
    )
    step = bin_width(max(map(value, results)), whole=whole)
    counts: dict[int, Counter[str]] = {}
    for result in results:
        counts.setdefault(math.floor(value(result) / step), Counter())[result.outcome] += 1
    bins, most = max(counts) + 1, max(found.total() for found in counts.values())
    bars = []
    for place, outcomes in sorted(counts.items()):
        below, marks = 0, []
        for outcome in OUTCOMES:
            if n := outcomes[outcome]:
                marks.append(Mark("bar", below / most, (below + n) / most, f"var(--{outcome})"))
                below += n
        # a bin of one whole number is named by it, any other by its bounds
        range_ = f"{place}" if whole and step == 1 else f"{place * step:g} to {(place + 1) * step:g}"
        told = ", ".join(f"{outcome} {n}" for outcome, n in outcomes.items())
        bars.append(Bar(place / bins, 1 / bins, marks, f"{range_} {unit}: {told}"))
    # a bar of one whole number has that number below its middle, any other bar its bounds below its sides
    middle = 0.5 if whole and step == 1 else 0.0
    places = range(0, bins + (not middle), math.ceil(bins / TICKS))
    present = {result.outcome for result in results}
    return Chart(
        title=title,
        summary=summary,
        ticks=[Tick((place + middle) / bins, f"{place * step:.10g}") for place in places],
        bars=bars,
        heights=[Tick(n / most, str(n)) for n in whole_ticks(most)],
        unit=unit,
        legend=[(outcome, outcome) for outcome in OUTCOMES if outcome in present],
    )


def whole_ticks(most: int) -> list[int]:
    """0 to `most` in at most six round steps: an axis of counts has no halves."""
    width = next(
        factor * 10**power for power in range(10) for factor in (1, 2, 5) if most / (factor * 10**power) <= TICKS
    )
    return list(range(0, most + 1, width))


def bin_width(most: float, *, whole: bool) -> float:
    """The smallest of 1, 2, 5, 10 … that cuts 0 to `most` into at most `BINS` bins; below 1 too, unless `whole`."""
    if most < CLOCK:  # trials that took no time at all, as lost ones do
        return 1.0
    exponent = math.floor(math.log10(most / BINS))
    steps = (factor * 10.0**power for power in (exponent, exponent + 1) for factor in (1, 2, 5))
    fitting = next(step for step in steps if most / step < BINS)
    return max(1.0, fitting) if whole else fitting
