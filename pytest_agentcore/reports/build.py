"""From a campaign to its report value. Every transcript is read once, one at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pytest_agentcore.analysis.compare import compare
from pytest_agentcore.analysis.predicted import score_predictions
from pytest_agentcore.analysis.rank import Ranking, ranking_of
from pytest_agentcore.format import count, duration, fraction, interval, joined
from pytest_agentcore.pack.figures import CampaignFigures, Figures
from pytest_agentcore.pack.manifest import Manifest
from pytest_agentcore.pack.read import Campaign
from pytest_agentcore.pack.transcript import address_of, read_outline
from pytest_agentcore.reports.report import (
    DETECTOR_HITS,
    INTERVALS,
    MANIFEST,
    PASS_RATES,
    TRIALS,
    Detected,
    DetectorHit,
    Fact,
    Failure,
    Report,
    Statement,
)
from pytest_agentcore.stats import made_no_call
from pytest_agentcore.trial.detectors import DETECTORS, Finding, examine
from pytest_agentcore.trial.fold import Event
from pytest_agentcore.trial.modes import StopReason
from pytest_agentcore.trial.result import TrialResult

EXCERPT = 400
"""Characters that are kept of what a failed trial wrote last."""


@dataclass(frozen=True, slots=True)
class Course:
    """What a report keeps of one transcript."""

    attempt: str
    findings: Mapping[str, Finding] = field(default_factory=dict)
    """By detector; empty where there is no transcript."""
    excerpt: str = ""


def read_courses(campaign: Campaign) -> Iterator[Course]:
    """Of every recorded trial, one transcript in memory at a time.

    Raises:
        UsageError: a transcript is damaged; names file and line.
    """
    for result in campaign.results:
        events = read_outline(campaign.folder.transcript(result.attempt))
        if events:
            yield Course(result.attempt, examine(events), "" if result.passed else _excerpt(events))


def failure(result: TrialResult, course: Course) -> Failure:
    """One trial that did not pass, cited where it ended."""
    return Failure(result=result, turn=result.turns, address=address_of(result, result.turns), excerpt=course.excerpt)


def detected(results: Sequence[TrialResult], courses: Mapping[str, Course]) -> Iterator[Detected]:
    """What each detector found."""
    for detector in DETECTORS:
        found = [
            (result, courses[result.attempt].findings[detector.name]) for result in results if result.attempt in courses
        ]
        yield Detected(
            name=detector.name,
            meaning=detector.meaning,
            needs=detector.needs,
            hits=tuple(
                DetectorHit(result=result, hit=hit, address=address_of(result, hit.turn))
                for result, finding in found
                for hit in finding.hits
            ),
            trials=sum(bool(finding.hits) for _, finding in found),
            examined=len(found),
            applicable=sum(finding.applicable for _, finding in found),
        )


def _excerpt(events: Sequence[Event]) -> str:
    """What the model wrote last: its words, else its raw text."""
    last = next((event for event in reversed(events) if event["event"] == "reply"), None)
    if last is None:
        return ""
    return str(last["content"] if last["content"].strip() else last["text"]).strip()[:EXCERPT]


DIGEST_SHOWN = 12


def facts(campaign: Campaign) -> Iterator[Fact]:
    """Suite, model, policy, sampling, plan, sandbox, machine, times."""
    manifest = campaign.manifest
    suite, backend, machine = manifest.suite, manifest.backend, manifest.machine
    yield _fact("campaign", manifest.campaign, "campaign")
    yield _fact("suite", joined([suite.title, f"digest {suite.digest[:DIGEST_SHOWN]}"]), "suite")
    yield _fact("model", joined([manifest.model, *_named(backend, "file", "quant", "architecture")]), "backend")
    yield _fact("context", _context(backend), "backend")
    yield _fact("device", str(backend.get("device") or "none"), "backend")
    dialect = backend.get("dialect")
    yield _fact("policy", joined([manifest.policy, f"dialect {dialect}" if dialect else ""]), "policy")
    if manifest.context_load:
        yield _fact("context load", f"{manifest.context_load} tokens of earlier conversation", "context_load")
    if manifest.group:
        yield _fact("group", f"{manifest.group}: compared with its other campaigns in ../{manifest.group}/", "group")
    if manifest.preflight:
        yield _fact("preflight", str(manifest.preflight["verdict"]), "preflight")
    yield _fact("sampling", joined(f"{key} {value:g}" for key, value in manifest.sampling.items()), "sampling")
    runs, tasks = count(manifest.runs, "run"), count(len(manifest.tasks), "task")
    plan = [f"{tasks}, {runs}: {count(len(manifest.planned), 'trial')}", manifest.order, f"seed {manifest.seed}"]
    yield _fact("plan", joined(plan), "planned")
    yield _fact("budget", _budget(manifest.budget), "budget")
    yield _fact("sandbox", joined(_named(manifest.sandbox, "name", "version")), "sandbox")
    yield _fact("machine", joined(_machine(machine)), "machine")
    yield from _circumstances(manifest)
    yield _fact("harness", f"pytest-agentcore {manifest.harness}", "harness")
    yield _fact("started", manifest.started, "started")
    yield _fact("finished", manifest.finished or "not yet, or it was killed", "finished")


def _circumstances(manifest: Manifest) -> Iterator[Fact]:
    """What most campaigns have nothing to say about."""
    if manifest.parallel > 1:
        yield _fact("parallel", f"{manifest.parallel} trials at a time", "parallel")
    if manifest.resumed:
        yield _fact("resumed", count(len(manifest.resumed), "time"), "resumed")
    if manifest.rechecked:
        yield _fact("rechecked", _rechecked(manifest), "rechecked")
    if manifest.merged:
        yield _fact("merged", f"of {count(len(manifest.merged), 'campaign')}", "merged")


def _rechecked(manifest: Manifest) -> str:
    last = manifest.rechecked[-1]
    suite = (
        "the same suite" if last.suite == manifest.suite.digest else f"a suite of digest {last.suite[:DIGEST_SHOWN]}"
    )
    times = count(len(manifest.rechecked), "time")
    return f"{times}, last by {suite}: {last.up} up, {last.down} down, {last.otherwise} judged otherwise"


def _fact(label: str, text: str, key: str) -> Fact:
    return Fact(label=label, text=text, file=f"{MANIFEST}#{key}")


def _named(described: Mapping[str, Any], *keys: str) -> list[str]:
    return [str(described[key]) for key in keys if described.get(key)]


def _context(backend: Mapping[str, Any]) -> str:
    return f"{backend['context']} tokens" if backend.get("context") else "not known"


def _budget(budget: Mapping[str, float]) -> str:
    return joined(
        [
            count(round(budget["turns"]), "turn"),
            f"{round(budget['reply_tokens'])} tokens a reply",
            f"{duration(budget['seconds'])} a trial",
        ]
    )


def _machine(machine: Mapping[str, Any]) -> list[str]:
    memory = machine.get("memory_bytes")
    return [
        *_named(machine, "system", "release", "architecture", "processor"),
        count(int(machine.get("processors") or 0), "processor"),
        *([f"{memory / 2**30:.0f} GiB"] if memory else []),
        f"Python {machine.get('python')}",
    ]


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
            yield Statement(text=text, file=DETECTOR_HITS)


def _from_manifest(campaign: Campaign) -> Iterator[Statement]:
    manifest = campaign.manifest
    yield from (Statement(text=text, file=f"{MANIFEST}#warnings") for text in manifest.warnings)
    if manifest.finished is None:
        text = "the campaign has no end: it is still running, or its process was killed"
        yield Statement(text=text, file=f"{MANIFEST}#finished")
    if manifest.rechecked:
        yield Statement(text=_rechecked_in_words(manifest), file=f"{MANIFEST}#rechecked")
    if manifest.selection:
        text = "its trials were picked by how they had ended: these rates are of no use and are compared with nothing"
        yield Statement(text=text, file=f"{MANIFEST}#selection")
    if manifest.preflight and not manifest.preflight["passed"]:
        text = f"the preflight failed and the campaign was run anyway: {manifest.preflight['verdict']}"
        yield Statement(text=text, file=f"{MANIFEST}#preflight")
    if manifest.parallel > 1:
        text = f"up to {manifest.parallel} trials ran at the same time: seconds tell of the load too"
        yield Statement(text=text, file=f"{MANIFEST}#parallel")


def _rechecked_in_words(manifest: Manifest) -> str:
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


def build_report(campaign: Campaign, baseline: Campaign | None = None) -> Report:
    """Everything that is shown of a campaign.

    Args:
        campaign: complete or not.
        baseline: what it is compared with, if anything.

    Raises:
        UsageError: a transcript is damaged, or the baseline cannot be compared; says which.
    """
    manifest, results = campaign.manifest, campaign.results
    courses = {course.attempt: course for course in read_courses(campaign)}
    recorded = {result.key for result in results}
    figures, found = campaign.figures, tuple(detected(results, courses))
    ranking = ranking_of(campaign)
    return Report(
        campaign=campaign,
        baseline=baseline,
        comparison=compare(baseline, campaign) if baseline else None,
        facts=tuple(facts(campaign)),
        figures=figures,
        failures=tuple(failure(r, courses.get(r.attempt, Course(r.attempt))) for r in results if not r.passed),
        not_run=tuple(key for key in manifest.keys if key not in recorded),
        detected=found,
        ranking=ranking,
        predictions=score_predictions(campaign, figures),
        warnings=tuple(warnings(campaign, figures)),
        unobserved=tuple(unobserved(campaign, figures, found, ranking)),
    )
