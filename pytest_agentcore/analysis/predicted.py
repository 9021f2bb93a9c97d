"""Predictions against what happened: a hit or a miss per item, and a plain word where none were filed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

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
    """What became of the predictions of one campaign."""

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


def score_predictions(campaign: Campaign, figures: CampaignFigures) -> PredictionScore:
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
    items = tuple(_items(predictions, campaign, figures))
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


def _items(predictions: Predictions, campaign: Campaign, figures: CampaignFigures) -> Iterator[ScoredItem]:
    """In the order of the form; what was predicted of all trials together is scored only of all of them."""
    together = partial(_scored_if, not_scored=_why_not_together(predictions, campaign, figures))
    yield from together(_score(predictions, figures))
    yield from _tasks(predictions, figures)
    yield from together(_modes(predictions, figures))
    yield from together(_cost(predictions, figures))


def _scored_if(items: Iterable[ScoredItem], *, not_scored: str) -> Iterator[ScoredItem]:
    for item in items:
        yield _undecided(item.item, item.predicted, not_scored) if not_scored else item


def _why_not_together(predictions: Predictions, campaign: Campaign, figures: CampaignFigures) -> str:
    """Why nothing can be said about what was predicted of all trials together; empty where it can."""
    manifest = campaign.manifest
    predicted = f"predicted for the whole suite with {count(predictions.runs, 'run')}"
    if not manifest.scope:
        return f"{predicted}; whether the campaign is that is not known"
    if manifest.runs != predictions.runs or set(manifest.scope) != {WHOLE_SUITE}:
        return f"{predicted}; the campaign is not that"
    missing = sum(figures.outcomes[outcome] for outcome in ("not_run", "interrupted"))
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
        if rates is None or rates.planned != predictions.runs or rates.scored != rates.planned:
            planned, scored = (rates.planned, rates.scored) if rates else (0, 0)
            why = f"predicted for {predictions.runs} runs; {planned} were planned and {scored} scored"
            yield _undecided(f"tasks.{task}", _numbers(expected), why)
        else:
            yield ScoredItem(
                item=f"tasks.{task}",
                predicted=_numbers(expected),
                observed=str(rates.passed),
                hit=rates.passed in expected,
                why=f"passes of {rates.scored}",
            )


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


def _undecided(item: str, predicted: str, why: str) -> ScoredItem:
    return ScoredItem(item=item, predicted=predicted, observed="", hit=None, why=why)


def _numbers(expected: Expected) -> str:
    if expected.low == expected.high:
        return f"{expected.low:g}"
    return f"{expected.low:g} to {expected.high:g}"


def forecast_lines(*, model: str, suite: str, tasks: Sequence[str], runs: int) -> Iterator[str]:
    """predictions.md line by line. Nothing is predicted until somebody takes a `#` away.

    Args:
        model: its slug.
        suite: its name.
        tasks: their ids.
        runs: of each task.
    """
    yield "+++"
    yield "# Written before the first trial. Take the # away from what you predict and put in what you expect."
    yield f"schema = {PREDICTIONS_SCHEMA}"
    yield f"model = {json.dumps(model)}"
    yield f"suite = {json.dumps(suite)}"
    yield f"runs = {runs}"
    yield '# policy = "native"  # native, lenient or constrained; without it any'
    yield ""
    yield "[score]  # effective pass rate over all tasks, 0 to 1"
    yield "# point = 0.5"
    yield "# range = [0.0, 1.0]"
    yield ""
    yield f"[tasks]  # passes out of {runs}: a number, or [from, to]"
    yield from (f"# {task} = [0, {runs}]" for task in tasks)
    yield ""
    yield f"[failure_modes]  # trials out of {runs * len(tasks)}: a number, or [from, to]"
    yield from (f"# {mode} = [0, {runs * len(tasks)}]" for mode in FailureMode)
    yield ""
    yield "[cost]  # USD of the whole campaign: a number, or [from, to]"
    yield "# total = 0.00"
    yield "+++"
    yield ""
    yield f"# What I expect of {model}, and why"
    yield ""
