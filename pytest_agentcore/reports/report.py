"""The one value that report.md, report.html and `agentcore show` render. Text in it is raw; renderers escape it.

It is made by `build_report`, which reads every transcript once, one at a time, and keeps short excerpts of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pytest_agentcore.analysis.compare import Comparison, compare
from pytest_agentcore.analysis.predicted import PredictionScore, score_predictions
from pytest_agentcore.analysis.rank import Ranking, ranking_of
from pytest_agentcore.format import count, fraction, interval
from pytest_agentcore.pack.read import Campaign
from pytest_agentcore.pack.transcript import read_outline
from pytest_agentcore.reports.facts import MANIFEST, TRIALS, Statement, facts, warnings
from pytest_agentcore.trial.detectors import DETECTORS, Detector, Finding, Hit, examine
from pytest_agentcore.trial.result import TrialResult

EXCERPT = 400
"""Characters that are kept of what a failed trial wrote last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Detected:
    """The findings of one detector in the whole campaign; every hit is a row of `verification/detectors.csv`."""

    detector: Detector
    hits: tuple[tuple[TrialResult, Hit], ...]
    """Places where it fired, in passed trials too."""
    trials: int
    """Trials with at least one hit."""
    examined: int
    """Trials whose transcript was read."""
    applicable: int
    """Those of them that had what the detector looks at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One campaign, ready to be shown."""

    campaign: Campaign
    comparison: Comparison | None
    """With the baseline, which is its `first`, if there is one."""
    facts: tuple[Statement, ...]
    """What was run."""
    excerpts: Mapping[str, str]
    """By attempt, what the model of a trial that did not pass wrote last; absent where it wrote nothing."""
    detected: tuple[Detected, ...]
    """Every detector, also those that never fired."""
    ranking: Ranking | None
    """Among the campaigns of its results folder; None for a selection and for an agent without a model."""
    predictions: PredictionScore
    """Says so when none were filed."""
    warnings: tuple[Statement, ...]
    """What casts doubt on the numbers."""
    unobserved: tuple[Statement, ...]
    """What this campaign does not say."""

    @property
    def failures(self) -> list[TrialResult]:
        """Recorded trials that did not pass, by task and run."""
        return [result for result in self.campaign.results if not result.passed]


def build_report(campaign: Campaign, baseline: Campaign | None = None, held: Iterable[Campaign] = ()) -> Report:
    """Gather everything that is shown of a campaign.

    Args:
        campaign: complete or not.
        baseline: what it is compared with, if anything.
        held: campaigns that need not be read to rank it among them.

    Raises:
        UsageError: a transcript is damaged, or the baseline cannot be compared; says which.
    """
    examined: list[tuple[TrialResult, Mapping[str, Finding]]] = []
    excerpts: dict[str, str] = {}
    for result in campaign.results:
        # without the texts of tool results, which are most of a transcript and which no detector looks at
        events = read_outline(campaign.folder.transcript(result.attempt))
        if events:
            examined.append((result, examine(events)))
        last = next((event for event in reversed(events) if event["event"] == "reply"), None)
        if last and not result.passed:
            # the model's last words; where it had none, its last raw text
            words = str(last["content"] if last["content"].strip() else last["text"]).strip()[:EXCERPT]
            excerpts |= {result.attempt: words} if words else {}
    detected = []
    for detector in DETECTORS:
        found = [(result, findings[detector.name]) for result, findings in examined]
        detected.append(
            Detected(
                detector=detector,
                hits=tuple((result, hit) for result, finding in found for hit in finding.hits),
                trials=sum(bool(finding.hits) for _, finding in found),
                examined=len(found),
                applicable=sum(finding.applicable for _, finding in found),
            )
        )
    ranking = ranking_of(campaign, held)
    return Report(
        campaign=campaign,
        comparison=compare(baseline, campaign) if baseline else None,
        facts=tuple(facts(campaign.manifest)),
        excerpts=excerpts,
        detected=tuple(detected),
        ranking=ranking,
        predictions=score_predictions(campaign),
        warnings=tuple(warnings(campaign)),
        unobserved=(*_unknown(campaign), *_not_seen(campaign, detected, ranking)),
    )


def _unknown(campaign: Campaign) -> Iterator[Statement]:
    """Tasks and trials without a score, and the task whose rate is known worst."""
    figures, rates = campaign.figures, campaign.figures.overall.rates
    for task in figures.tasks:
        if task.rates.planned and not task.rates.scored:
            text = f"{task.task}: {fraction(0, task.rates.planned)} trials were scored, so nothing is known about it."
            yield Statement(text=text, file="verification/pass_rate_by_task.csv")
    if rates.planned > rates.scored:
        text = f"{fraction(rates.planned - rates.scored, rates.planned)} planned trials have no score; each could pass."
        yield Statement(text=text, file=TRIALS)
    if known := [(task.wilson.high - task.wilson.low, task) for task in figures.tasks if task.wilson]:
        _, widest = max(known, key=lambda pair: pair[0])
        most = max(task.distinct.n for _, task in known)
        text = (
            f"The rate of any one task: {count(len(known), 'task')} had at most {count(most, 'distinct run')} each. "
            f"{widest.task} is known least exactly: {fraction(widest.rates.passed, widest.rates.scored)} means "
            f"{interval(widest.wilson)}."
        )
        yield Statement(text=text, file="verification/intervals.csv")


def _not_seen(campaign: Campaign, detected: Sequence[Detected], ranking: Ranking | None) -> Iterator[Statement]:
    """Conditions under which it was not run, campaigns it could be ranked with, and what no detector could look at."""
    manifest = campaign.manifest
    text = f"How it does under another policy than {manifest.policy}, with other sampling values or another seed."
    yield Statement(text=text, file=f"{MANIFEST}#policy")
    if not manifest.context_load:
        text = "How it does after a long conversation: no context load was asked for."
        yield Statement(text=text, file=f"{MANIFEST}#context_load")
    if manifest.preflight is None:
        yield Statement(text="Whether tool calls get through: no preflight was made.", file=f"{MANIFEST}#preflight")
    if ranking and len(ranking.standings) == 1:
        text = "How it compares: no other campaign beside it planned the same tasks under the same policy and limits."
        yield Statement(text=text, file=f"{MANIFEST}#suite")
    missing = len(campaign.results) - max((found.examined for found in detected), default=0)
    if missing:
        text = f"How {count(missing, 'trial')} went: the transcripts are missing, so their addresses lead nowhere."
        yield Statement(text=text, file=TRIALS)
    for found in detected:
        if found.examined and not found.applicable:
            text = f"{found.detector.name}: no trial had {found.detector.needs}, so it could not fire."
            yield Statement(text=text, file="verification/detectors.csv")
