"""What casts doubt on a campaign's numbers, and what it does not say at all."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_agentcore.campaign.figures import CampaignFigures, Figures
from pytest_agentcore.campaign.manifest import Manifest
from pytest_agentcore.campaign.reading import Campaign
from pytest_agentcore.reports.leaderboard import Ranking
from pytest_agentcore.reports.numbers import count, fraction, interval
from pytest_agentcore.reports.report import Detected, Statement
from pytest_agentcore.reports.sources import DETECTORS, INTERVALS, MANIFEST, PASS_RATES, TRIALS
from pytest_agentcore.stats import made_no_call
from pytest_agentcore.verdict.modes import StopReason

NO_MODEL = ("oracle", "null")
"""Agents whose silence is no suspicion and whose runs are alike by design."""


def warnings(campaign: Campaign, figures: CampaignFigures) -> Iterator[Statement]:
    """The manifest's own, then those that the results give."""
    yield from _from_manifest(campaign)
    results, is_model = campaign.results, campaign.manifest.model not in NO_MODEL
    timed_out = sum(result.stop_reason is StopReason.time_limit for result in results)
    if timed_out:
        text = f"{count(timed_out, 'trial')} ended by the wall clock: a faster machine could give another result"
        yield Statement(text=text, file=TRIALS)
    if made_no_call(results) and is_model:
        text = "no trial made a tool call that could be run: suspect chat template, dialect or policy before the model"
        yield Statement(text=text, file=TRIALS)
    scored, distinct = figures.overall.rates.scored, figures.overall.distinct.n
    if distinct < scored and is_model:
        text = f"{scored} scored trials are {distinct} distinct ones: the others repeat an earlier run word for word"
        yield Statement(text=text, file=PASS_RATES)


def unobserved(
    campaign: Campaign, figures: CampaignFigures, detected: tuple[Detected, ...], ranking: Ranking | None
) -> Iterator[Statement]:
    """Trials without a score, rates of single tasks, conditions that were not tried, patterns that could not show."""
    for task in figures.tasks:
        if task.rates.planned and not task.rates.scored:
            text = f"{task.task}: {fraction(0, task.rates.planned)} trials were scored, so nothing is known about it."
            yield Statement(text=text, file=PASS_RATES)
    rates = figures.overall.rates
    if rates.planned > rates.scored:
        text = f"{fraction(rates.planned - rates.scored, rates.planned)} planned trials have no score; each could pass."
        yield Statement(text=text, file=TRIALS)
    yield from _single_tasks(figures)
    yield from _conditions(campaign)
    if ranking and len(ranking.standings) == 1:
        text = "How others do: no other campaign of its folder planned the same tasks under the same policy and limits."
        yield Statement(text=text, file=f"{MANIFEST}#suite")
    missing = rates.recorded - max((found.examined for found in detected), default=0)
    if missing:
        text = f"How {count(missing, 'trial')} went: the transcripts are missing, so their addresses lead nowhere."
        yield Statement(text=text, file=TRIALS)
    for found in detected:
        if found.examined and not found.applicable:
            text = f"{found.name}: no trial had {found.needs}, so that it never fired says nothing."
            yield Statement(text=text, file=DETECTORS)


def _from_manifest(campaign: Campaign) -> Iterator[Statement]:
    manifest = campaign.manifest
    yield from (Statement(text=text, file=f"{MANIFEST}#warnings") for text in manifest.warnings)
    if manifest.finished is None:
        text = "the campaign has no end: it is still running, or its process was killed"
        yield Statement(text=text, file=f"{MANIFEST}#finished")
    if manifest.rechecked:
        yield Statement(text=_rechecked(manifest), file=f"{MANIFEST}#rechecked")
    if manifest.selection:
        text = "its trials were picked by how they had ended: these rates are of no use and are compared with nothing"
        yield Statement(text=text, file=f"{MANIFEST}#selection")
    if manifest.preflight and not manifest.preflight["passed"]:
        text = f"the preflight failed and the campaign was run anyway: {manifest.preflight['verdict']}"
        yield Statement(text=text, file=f"{MANIFEST}#preflight")
    if manifest.parallel > 1:
        text = f"up to {manifest.parallel} trials ran at the same time: seconds tell of the load too"
        yield Statement(text=text, file=f"{MANIFEST}#parallel")


def _rechecked(manifest: Manifest) -> str:
    changed = count(sum(one.up + one.down + one.otherwise for one in manifest.rechecked), "verdict")
    if manifest.judged_by == manifest.suite.digest:
        return f"verdicts were given anew after the trials: {changed} changed"
    return (
        f"verdicts were given anew by the checkers of another suite than the trials were run with (digest "
        f"{manifest.judged_by[:12]} instead of {manifest.suite.digest[:12]}): {changed} changed"
    )


def _single_tasks(figures: CampaignFigures) -> Iterator[Statement]:
    """The task whose rate is known worst."""
    known = [task for task in figures.tasks if task.wilson]
    widest = max(known, key=_width, default=None)
    if widest:
        text = (
            f"What one task's rate is: {count(len(known), 'task')} had at most "
            f"{count(max(task.distinct.n for task in known), 'distinct run')} each. {widest.task} is known worst, "
            f"{fraction(widest.rates.passed, widest.rates.scored)} means {interval(widest.wilson)}."
        )
        yield Statement(text=text, file=INTERVALS)


def _width(task: Figures) -> float:
    return task.wilson.high - task.wilson.low if task.wilson else 0.0


def _conditions(campaign: Campaign) -> Iterator[Statement]:
    manifest = campaign.manifest
    text = f"How it goes under another policy than {manifest.policy}, with other sampling values or another seed."
    yield Statement(text=text, file=f"{MANIFEST}#policy")
    if not manifest.context_load:
        text = "How it goes behind a long earlier conversation: no context load was asked for."
        yield Statement(text=text, file=f"{MANIFEST}#context_load")
    if manifest.preflight is None:
        yield Statement(text="Whether plumbing is at fault: no preflight was made.", file=f"{MANIFEST}#preflight")
