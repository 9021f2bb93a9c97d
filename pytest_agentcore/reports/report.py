"""The one report value: what report.md, report.html and the terminal show. Text in it is raw; renderers escape it.

Transcripts are not in it: it holds addresses, short excerpts, and `Report.turns_of`, which reads one when it is asked.
"""

from __future__ import annotations

from dataclasses import dataclass

from pytest_agentcore.analysis.compare import Comparison
from pytest_agentcore.analysis.predicted import PredictionScore
from pytest_agentcore.analysis.rank import Ranking
from pytest_agentcore.pack.figures import CampaignFigures
from pytest_agentcore.pack.read import Campaign
from pytest_agentcore.pack.transcript import Turn, played, read_transcript
from pytest_agentcore.trial.detectors import Hit
from pytest_agentcore.trial.result import TrialKey, TrialResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One line of what was run."""

    label: str
    text: str
    file: str
    """Of the pack, with `#key` where the file is JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A recorded trial that did not pass."""

    result: TrialResult
    turn: int
    """The last one; 0 when there was none."""
    address: str
    """`data/transcripts/<uuid>.jsonl#turn=N`."""
    excerpt: str
    """What the model wrote last, at most `EXCERPT` characters; empty when it wrote nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorHit:
    """One place where a detector fired, in whatever trial: passed ones too."""

    result: TrialResult
    hit: Hit
    address: str
    """Of `hit.turn`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Detected:
    """What one detector found in the whole campaign; every hit is a row of `sources.DETECTOR_HITS`."""

    name: str
    meaning: str
    needs: str
    """What a trial must have to be looked at."""
    hits: tuple[DetectorHit, ...]
    trials: int
    """Trials with at least one hit."""
    examined: int
    """Trials whose transcript was read."""
    applicable: int
    """Those of them that had what the detector looks at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A sentence of the tool's own, with the file that bears it out."""

    text: str
    file: str
    """Of the pack, with `#key` where the file is JSON."""

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One campaign, ready to be shown."""

    campaign: Campaign
    baseline: Campaign | None
    """What it is compared with, if anything."""
    comparison: Comparison | None
    """With the baseline, which is its `first`; in `sources.COMPARISON`."""
    facts: tuple[Fact, ...]
    """What was run."""
    figures: CampaignFigures
    """The numbers, overall and per task; `reports.sources` says which file holds each."""
    failures: tuple[Failure, ...]
    """By task and run."""
    not_run: tuple[TrialKey, ...]
    """Planned trials without a result."""
    detected: tuple[Detected, ...]
    """Every detector, also those that never fired."""
    ranking: Ranking | None
    """Among the campaigns of its results folder; None for a selection and for an agent without a model."""
    predictions: PredictionScore
    """In `sources.PREDICTIONS`; says so when none were filed."""
    warnings: tuple[Statement, ...]
    """What casts doubt on the numbers."""
    unobserved: tuple[Statement, ...]
    """What this campaign does not say."""

    @property
    def results(self) -> tuple[TrialResult, ...]:
        """Every recorded trial, by task and run; their values are in `sources.TRIALS`."""
        return self.campaign.results

    def turns_of(self, result: TrialResult) -> list[Turn]:
        """A trial turn by turn, read from the disk now; empty where its transcript is missing.

        Raises:
            UsageError: the transcript is damaged; names file and line.
        """
        return played(read_transcript(self.campaign.folder.transcript(result.attempt)))


MANIFEST = "manifest.json"
RESULTS = "data/results.jsonl"
PASS_RATES = "verification/pass_rate_by_task.csv"  # noqa: S105 - no password
HISTOGRAM = "verification/failure_mode_histogram.csv"
LATENCY = "verification/latency_distribution.csv"
TOOL_CALLS = "verification/tool_calls_by_task.csv"
COST = "verification/cost_breakdown.csv"
TRIALS = "verification/trials.csv"
INTERVALS = "verification/intervals.csv"
REPEATS = "verification/repeats.csv"
DETECTOR_HITS = "verification/detectors.csv"
COMPARISON = "verification/comparison.csv"
PREDICTIONS = "verification/predictions.csv"


@dataclass(frozen=True, slots=True)
class Source:
    """A column of a table; the row is that of the task, `*` for all of them."""

    file: str
    """Relative to the campaign's folder."""
    column: str


SOURCES = {
    "rates.planned": Source(PASS_RATES, "planned"),
    "rates.recorded": Source(PASS_RATES, "recorded"),
    "rates.scored": Source(PASS_RATES, "scored"),
    "rates.passed": Source(PASS_RATES, "passed"),
    "rates.raw": Source(PASS_RATES, "raw_rate"),
    "rates.effective": Source(PASS_RATES, "effective_rate"),
    "distinct.n": Source(PASS_RATES, "distinct"),
    "effort.basis": Source(LATENCY, "over"),
    "effort.seconds.mean": Source(LATENCY, "mean_seconds"),
    "effort.seconds.p50": Source(LATENCY, "p50_seconds"),
    "effort.seconds.p95": Source(LATENCY, "p95_seconds"),
    "effort.seconds.least": Source(LATENCY, "min_seconds"),
    "effort.seconds.most": Source(LATENCY, "max_seconds"),
    "effort.turns.mean": Source(TOOL_CALLS, "mean_turns"),
    "effort.turns.most": Source(TOOL_CALLS, "max_turns"),
    "effort.tool_calls.mean": Source(TOOL_CALLS, "mean_tool_calls"),
    "effort.tool_calls.p50": Source(TOOL_CALLS, "p50_tool_calls"),
    "effort.tool_calls.most": Source(TOOL_CALLS, "max_tool_calls"),
    "effort.model_seconds": Source(COST, "model_seconds"),
    "effort.tool_seconds": Source(COST, "tool_seconds"),
    "effort.prompt_tokens": Source(COST, "prompt_tokens"),
    "effort.cached_tokens": Source(COST, "cached_tokens"),
    "effort.reply_tokens": Source(COST, "reply_tokens"),
    "effort.tokens_per_second": Source(COST, "tokens_per_second"),
    "effort.cost.total": Source(COST, "cost_usd"),
    "effort.cost.per_run": Source(COST, "cost_per_trial_usd"),
    "effort.cost.per_pass": Source(COST, "cost_per_pass_usd"),
}
"""By the way from a `campaign.figures.Figures` to the value.

`outcomes` and `causes` are in `HISTOGRAM`, intervals in `INTERVALS`, `repeats` in `REPEATS`.
"""
