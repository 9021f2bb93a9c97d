"""The charts of a report as SVG shapes: the template writes them, so every text in them is escaped.

Colours are the page's CSS variables, so that charts follow the light or dark setting.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import NamedTuple

from pytest_agentcore.analysis.compare import Comparison
from pytest_agentcore.format import average, count, latency, overlapping, percent, short, thousands
from pytest_agentcore.pack.read import Campaign
from pytest_agentcore.stats.counting import OUTCOMES, Distribution, basis
from pytest_agentcore.trial.modes import FailureMode
from pytest_agentcore.trial.result import TrialResult
from pytest_agentcore.untrusted import clip, columns

WIDTH = 360
"""Units of every drawing, which are pixels where there is room: as wide as a phone."""
ROW = 22
PLOT = 150
"""Height of a histogram without its axis."""
AXIS = 20
"""Height of the tick labels below a plot."""
LETTER = 6.1
"""Mean width of a letter at 11 units: SVG cannot be asked how wide a text is."""
LONGEST = 24
"""Letters of a row's label; the whole of it is in the tooltip."""
BINS = 20
TICKS = 6
PLAIN, FIRST, SECOND = "var(--muted)", "var(--first)", "var(--second)"

Attributes = Mapping[str, str | float]

PERCENTS = tuple((share, f"{share:.0%}") for share in (0, 0.25, 0.5, 0.75, 1))


class Shape(NamedTuple):
    """One SVG element."""

    tag: str
    attributes: Attributes
    text: str = ""
    tooltip: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """One chart, and the same in words for those who do not see it."""

    title: str
    summary: str
    height: float
    shapes: Sequence[Shape]
    legend: Sequence[tuple[str, str]] = ()
    """CSS class of each colour, and its meaning."""


class Mark(NamedTuple):
    """Something in a row, in the units of its axis."""

    kind: str
    """`line`, `bar`, `dot` or `ring`; the last two stand at `end`."""
    start: float
    end: float
    colour: str
    opacity: float = 1
    text: str = ""
    """Written behind it."""


def charts(campaign: Campaign) -> Iterator[Chart]:
    """Draw pass rates, failure modes, times, turns and tokens of a campaign."""
    figures, effort = campaign.figures, campaign.figures.overall.effort
    over, counted = basis(campaign.results)
    rates = []
    for task in figures.tasks:
        if task.wilson:
            line = Mark("line", task.wilson.low, task.wilson.high, FIRST, 0.45)
            rates.append((task.task.removeprefix("task_"), [line, Mark("dot", 0, task.rates.effective or 0, FIRST)]))
    summary = "Point: passed of scored trials. Line: Wilson's 95% interval of the task."
    yield _rows("Pass rate by task", summary, rates, most=1, ticks=PERCENTS)
    rows = []
    for mode in FailureMode:
        found = [(mode.value, figures.outcomes[mode.value], 1.0)]
        found += [(f"- {cause.value}", n, 0.55) for (outcome, cause), n in figures.causes.items() if outcome == mode]
        rows += [(name, [Mark("bar", 0, n, f"var(--{mode.value})", shade, str(n))]) for name, n, shade in found]
    most = max(figures.outcomes[mode.value] for mode in FailureMode)
    modes = ", ".join(f"{mode.value} {figures.outcomes[mode.value]}" for mode in FailureMode)
    summary = f"Trials of {figures.overall.rates.planned} planned: {modes}; below each mode its causes."
    ticks = [(n, str(n)) for n in whole_ticks(most)]
    # a little room behind the longest bar for its number
    yield _rows("How trials failed", summary, rows, most=max(1, most) * 1.12, ticks=ticks)
    title = overlapping("Time of a trial", campaign.manifest.parallel)
    yield _histogram(title, effort.seconds, latency, results=counted, over=over)
    yield _histogram("Turns of a trial", effort.turns, average, results=counted, over=over, whole=True)
    rows, most = [], 1
    for task in figures.tasks:
        if trials := task.rates.recorded:
            evaluated = round((task.effort.prompt_tokens - task.effort.cached_tokens) / trials)
            total = evaluated + round(task.effort.reply_tokens / trials)
            most = max(most, total)
            bars = [Mark("bar", 0, evaluated, FIRST), Mark("bar", evaluated, total, SECOND)]
            rows.append((task.task.removeprefix("task_"), bars))
    cached = effort.cached_tokens / effort.prompt_tokens if effort.prompt_tokens else None
    summary = (
        f"Mean of a recorded trial. All trials: {thousands(effort.prompt_tokens)} prompt tokens, {percent(cached)} of "
        f"them cached and not drawn; {thousands(effort.reply_tokens)} reply tokens, "
        f"{average(effort.tokens_per_second)} per second of model time."
    )
    ticks, legend = [(n, short(n)) for n in whole_ticks(most)], [("first", "prompt, evaluated"), ("second", "reply")]
    yield _rows("Tokens of a trial, by task", summary, rows, most=most, ticks=ticks, legend=legend)


def compared(comparison: Comparison) -> Chart:
    """Draw both pass rates of each task, with a line from one to the other."""
    rows = []
    for task in comparison.tasks:
        before, now = task.first.rates.effective, task.second.rates.effective
        if before is not None and now is not None:
            line, ring = Mark("line", min(before, now), max(before, now), PLAIN), Mark("ring", 0, before, SECOND)
            rows.append((task.task.removeprefix("task_"), [line, ring, Mark("dot", 0, now, FIRST)]))
    summary = "Ring: the baseline. Point: this campaign. A task that one of them has no scored trial of is left out."
    return _rows("Pass rate by task", summary, rows, most=1, ticks=PERCENTS)


def _rows(
    title: str,
    summary: str,
    rows: Sequence[tuple[str, Sequence[Mark]]],
    *,
    most: float,
    ticks: Sequence[tuple[float, str]],
    legend: Sequence[tuple[str, str]] = (),
) -> Chart:
    """Draw a row per label over one horizontal axis from 0 to `most`."""
    left = min(LONGEST, max((columns(label) for label, _ in rows), default=0)) * LETTER + 10
    bottom = ROW * len(rows)

    def x(value: float) -> float:
        return round(left + (WIDTH - 14 - left) * value / most, 1)

    shapes = []
    for value, text in ticks:
        shapes.append(Shape("line", {"x1": x(value), "x2": x(value), "y1": 0, "y2": bottom, "stroke": "var(--line)"}))
        shapes.append(_label(x(value), bottom + 14, "middle", text))
    for number, (label, marks) in enumerate(rows):
        y = ROW * number + ROW / 2
        at: Attributes = {"x": left - 8, "y": y + 4, "text-anchor": "end"}
        shapes.append(Shape("text", at, clip(label, LONGEST), tooltip=label))
        for mark in marks:
            start, end = x(mark.start), x(mark.end)
            place: Attributes = {"cx": end, "cy": y, "r": 4.5}
            ink: Attributes = {"fill": mark.colour}
            if mark.kind == "bar":
                place = {"x": start, "y": y - 7, "width": round(end - start, 1), "height": 14, "rx": 2}
                ink = {"fill": mark.colour, "opacity": mark.opacity}
            elif mark.kind == "line":
                place = {"x1": start, "x2": end, "y1": y, "y2": y, "stroke-width": 3, "stroke-linecap": "round"}
                ink = {"stroke": mark.colour, "opacity": mark.opacity}
            elif mark.kind == "ring":
                ink = {"fill": "none", "stroke": mark.colour, "stroke-width": 2}
            shapes.append(Shape({"bar": "rect", "line": "line"}.get(mark.kind, "circle"), {**place, **ink}))
            if mark.text:
                shapes.append(Shape("text", {"x": end + 4, "y": y + 4}, mark.text))
    return Chart(title=title, summary=summary, height=bottom + AXIS, shapes=shapes, legend=legend)


def _label(x: float, y: float, anchor: str, text: str) -> Shape:
    return Shape("text", {"x": round(x, 1), "y": y, "text-anchor": anchor, "class": "tick"}, text)


def _histogram(
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
    summary = "There is no trial yet."
    if found.n:
        summary = (
            f"Mean {show(found.mean)}, median {show(found.p50)}, p95 {show(found.p95)}, "
            f"from {show(found.least)} to {show(found.most)}, over {count(found.n, f'{over} trial')}."
        )
    step = bin_width(max(map(value, results), default=1.0), whole=whole)
    counts = Counter((math.floor(value(result) / step), result.outcome) for result in results)
    heights: Counter[int] = Counter()
    for (place, _), n in counts.items():
        heights[place] += n
    bins, most = max(heights, default=0) + 1, max(heights.values(), default=0)
    left = len(str(most)) * LETTER + 12
    wide = (WIDTH - 14 - left) / bins

    def y(trials: float) -> float:
        return round(6 + PLOT * (1 - trials / max(1, most)), 1)

    shapes: list[Shape] = []
    for n in whole_ticks(most):
        shapes.append(Shape("line", {"x1": left, "x2": WIDTH - 14, "y1": y(n), "y2": y(n), "stroke": "var(--line)"}))
        shapes.append(_label(left - 6, y(n) + 4, "end", str(n)))
    for place in sorted(heights):
        below = 0
        for outcome in OUTCOMES:
            if n := counts[place, outcome]:
                size: Attributes = {"width": round(wide - 1, 1), "height": round(y(below) - y(below + n), 1)}
                where: Attributes = {"x": round(left + wide * place, 1), "y": y(below + n), **size}
                shapes.append(Shape("rect", {**where, "fill": f"var(--{outcome})"}))
                below += n
    # a bar of one whole number has that number below its middle, any other bar its bounds below its sides
    middle = 0.5 if whole and step == 1 else 0.0
    shapes += [
        _label(left + wide * (place + middle), y(0) + 14, "middle", f"{place * step:g}")
        for place in range(0, bins + (not middle), math.ceil(bins / TICKS))
    ]
    shapes.append(_label(WIDTH - 14, y(0) + 28, "end", unit))
    present = {result.outcome for result in results}
    legend = [(outcome, outcome) for outcome in OUTCOMES if outcome in present]
    return Chart(title=title, summary=summary, height=PLOT + 6 + 2 * AXIS, shapes=shapes, legend=legend)


def whole_ticks(most: int) -> list[int]:
    """0 to `most` in at most six round steps: an axis of counts has no halves."""
    width = next(
        factor * 10**power for power in range(10) for factor in (1, 2, 5) if most / (factor * 10**power) <= TICKS
    )
    return list(range(0, most + 1, width))


def bin_width(most: float, *, whole: bool) -> float:
    """The smallest of 1, 2, 5, 10 … that cuts 0 to `most` into at most `BINS` bins; below 1 too, unless `whole`."""
    if most <= 0:  # trials that took no time at all, as lost ones do
        return 1.0
    exponent = math.floor(math.log10(most / BINS))
    steps = (factor * 10.0**power for power in (exponent, exponent + 1) for factor in (1, 2, 5))
    fitting = next(step for step in steps if most / step < BINS)
    return max(1.0, fitting) if whole else fitting
