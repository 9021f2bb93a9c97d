"""Scores predictions against what happened, item by item, and writes the form in which they are made."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from pytest_agentcore.errors import UsageError
from pytest_agentcore.format import count, dollars, interval, percent
from pytest_agentcore.pack.figures import CampaignFigures
from pytest_agentcore.pack.predictions import PREDICTIONS, PREDICTIONS_SCHEMA, Expected, Predictions, parse_predictions
from pytest_agentcore.pack.read import Campaign
from pytest_agentcore.trial.modes import FailureMode

WHOLE_SUITE = "."
"""The scope of a campaign that was asked for nothing less than the suite's folder."""

NONE_FILED = (
    "No predictions were filed before the first trial, so what was expected cannot be scored against what happened."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredItem:
    """One thing that was predicted."""

    item: str
    """The key of the front matter, e.g. `tasks.task_05_minimal_fix`."""
    predicted: str
    observed: str
    hit: bool | None
    """None: the campaign cannot tell."""
    why: str
    """The rule, or why there is no score."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionScore:
    """The outcome of one campaign's predictions."""

    filed: bool
    sentences: tuple[str, ...]
    """Whether they were filed, when that can be shown, and what may be wrong with them."""
    items: tuple[ScoredItem, ...] = ()

    @property
    def hits(self) -> int:
        """Items that came true."""
        return sum(item.hit is True for item in self.items)

    @property
    def scored(self) -> int:
        """Items that the campaign could tell about."""
        return sum(item.hit is not None for item in self.items)


def score_predictions(campaign: Campaign) -> PredictionScore:
    """Score what the manifest says was filed, from the copy in the pack."""
    filed = campaign.manifest.predictions
    if not filed:
        return PredictionScore(filed=False, sentences=(NONE_FILED,))
    file = campaign.folder.path / PREDICTIONS
    when = _when(campaign)
    if not file.is_file() or hashlib.sha256(file.read_bytes()).hexdigest() != filed["digest"]:
        lost = f"The pack's {PREDICTIONS} is missing or not the file that was filed, so nothing is scored."
        return PredictionScore(filed=True, sentences=(when, lost))
    try:
        predictions = parse_predictions(file.read_text(encoding="utf-8"))
    except UsageError as error:
        return PredictionScore(filed=True, sentences=(when, f"They cannot be read: {error}."))
    items = tuple(_items(predictions, campaign))
    empty = () if items else ("They are empty: no item was filled in, so there is nothing to score.",)
    return PredictionScore(filed=True, sentences=(when, *empty), items=items)


def _when(campaign: Campaign) -> str:
    filed = campaign.manifest.predictions or {}
    if filed["committed"]:
        return (
            f"{filed['file']} was committed before the first trial: commit {filed['commit'][:12]} of "
            f"{filed['committed_at']}, sha256 {filed['digest'][:12]}."
        )
    known = "cannot be shown to have been" if filed["committed"] is None else "was not"
    return f"{filed['file']} (sha256 {filed['digest'][:12]}) {known} committed before the first trial: {filed['note']}."


def _items(predictions: Predictions, campaign: Campaign) -> Iterator[ScoredItem]:
    """Score in the order of the form; what was predicted of all trials together is scored only of all of them."""
    figures, partly = campaign.figures, _why_not_together(predictions, campaign)
    for items, together in ((_score, True), (_tasks, False), (_modes, True), (_cost, True)):
        for item in items(predictions, figures):
            yield replace(item, observed="", hit=None, why=partly) if together and partly else item


def _why_not_together(predictions: Predictions, campaign: Campaign) -> str:
    """Say why nothing can be said about what was predicted of all trials together; empty where it can."""
    manifest = campaign.manifest
    predicted = f"predicted for the whole suite with {count(predictions.runs, 'run')}"
    if not manifest.scope:
        return f"{predicted}; whether the campaign is that is not known"
    if manifest.runs != predictions.runs or set(manifest.scope) != {WHOLE_SUITE}:
        return f"{predicted}; the campaign is not that"
    missing = sum(campaign.figures.outcomes[outcome] for outcome in ("not_run", "interrupted"))
    return f"{predicted}; {missing} of {count(len(manifest.planned), 'trial')} did not end" if missing else ""


def _score(predictions: Predictions, figures: CampaignFigures) -> Iterator[ScoredItem]:
    rate, likely = figures.overall.rates.effective, figures.same_tasks
    if predictions.point is not None:
        hit = None if likely is None else likely.low <= predictions.point <= likely.high
        yield ScoredItem(
            item="score.point",
            predicted=percent(predictions.point),
            observed=f"{percent(rate)}, 95% interval {interval(likely)}",
            hit=hit,
            why="lies in the interval for the same tasks again" if likely else "no trial was scored",
        )
    if predictions.range is not None:
        yield ScoredItem(
            item="score.range",
            predicted=f"{percent(predictions.range.low)} to {percent(predictions.range.high)}",
            observed=percent(rate),
            hit=None if rate is None else rate in predictions.range,
            why="holds the effective rate" if rate is not None else "no trial was scored",
        )


def _tasks(predictions: Predictions, figures: CampaignFigures) -> Iterator[ScoredItem]:
    known = {task.task: task.rates for task in figures.tasks}
    for task, expected in predictions.tasks.items():
        rates = known.get(task)
        item = ScoredItem(item=f"tasks.{task}", predicted=_numbers(expected), observed="", hit=None, why="")
        if rates and predictions.runs == rates.planned == rates.scored:
            hit, why = rates.passed in expected, f"passes of {rates.scored}"
            yield replace(item, observed=str(rates.passed), hit=hit, why=why)
        else:
            planned, scored = (rates.planned, rates.scored) if rates else (0, 0)
            why = f"predicted for {predictions.runs} runs; {planned} were planned and {scored} scored"
            yield replace(item, why=why)


def _modes(predictions: Predictions, figures: CampaignFigures) -> Iterator[ScoredItem]:
    for mode, expected in predictions.failure_modes.items():
        seen = figures.outcomes[mode]
        yield ScoredItem(
            item=f"failure_modes.{mode}",
            predicted=_numbers(expected),
            observed=str(seen),
            hit=seen in expected,
            why=f"trials of {figures.overall.rates.planned}",
        )


def _cost(predictions: Predictions, figures: CampaignFigures) -> Iterator[ScoredItem]:
    if (expected := predictions.cost) is None:
        return
    total = figures.overall.effort.cost.total
    same = expected.low == expected.high
    yield ScoredItem(
        item="cost.total",
        predicted=dollars(expected.low) if same else f"{dollars(expected.low)} to {dollars(expected.high)}",
        observed=dollars(total),
        hit=None if total is None else round(total, 2) in Expected(round(expected.low, 2), round(expected.high, 2)),
        why="prices are not known" if total is None else "compared in whole cents",
    )


def _numbers(expected: Expected) -> str:
    if expected.low == expected.high:
        return f"{expected.low:g}"
    return f"{expected.low:g} to {expected.high:g}"


FORM = """\
+++
# Written before the first trial. Take the # away from what you predict and put in what you expect.
schema = {schema}
model = {model}
suite = {suite}
runs = {runs}
# policy = "native"  # native, lenient or constrained; without it any

[score]  # effective pass rate over all tasks, 0 to 1
# point = 0.5
# range = [0.0, 1.0]

[tasks]  # passes out of {runs}: a number, or [from, to]
{tasks}

[failure_modes]  # trials out of {trials}: a number, or [from, to]
{modes}

[cost]  # USD of the whole campaign: a number, or [from, to]
# total = 0.00
+++

# What I expect of {name}, and why

"""


def forecast(*, model: str, suite: str, tasks: Sequence[str], runs: int) -> str:
    """Write a predictions.md in which nothing is predicted until somebody takes a `#` away.

    Args:
        model: its slug.
        suite: its name.
        tasks: their ids.
        runs: of each task.
    """
    trials = runs * len(tasks)
    return FORM.format(
        schema=PREDICTIONS_SCHEMA,
        model=json.dumps(model),
        suite=json.dumps(suite),
        runs=runs,
        tasks="\n".join(f"# {task} = [0, {runs}]" for task in tasks),
        trials=trials,
        modes="\n".join(f"# {mode} = [0, {trials}]" for mode in FailureMode),
        name=model,
    )
