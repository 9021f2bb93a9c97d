"""Scores predictions against what happened, item by item, and writes the form in which they are made."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import NamedTuple

from pytest_agentcore.errors import UsageError
from pytest_agentcore.format import count, dollars, interval, percent
from pytest_agentcore.pack.figures import CampaignFigures
from pytest_agentcore.pack.predictions import PREDICTIONS, PREDICTIONS_SCHEMA, Expected, Predictions, parse_predictions
from pytest_agentcore.pack.read import Campaign
from pytest_agentcore.stats.counting import Rates
from pytest_agentcore.trial.modes import FailureMode

WHOLE_SUITE = "."
"""The scope of a campaign that was asked for nothing less than the suite's folder."""


class ScoredItem(NamedTuple):
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
        none = "No predictions were filed before the first trial"
        return PredictionScore(sentences=(f"{none}, so what was expected cannot be scored against what happened.",))
    file = campaign.folder.path / PREDICTIONS
    if filed["committed"]:
        when = (
            f"{filed['file']} was committed before the first trial: commit {filed['commit'][:12]} of "
            f"{filed['committed_at']}, sha256 {filed['digest'][:12]}."
        )
    else:
        known = "cannot be shown to have been" if filed["committed"] is None else "was not"
        digest, note = filed["digest"][:12], filed["note"]
        when = f"{filed['file']} (sha256 {digest}) {known} committed before the first trial: {note}."
    # what was changed after it was filed is no prediction any more
    if not file.is_file() or hashlib.sha256(file.read_bytes()).hexdigest() != filed["digest"]:
        lost = f"The pack's {PREDICTIONS} is missing or not the file that was filed, so nothing is scored."
        return PredictionScore(sentences=(when, lost))
    try:
        predictions = parse_predictions(file.read_text(encoding="utf-8"))
    except UsageError as error:
        return PredictionScore(sentences=(when, f"They cannot be read: {error}."))
    manifest, figures, partly = campaign.manifest, campaign.figures, ""
    predicted = f"predicted for the whole suite with {count(predictions.runs, 'run')}"
    missing = sum(figures.outcomes[outcome] for outcome in ("not_run", "interrupted"))
    if not manifest.scope:
        partly = f"{predicted}; the manifest does not say whether that was run"
    elif manifest.runs != predictions.runs or set(manifest.scope) != {WHOLE_SUITE}:
        partly = f"{predicted}; the campaign ran something else"
    elif missing:
        partly = f"{predicted}; {missing} of {count(len(manifest.planned), 'trial')} did not end"
    items: list[ScoredItem] = []
    # in the order of the form; what was predicted of all trials together is scored only of all of them
    for score, together in ((_score, True), (_single_tasks, False), (_modes_and_cost, True)):
        found = score(predictions, figures)
        items += (one._replace(observed="", hit=None, why=partly) if together and partly else one for one in found)
    empty = () if items else ("They are empty: no item was filled in, so there is nothing to score.",)
    return PredictionScore(sentences=(when, *empty), items=tuple(items))


def _score(predictions: Predictions, figures: CampaignFigures) -> Iterator[ScoredItem]:
    rate, likely, none = figures.overall.rates.effective, figures.same_tasks, "no trial was scored"
    if (point := predictions.point) is not None:
        hit = likely.low <= point <= likely.high if likely else None
        why = "lies in the interval for the same tasks again" if likely else none
        yield ScoredItem("score.point", percent(point), f"{percent(rate)}, 95% interval {interval(likely)}", hit, why)
    if (span := predictions.range) is not None:
        hit, why = (None, none) if rate is None else (rate in span, "holds the effective rate")
        yield ScoredItem("score.range", f"{percent(span.low)} to {percent(span.high)}", percent(rate), hit, why)


def _single_tasks(predictions: Predictions, figures: CampaignFigures) -> Iterator[ScoredItem]:
    known = {task.task: task.rates for task in figures.tasks}
    for task, expected in predictions.tasks.items():
        rates, observed, hit = known.get(task, Rates.sum([])), "", None
        why = f"predicted for {predictions.runs} runs; {rates.planned} were planned and {rates.scored} scored"
        if predictions.runs == rates.planned == rates.scored:
            observed, hit, why = str(rates.passed), rates.passed in expected, f"passes of {rates.scored}"
        yield ScoredItem(f"tasks.{task}", _numbers(expected), observed, hit, why)


def _modes_and_cost(predictions: Predictions, figures: CampaignFigures) -> Iterator[ScoredItem]:
    for mode, expected in predictions.failure_modes.items():
        seen, why = figures.outcomes[mode], f"trials of {figures.overall.rates.planned}"
        yield ScoredItem(f"failure_modes.{mode}", _numbers(expected), str(seen), seen in expected, why)
    if cost := predictions.cost:
        low, high, total = cost.low, cost.high, figures.overall.effort.cost
        predicted = dollars(low) if low == high else f"{dollars(low)} to {dollars(high)}"
        hit, why = None, "prices are not known"
        if total is not None:
            hit, why = round(low, 2) <= round(total, 2) <= round(high, 2), "compared in whole cents"
        yield ScoredItem("cost.total", predicted, dollars(total), hit, why)


def _numbers(expected: Expected) -> str:
    low, high = f"{expected.low:g}", f"{expected.high:g}"
    return low if low == high else f"{low} to {high}"


def forecast(*, model: str, suite: str, tasks: Sequence[str], runs: int) -> str:
    """Write a predictions.md in which nothing is predicted until somebody takes a `#` away.

    Args:
        model: its slug.
        suite: its name.
        tasks: their ids.
        runs: of each task.
    """
    trials = runs * len(tasks)
    form = files(__package__).joinpath("predictions_form.md").read_text(encoding="utf-8")
    return form.format(
        schema=PREDICTIONS_SCHEMA,
        model=json.dumps(model),
        suite=json.dumps(suite),
        runs=runs,
        tasks="\n".join(f"# {task} = [0, {runs}]" for task in tasks),
        trials=trials,
        modes="\n".join(f"# {mode} = [0, {trials}]" for mode in FailureMode),
        name=model,
    )
