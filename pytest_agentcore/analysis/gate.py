"""The gate: did every model reach every rate that was asked for, with every planned trial scored?"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from pytest_agentcore.analysis.compare import Comparison, compare
from pytest_agentcore.analysis.compare_text import verdict_sentence
from pytest_agentcore.errors import UsageError
from pytest_agentcore.format import count, fraction, percent
from pytest_agentcore.pack.read import Campaign
from pytest_agentcore.stats import Rates, observed, outcome_counts
from pytest_agentcore.stats.chance import decided_by_noise
from pytest_agentcore.trial.result import TrialKey, TrialResult

_RATE = re.compile(r"(?P<number>\d{1,9}(\.\d{1,9})?|\.\d{1,9})(?P<percent>%?)|(?P<part>\d{1,9})/(?P<whole>\d{1,9})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """One `--min-pass-rate`."""

    given: str
    """The rate as the user wrote it."""
    rate: Fraction
    """Exact, so that 21/30 reaches 0.7."""
    task: str = ""
    """A task's id or, before `resolve`, its beginning; empty is all tasks together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateVerdict:
    """What a gate says."""

    name: str = "pass-rate gate"
    words: tuple[str, str] = ("reached", "NOT reached")
    """For yes and for no."""
    ok: bool
    sentences: tuple[str, ...]
    """Why not, one each; empty when ok."""
    notes: tuple[str, ...] = ()
    """How much the answer is worth, whatever it is."""

    @property
    def title(self) -> str:
        """`pass-rate gate: reached`."""
        return f"{self.name}: {self.words[not self.ok]}"


@dataclass(frozen=True, slots=True)
class Gate:
    """Every rate that was asked for. Without any it is false and must not be asked."""

    thresholds: tuple[Threshold, ...]

    @classmethod
    def parse(cls, values: Iterable[str]) -> Gate:
        """From the option's values: `0.9`, `90%`, `2/3`, `task_05=0.66`.

        Raises:
            UsageError: not a rate, or not between 0 and 1.
        """
        return cls(tuple(_threshold(value) for value in values))

    def __bool__(self) -> bool:
        return bool(self.thresholds)

    def resolve(self, tasks: Iterable[str]) -> Gate:
        """With every task's beginning (`task_05`) replaced by the id it stands for.

        Raises:
            UsageError: no task, or more than one, is meant.
        """
        known = sorted(set(tasks))
        return Gate(tuple(replace(t, task=_find(t.task, known)) if t.task else t for t in self.thresholds))

    def check(
        self, results: Mapping[str, Sequence[TrialResult]], planned: Mapping[str, Sequence[TrialKey]]
    ) -> GateVerdict:
        """Judge what was recorded, by the models' slugs. Rates are effective ones; call on a resolved gate.

        Args:
            results: of every model; a missing one has none.
            planned: every trial that was to run.
        """
        recorded = {model: _recorded(results.get(model, ()), keys) for model, keys in planned.items()}
        sentences = [s for model, keys in planned.items() for s in self._failures(model, recorded[model], keys)]
        if not any(planned.values()):
            sentences.append("no trial was planned, so no pass rate was reached")
        notes = [_noise(threshold, model, recorded[model]) for model in planned for threshold in self.thresholds]
        return GateVerdict(ok=not sentences, sentences=tuple(sentences), notes=tuple(filter(None, notes)))

    def _failures(self, model: str, recorded: Sequence[TrialResult], planned: Sequence[TrialKey]) -> list[str]:
        found = [_short_of(threshold, model, recorded, planned) for threshold in self.thresholds]
        return [sentence for sentence in (*found, unscored(model, recorded, len(planned))) if sentence]


def not_asked(selected_by: Sequence[str]) -> GateVerdict:
    """What is said instead of an answer where trials were picked by how they had ended."""
    why = f"a selection by {' '.join(selected_by)} counts nowhere and is not gated; the exit code is pytest's own"
    return GateVerdict(name="gate", words=("not asked",) * 2, ok=True, sentences=(), notes=(why,))


def unscored(model: str, results: Sequence[TrialResult], planned: int) -> str | None:
    """Says how many planned trials have no score and why; None when all have."""
    missing = planned - Rates.of(results, planned).scored
    if not missing:
        return None
    why = [f"{n} {outcome}" for outcome, n in outcome_counts(results, planned).items() if n and outcome in _UNSCORED]
    return f"{model}: {missing} of {count(planned, 'planned trial')} not scored ({', '.join(why)})"


_UNSCORED = ("infrastructure_error", "interrupted", "not_run")


def _recorded(results: Iterable[TrialResult], planned: Iterable[TrialKey]) -> list[TrialResult]:
    keys = set(planned)
    return [result for result in results if result.key in keys]


def _short_of(
    threshold: Threshold, model: str, results: Sequence[TrialResult], planned: Sequence[TrialKey]
) -> str | None:
    """Why a rate was not reached, None if it was."""
    whose = _whose(threshold, model)
    mine = [result for result in results if threshold.task in ("", result.task)]
    rates = Rates.of(mine, sum(threshold.task in ("", key.task) for key in planned))
    if not rates.planned:
        return f"{whose}: no trial was planned, {threshold.given} is asked for"
    if not rates.scored:
        return f"{whose}: none of {count(rates.planned, 'trial')} was scored, {threshold.given} is asked for"
    if Fraction(rates.passed, rates.scored) >= threshold.rate:
        return None
    reached = f"{fraction(rates.passed, rates.scored)} = {percent(rates.effective)}"
    return f"{whose}: {reached} of the scored trials passed, {threshold.given} is asked for"


def _noise(threshold: Threshold, model: str, results: Sequence[TrialResult]) -> str | None:
    """How easily luck alone gives this answer; None where nothing was scored."""
    seen = observed(result for result in results if threshold.task in ("", result.task))
    chance = decided_by_noise(seen, threshold.rate)
    if chance is None:
        return None
    whole = isinstance(seen.passed, int)
    share, fewer = (str(seen.passed), "fewer") if whole else (percent(float(seen.rate)), "less")
    result = f"{share} or {'more' if seen.rate >= threshold.rate else fewer} of {count(seen.n, 'distinct trial')}"
    return (
        f"{_whose(threshold, model)}: noise alone decides so with a chance of at most {percent(chance)}: that often a "
        f"model whose true rate is {threshold.given} passes {result}"
    )


def _whose(threshold: Threshold, model: str) -> str:
    return f"{model}, {threshold.task}" if threshold.task else model


def _threshold(value: str) -> Threshold:
    task, equals, rate = value.rpartition("=")
    if equals and not task.strip():
        raise UsageError(f"--min-pass-rate {value!r}: there is no task before the '='")
    return Threshold(given=rate.strip(), rate=_rate(rate.strip(), value), task=task.strip())


def _rate(text: str, value: str) -> Fraction:
    match = _RATE.fullmatch(text)
    if not match or (match["whole"] and not int(match["whole"])):
        raise UsageError(f"--min-pass-rate {value!r}: must be a rate such as 0.9 or 90%, or TASK=RATE")
    rate = Fraction(text.rstrip("%")) / (100 if match["percent"] else 1)
    if rate > 1:
        raise UsageError(f"--min-pass-rate {value!r}: must lie between 0 and 1 (or 0% and 100%)")
    return rate


def _find(beginning: str, known: Sequence[str]) -> str:
    if beginning in known:
        return beginning
    found = [task for task in known if task.startswith(f"{beginning.rstrip('_')}_")]
    if len(found) == 1:
        return found[0]
    there = f"there are {', '.join(known)}" if known else "it has none"
    problem = f"could be {' or '.join(found)}" if found else f"is no task of this run; {there}"
    raise UsageError(f"--min-pass-rate: {beginning!r} {problem}")


NAME, WORDS = "regression gate", ("passed", "NOT passed")


def check_regression(baseline: Campaign, campaigns: Mapping[str, Campaign]) -> GateVerdict:
    """Open when every planned trial was scored and no campaign is significantly worse than `baseline`.

    Args:
        baseline: comparable with the session's suite.
        campaigns: of this session, by the name that sentences call them.
    """
    planned = {name: campaign for name, campaign in campaigns.items() if campaign.manifest.planned}
    sentences: list[str] = []
    notes: list[str] = []
    for name, campaign in planned.items():
        missing = unscored(name, campaign.results, len(campaign.manifest.planned))
        sentences += [missing] if missing else []
        try:
            comparison = compare(baseline, campaign)
        except UsageError as error:
            sentences.append(f"{name}: {error}")
            continue
        verdict = verdict_sentence(comparison, "the baseline", name)
        shut = comparison.regression or comparison.test is None
        (sentences if shut else notes).append(f"{name}: {verdict}" if comparison.test is None else verdict)
        notes += _differing(name, comparison)
    if not planned:
        sentences.append("no trial was planned, so nothing was compared with the baseline")
    return GateVerdict(name=NAME, words=WORDS, ok=not sentences, sentences=tuple(sentences), notes=tuple(notes))


def _differing(name: str, comparison: Comparison) -> list[str]:
    if not comparison.conditions:
        return []
    said = "; ".join(f"{c.name}: {c.first} | {c.second}" for c in comparison.conditions)
    return [f"{name} differs from the baseline in {said}"]
