"""What the charts of a report show: Vega-Lite specifications over counts that were made here, so they stay small."""

from __future__ import annotations

import importlib.util
import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pytest_agentcore.analysis.compare import Comparison
from pytest_agentcore.format import average, count, latency, overlapping, percent, thousands
from pytest_agentcore.pack.figures import CampaignFigures, Figures
from pytest_agentcore.stats import OUTCOMES, Distribution, basis
from pytest_agentcore.trial.modes import FailureMode
from pytest_agentcore.trial.result import TrialResult

WIDTH = 190
"""Of the plot in pixels; with labels beside it a chart is as wide as a phone."""
WIDE = 310
"""Of a plot without labels beside it."""
BINS = 20
TICKS = 6

Spec = dict[str, Any]

PLAIN: Spec = {"ticks": False, "domain": False, "labelPadding": 8}
"""An axis that is only its labels."""

RATE: Spec = {
    "type": "quantitative",
    "scale": {"domain": [0, 1]},
    "axis": {"format": "%", "values": [0, 0.25, 0.5, 0.75, 1], "title": None},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """One chart and what it says in words, for those who do not see it."""

    title: str
    summary: str
    spec: Spec


def charts(figures: CampaignFigures, results: Sequence[TrialResult], parallel: int) -> Iterator[Chart]:
    """Pass rates, failure modes, latencies, turns, tokens."""
    _, counted = basis(results)
    effort = figures.overall.effort
    yield Chart(
        title="Pass rate by task",
        summary="Point: passed of scored trials. Line: Wilson's 95% interval of the task.",
        spec=_pass_rates(figures),
    )
    yield Chart(title="How trials failed", summary=_failures_in_words(figures), spec=_failures(figures))
    yield Chart(
        title=overlapping("Time of a trial", parallel),
        summary=_in_words(effort.seconds, latency, effort.basis),
        spec=_histogram(counted, [result.seconds for result in counted], "seconds", whole=False),
    )
    yield Chart(
        title="Turns of a trial",
        summary=_in_words(effort.turns, average, effort.basis),
        spec=_histogram(counted, [float(result.turns) for result in counted], "turns", whole=True),
    )
    yield Chart(title="Tokens of a trial, by task", summary=_tokens_in_words(figures), spec=_tokens(figures))


def compared(comparison: Comparison) -> Chart:
    """Both pass rates of each task, with a line from one to the other."""
    return Chart(
        title="Pass rate by task",
        summary="Ring: the baseline. Point: this campaign. A task that one of them has no scored trial of is left out.",
        spec=_compared(comparison),
    )


def _compared(comparison: Comparison) -> Spec:
    rows = [
        {"task": short(task.task), "baseline": task.first.rates.effective, "now": task.second.rates.effective}
        for task in comparison.tasks
        if task.difference is not None
    ]
    return {
        "data": {"values": rows},
        "width": WIDTH + 60,
        "height": {"step": 24},
        "encoding": {"y": _task_axis()},
        "layer": [
            {
                "mark": {"type": "rule", "strokeWidth": 2, "color": "var(--muted)"},
                "encoding": {"x": {"field": "baseline", **RATE}, "x2": {"field": "now"}},
            },
            {
                "mark": {"type": "point", "filled": False, "size": 90, "strokeWidth": 2, "color": "var(--second)"},
                "encoding": {"x": {"field": "baseline", **RATE}},
            },
            {
                "mark": {"type": "point", "filled": True, "size": 80, "opacity": 1, "color": "var(--first)"},
                "encoding": {"x": {"field": "now", **RATE}},
            },
        ],
    }


def short(task: str) -> str:
    """A task's id without the word that all have."""
    return task.removeprefix("task_")


def _pass_rates(figures: CampaignFigures) -> Spec:
    rows = [
        {"task": short(task.task), "rate": task.rates.effective, "low": task.wilson.low, "high": task.wilson.high}
        for task in figures.tasks
        if task.wilson
    ]
    return {
        "data": {"values": rows},
        "width": WIDTH,
        "height": {"step": 20},
        "encoding": {"y": _task_axis()},
        "layer": [
            {
                "mark": {"type": "rule", "strokeWidth": 3, "color": "var(--first)", "opacity": 0.45},
                "encoding": {"x": {"field": "low", **RATE}, "x2": {"field": "high"}},
            },
            {
                "mark": {"type": "point", "filled": True, "size": 70, "opacity": 1, "color": "var(--first)"},
                "encoding": {"x": {"field": "rate", **RATE}},
            },
        ],
    }


def _failures(figures: CampaignFigures) -> Spec:
    rows: list[Spec] = []
    for mode in FailureMode:
        rows.append({"what": mode.value, "outcome": mode.value, "trials": figures.outcomes[mode.value], "weight": 1})
        rows += [
            {"what": f"- {cause.value}", "outcome": outcome, "trials": trials, "weight": 0.55}
            for (outcome, cause), trials in figures.causes.items()
            if outcome == mode.value
        ]
    order = [row["what"] for row in rows]
    most = max((row["trials"] for row in rows), default=0)
    encoding = {
        "y": {"field": "what", "type": "nominal", "sort": order, "title": None, "axis": PLAIN},
        "x": {
            "field": "trials",
            "type": "quantitative",
            "scale": {"domain": [0, max(1, most) * 1.12]},
            "axis": {"title": "trials", "values": whole_ticks(most), "format": "d"},
        },
    }
    return {
        "data": {"values": rows},
        "width": WIDTH,
        "height": {"step": 22},
        "encoding": encoding,
        "layer": [
            {
                "mark": {"type": "bar", "cornerRadiusEnd": 3, "height": {"band": 0.72}},
                "encoding": {
                    "color": _by_outcome(legend=False),
                    "opacity": {"field": "weight", "type": "quantitative", "scale": None},
                },
            },
            {
                "mark": {"type": "text", "align": "left", "dx": 4},
                "encoding": {"text": {"field": "trials", "type": "quantitative"}},
            },
        ],
    }


def _histogram(results: Sequence[TrialResult], values: Sequence[float], unit: str, *, whole: bool) -> Spec:
    """Trials by value from 0 on, stacked by outcome."""
    step = bin_width(max(values, default=1.0), whole=whole)
    counts = Counter((math.floor(value / step), result.outcome) for value, result in zip(values, results, strict=True))
    shift = 0.5 if whole and step == 1 else 0.0  # a bar stands over its whole number, not right of it
    rows = [
        {"from": place * step - shift, "to": (place + 1) * step - shift, "outcome": outcome, "trials": n}
        for (place, outcome), n in sorted(counts.items())
    ]
    last = max((place for place, _ in counts), default=0)
    reach = {"scale": {"domain": [-shift, (last + 1) * step - shift], "nice": False}}
    ticks: Spec = {"values": whole_ticks(int(last * step))} if shift else {"tickCount": 5}
    return {
        "data": {"values": rows},
        "width": WIDE,
        "height": 170,
        "mark": {"type": "bar", "stroke": "var(--card)", "strokeWidth": 1},
        "encoding": {
            "x": {
                "field": "from",
                "bin": {"binned": True, "step": step},
                "type": "quantitative",
                "axis": ticks | {"title": unit, "format": ",.2~f", "grid": False, "labelFlush": False},
                **reach,
            },
            "x2": {"field": "to"},
            "y": {
                "field": "trials",
                "type": "quantitative",
                "stack": "zero",
                "axis": PLAIN | {"title": "trials", "values": whole_ticks(_highest(counts)), "format": "d"},
            },
            "color": _by_outcome(legend=True, present={result.outcome for result in results}),
            "order": {"field": "outcome", "sort": "ascending"},
        },
    }


def _highest(counts: Mapping[tuple[int, str], int]) -> int:
    """Trials in the fullest bin, whatever their outcome."""
    bins: Counter[int] = Counter()
    for (place, _), n in counts.items():
        bins[place] += n
    return max(bins.values(), default=0)


def whole_ticks(most: int) -> list[int]:
    """0 to `most` in at most six round steps: an axis of counts has no halves."""
    width = next(
        factor * 10**power for power in range(10) for factor in (1, 2, 5) if most / (factor * 10**power) <= TICKS
    )
    return list(range(0, most + 1, width))


def bin_width(most: float, *, whole: bool) -> float:
    """The smallest of 1, 2, 5, 10 … that cuts 0 to `most` into at most `BINS` bins; below 1 too, unless `whole`."""
    if most <= 0:
        return 1.0
    exponent = math.floor(math.log10(most / BINS)) if most > 0 else 0
    steps = (factor * 10.0**power for power in (exponent, exponent + 1) for factor in (1, 2, 5))
    fitting = next(step for step in steps if most / step < BINS)
    return max(1.0, fitting) if whole else fitting


def _tokens(figures: CampaignFigures) -> Spec:
    rows = [
        {"task": short(task.task), "kind": kind, "tokens": round(tokens / task.rates.recorded)}
        for task in figures.tasks
        if task.rates.recorded
        for kind, tokens in _token_kinds(task)
    ]
    kinds = ["prompt, evaluated", "reply"]
    return {
        "data": {"values": rows},
        "width": WIDTH,
        "height": {"step": 20},
        "mark": {"type": "bar", "height": {"band": 0.72}},
        "encoding": {
            "y": _task_axis(),
            "x": {
                "field": "tokens",
                "type": "quantitative",
                "aggregate": "sum",
                "axis": {"title": "tokens, mean of a recorded trial", "tickCount": 5, "format": "~s"},
            },
            "color": {
                "field": "kind",
                "type": "nominal",
                "scale": {"domain": kinds, "range": ["var(--first)", "var(--second)"]},
            },
        },
    }


def _token_kinds(task: Figures) -> Iterable[tuple[str, int]]:
    effort = task.effort
    return (("prompt, evaluated", effort.prompt_tokens - effort.cached_tokens), ("reply", effort.reply_tokens))


def _task_axis() -> Spec:
    return {"field": "task", "type": "nominal", "sort": None, "title": None, "axis": PLAIN}


def _by_outcome(*, legend: bool, present: set[str] | None = None) -> Spec:
    domain = [outcome for outcome in OUTCOMES if present is None or outcome in present]
    scale = {"domain": domain, "range": [f"var(--{outcome})" for outcome in domain]}
    return {"field": "outcome", "type": "nominal", "scale": scale, **({} if legend else {"legend": None})}


def _in_words(found: Distribution, show: Any, over: str) -> str:
    if not found.n:
        return "There is no trial yet."
    return (
        f"Mean {show(found.mean)}, median {show(found.p50)}, p95 {show(found.p95)}, "
        f"from {show(found.least)} to {show(found.most)}, over {count(found.n, f'{over} trial')}."
    )


def _failures_in_words(figures: CampaignFigures) -> str:
    modes = [f"{mode.value} {figures.outcomes[mode.value]}" for mode in FailureMode]
    planned = figures.overall.rates.planned
    return f"Trials of {planned} planned: {', '.join(modes)}; below each mode its causes."


def _tokens_in_words(figures: CampaignFigures) -> str:
    effort = figures.overall.effort
    share = effort.cached_tokens / effort.prompt_tokens if effort.prompt_tokens else None
    return (
        f"All trials: {thousands(effort.prompt_tokens)} prompt tokens, {percent(share)} of them cached and not drawn; "
        f"{thousands(effort.reply_tokens)} reply tokens, {average(effort.tokens_per_second)} per second of model time."
    )


MISSING = "Charts are not drawn: vl-convert-python is not installed (pip install vl-convert-python)."

LEFT_OUT = (
    "Charts are left out: this campaign took less time than drawing them. `agentcore report CAMPAIGN` draws them."
)

VEGA_LITE = "6.1"

LOOK: Mapping[str, Any] = {
    "background": None,
    "padding": {"left": 14, "right": 8, "top": 2, "bottom": 2},
    "config": {
        "aria": False,  # the page says what a chart shows
        "font": "sans-serif",
        "view": {"stroke": None},
        "axis": {
            "labelColor": "var(--ink)",
            "titleColor": "var(--muted)",
            "titleFontWeight": "normal",
            "gridColor": "var(--line)",
            "domainColor": "var(--line)",
            "tickColor": "var(--line)",
            "labelFontSize": 11,
            "titleFontSize": 11,
            "labelLimit": 150,
        },
        "legend": {
            "labelColor": "var(--ink)",
            "labelFontSize": 11,
            "labelLimit": 200,
            "columnPadding": 20,
            "orient": "top",
            "title": None,
            "symbolType": "square",
        },
        "text": {"color": "var(--ink)", "fontSize": 11},
    },
}


def can_draw() -> bool:
    """Whether the library is installed; asks without loading it."""
    return importlib.util.find_spec("vl_convert") is not None


@contextmanager
def drawing(specs: Sequence[Mapping[str, Any]]) -> Iterator[Callable[[Mapping[str, Any]], str]]:
    """Begins to draw, and gives what waits for the drawing of one of `specs`.

    The library works without Python's lock, so a large page is put together meanwhile.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="agentcore-drawing") as pool:
        drawings = {id(spec): pool.submit(draw, spec) for spec in specs}
        yield lambda spec: drawings[id(spec)].result()


def draw(spec: Mapping[str, Any]) -> str:
    """An `<svg>` element; every text of the specification is escaped in it."""
    import vl_convert  # noqa: PLC0415 - half a second of CPU for the first drawing

    svg: str = vl_convert.vegalite_to_svg(json.dumps({**LOOK, **spec}), vl_version=VEGA_LITE)
    return svg
