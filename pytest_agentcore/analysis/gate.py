"""Gates: did every model reach the rates that were asked for, and is none worse than the baseline?"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction

from pytest_agentcore.analysis.compare import compare
from pytest_agentcore.analysis.compare_text import verdict_sentence
from pytest_agentcore.errors import UsageError, instead
from pytest_agentcore.format import count, fraction, joined, percent
from pytest_agentcore.pack.figures import EVERY, Figures
from pytest_agentcore.pack.read import Campaign
from pytest_agentcore.stats.chance import decided_by_noise

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


UNDECIDED = 75
"""Exit code where trials without a score leave the answer open: EX_TEMPFAIL of sysexits.h, try again."""

MEANINGS = {
    0: "the model did what was asked",
    1: "the model did not do what was asked",
    UNDECIDED: "not the model's fault: the same command runs again what has no score",
}
"""What an exit code says that follows from gates alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateVerdict:
    """The answer of a gate: open, shut, or undecided while trials lack a score that could still change it."""

    name: str = "pass-rate gate"
    words: Mapping[int, str] = field(default_factory=lambda: {0: "reached", 1: "NOT reached", UNDECIDED: "undecided"})
    """By exit code."""
    sentences: tuple[str, ...] = ()
    """Why it is shut, one each."""
    missing: tuple[str, ...] = ()
    """What it lacks to be open, one each: no fault of the model."""
    notes: tuple[str, ...] = ()
    """How much the answer is worth, whatever it is."""

    @property
    def why_not(self) -> tuple[str, ...]:
        """All that keeps it from being open."""
        return (*self.sentences, *self.missing)

    @property
    def ok(self) -> bool:
        """Whether it is open."""
        return not self.code

    @property
    def code(self) -> int:
        """The exit code that says it."""
        return 1 if self.sentences else UNDECIDED if self.missing else 0

    @property
    def title(self) -> str:
        """`pass-rate gate: reached`."""
        return f"{self.name}: {self.words[self.code]}"


def exit_code(verdicts: Iterable[GateVerdict]) -> int:
    """Give the exit code of several gates: a shut one decides, then one that is undecided."""
    codes = {verdict.code for verdict in verdicts}
    return next((code for code in (1, UNDECIDED) if code in codes), 0)


def ask(gate: Gate, baseline: Campaign | None, campaigns: Mapping[str, Campaign]) -> list[GateVerdict]:
    """Ask every gate there is.

    Args:
        gate: the rates; none where it is false.
        baseline: comparable with the campaigns' suite, or None.
        campaigns: by the name that sentences call them.

    Raises:
        UsageError: a rate is asked of a task that the campaigns do not have.
    """
    planned = [task for campaign in campaigns.values() for task in campaign.manifest.tasks]
    verdicts = [gate.resolve(planned).check(campaigns)] if gate else []
    return [*verdicts, check_regression(baseline, campaigns)] if baseline else verdicts


def conclusion(verdicts: Iterable[GateVerdict], code: int, meaning: str) -> str:
    """Write the last line: `pass-rate gate: reached · exit code 0: the model did what was asked`."""
    return joined([*(verdict.title for verdict in verdicts), f"exit code {code}: {meaning}"])


@dataclass(frozen=True, slots=True)
class Gate:
    """All `--min-pass-rate` values of a session. Without any it is false and must not be asked."""

    thresholds: tuple[Threshold, ...]

    @classmethod
    def parse(cls, values: Iterable[str]) -> Gate:
        """Make a gate from the option's values: `0.9`, `90%`, `2/3`, `task_05=0.66`.

        Raises:
            UsageError: not a rate, or not between 0 and 1.
        """
        thresholds = []
        for value in values:
            task, equals, text = (part.strip() for part in value.rpartition("="))
            if equals and not task:
                raise UsageError(f"--min-pass-rate {value!r}: there is no task before the '='")
            match = _RATE.fullmatch(text)
            if not match or (match["whole"] and not int(match["whole"])):
                raise UsageError(f"--min-pass-rate {value!r}: must be a rate such as 0.9 or 90%, or TASK=RATE")
            rate = Fraction(text.rstrip("%")) / (100 if match["percent"] else 1)
            if rate > 1:
                raise UsageError(f"--min-pass-rate {value!r}: must lie between 0 and 1 (or 0% and 100%)")
            thresholds.append(Threshold(given=text, rate=rate, task=task))
        return cls(tuple(thresholds))

    def __bool__(self) -> bool:
        return bool(self.thresholds)

    def resolve(self, tasks: Iterable[str]) -> Gate:
        """Replace every task's beginning (`task_05`) by the id it stands for.

        Raises:
            UsageError: no task, or more than one, is meant.
        """
        known, resolved = sorted(set(tasks)), []
        for threshold in self.thresholds:
            begun = threshold.task
            # up to the next underscore: task_1 is not the beginning of task_10_sql
            stem = f"{begun.rstrip('_')}_"
            found = [begun] if begun in known else [task for task in known if task.startswith(stem)]
            if begun and len(found) != 1:
                problem = f"is no task of this run; {instead(begun, known)}"
                problem = f"could be {' or '.join(found)}" if found else problem
                raise UsageError(f"--min-pass-rate: {begun!r} {problem}")
            resolved.append(replace(threshold, task=found[0]) if begun else threshold)
        return Gate(tuple(resolved))

    def check(self, campaigns: Mapping[str, Campaign]) -> GateVerdict:
        """Judge campaigns by the names that sentences call them. Rates are effective ones; call on a resolved gate."""
        sentences: list[str] = []
        missing: list[str] = []
        notes: list[str] = []
        for name, campaign in campaigns.items():
            # results that nobody planned do not count: they could open a gate that the plan does not
            planned = set(campaign.manifest.keys)
            kept = tuple(result for result in campaign.results if result.key in planned)
            counted = campaign if len(kept) == len(campaign.results) else replace(campaign, results=kept)
            for threshold in self.thresholds:
                whose = f"{name}, {threshold.task}" if threshold.task else name
                figures = counted.figures
                known = {task.task: task for task in (figures.overall, *figures.tasks)}
                why, final, note = _judge(threshold, whose, known.get(threshold.task or EVERY))
                (sentences if final else missing).extend(filter(None, [why]))
                notes.extend(filter(None, [note]))
            missing.extend(filter(None, [unscored(name, counted)]))
        if not any(campaign.manifest.planned for campaign in campaigns.values()):
            missing.append("no trial was planned, so no pass rate was reached")
        return GateVerdict(sentences=tuple(sentences), missing=tuple(missing), notes=tuple(notes))


def unscored(name: str, campaign: Campaign) -> str | None:
    """Say how many planned trials of a campaign have no score and why; None when all have."""
    figures, rates = campaign.figures, campaign.figures.overall.rates
    if rates.planned == rates.scored:
        return None
    counted = {outcome: figures.outcomes[outcome] for outcome in ("infrastructure_error", "interrupted", "not_run")}
    why = ", ".join(f"{n} {outcome}" for outcome, n in counted.items() if n)
    return f"{name}: {rates.planned - rates.scored} of {count(rates.planned, 'planned trial')} not scored ({why})"


def _judge(threshold: Threshold, whose: str, figures: Figures | None) -> tuple[str | None, bool, str | None]:
    """Say why a rate was not reached, None if it was; whether that is final; and how easily luck gives this answer.

    It is final when the rate is out of reach even if every trial without a score passes.
    """
    if not figures or not figures.rates.planned:
        return f"{whose}: no trial was planned, {threshold.given} is asked for", False, None
    rates, seen, why = figures.rates, figures.distinct, None
    if not rates.scored:
        return (
            f"{whose}: none of {count(rates.planned, 'trial')} was scored, {threshold.given} is asked for",
            False,
            None,
        )
    if Fraction(rates.passed, rates.scored) < threshold.rate:
        reached = f"{fraction(rates.passed, rates.scored)} = {percent(rates.effective)}"
        why = f"{whose}: {reached} of the scored trials passed, {threshold.given} is asked for"
    final = Fraction(rates.passed + rates.planned - rates.scored, rates.planned) < threshold.rate
    # one failure settles a rate of 1 and no number of passes shows it; for a rate of 0 there is nothing to show
    chance = decided_by_noise(seen, threshold.rate) if 0 < threshold.rate < 1 else None
    if chance is None:
        return why, final, None
    share, fewer = (str(seen.passed), "fewer") if isinstance(seen.passed, int) else (percent(float(seen.rate)), "less")
    result = f"{share} or {'more' if seen.rate >= threshold.rate else fewer} of {count(seen.n, 'distinct trial')}"
    note = (
        f"{whose}: by luck alone, a model with a true pass rate of {threshold.given} passes {result} at most "
        f"{percent(chance)} of the time"
    )
    return why, final, note


def check_regression(baseline: Campaign, campaigns: Mapping[str, Campaign]) -> GateVerdict:
    """Open when every planned trial was scored and no campaign is significantly worse than `baseline`.

    Args:
        baseline: comparable with the session's suite.
        campaigns: of this session, by the name that sentences call them.
    """
    planned = {name: campaign for name, campaign in campaigns.items() if campaign.manifest.planned}
    sentences: list[str] = []
    missing: list[str] = []
    notes: list[str] = []
    for name, campaign in planned.items():
        missing.extend(filter(None, [unscored(name, campaign)]))
        try:
            comparison = compare(baseline, campaign)
        except UsageError as error:  # what cannot be compared must not open the gate
            missing.append(f"{name}: {error}")
            continue
        verdict = verdict_sentence(comparison, "the baseline", name)
        if comparison.test is None:
            missing.append(f"{name}: {verdict}")
        else:
            (sentences if comparison.regression else notes).append(verdict)
        if comparison.conditions:
            said = "; ".join(f"{c.name}: {c.first} | {c.second}" for c in comparison.conditions)
            notes.append(f"{name} differs from the baseline in {said}")
    if not planned:
        missing.append("no trial was planned, so nothing was compared with the baseline")
    return GateVerdict(
        name="regression gate",
        words={0: "passed", 1: "NOT passed", UNDECIDED: "undecided"},
        sentences=tuple(sentences),
        missing=tuple(missing),
        notes=tuple(notes),
    )
