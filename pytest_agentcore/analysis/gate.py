"""Gates: did every model reach the rates that were asked for, and is none worse than the baseline?"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

from pytest_agentcore.analysis.compare import compare
from pytest_agentcore.analysis.compare_text import verdict_sentence
from pytest_agentcore.errors import UsageError
from pytest_agentcore.format import count, fraction, percent
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


@dataclass(frozen=True, slots=True, kw_only=True)
class GateVerdict:
    """The answer of a gate."""

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
                there = f"there are {', '.join(known)}" if known else "it has none"
                problem = f"could be {' or '.join(found)}" if found else f"is no task of this run; {there}"
                raise UsageError(f"--min-pass-rate: {begun!r} {problem}")
            resolved.append(replace(threshold, task=found[0]) if begun else threshold)
        return Gate(tuple(resolved))

    def check(self, campaigns: Mapping[str, Campaign]) -> GateVerdict:
        """Judge campaigns by the names that sentences call them. Rates are effective ones; call on a resolved gate."""
        sentences: list[str | None] = []
        notes: list[str | None] = []
        for name, campaign in campaigns.items():
            # results that nobody planned do not count: they could open a gate that the plan does not
            planned = set(campaign.manifest.keys)
            kept = tuple(result for result in campaign.results if result.key in planned)
            counted = campaign if len(kept) == len(campaign.results) else replace(campaign, results=kept)
            for threshold in self.thresholds:
                whose = f"{name}, {threshold.task}" if threshold.task else name
                figures = counted.figures
                known = {task.task: task for task in (figures.overall, *figures.tasks)}
                why, note = _judge(threshold, whose, known.get(threshold.task or EVERY))
                sentences.append(why)
                notes.append(note)
            sentences.append(unscored(name, counted))
        if not any(campaign.manifest.planned for campaign in campaigns.values()):
            sentences.append("no trial was planned, so no pass rate was reached")
        said = tuple(filter(None, sentences))
        return GateVerdict(ok=not said, sentences=said, notes=tuple(filter(None, notes)))


def unscored(name: str, campaign: Campaign) -> str | None:
    """Say how many planned trials of a campaign have no score and why; None when all have."""
    figures, rates = campaign.figures, campaign.figures.overall.rates
    if rates.planned == rates.scored:
        return None
    counted = {outcome: figures.outcomes[outcome] for outcome in ("infrastructure_error", "interrupted", "not_run")}
    why = ", ".join(f"{n} {outcome}" for outcome, n in counted.items() if n)
    return f"{name}: {rates.planned - rates.scored} of {count(rates.planned, 'planned trial')} not scored ({why})"


def _judge(threshold: Threshold, whose: str, figures: Figures | None) -> tuple[str | None, str | None]:
    """Say why a rate was not reached, None if it was; and how easily luck alone gives this answer, where it can be."""
    if not figures or not figures.rates.planned:
        return f"{whose}: no trial was planned, {threshold.given} is asked for", None
    rates, seen = figures.rates, figures.distinct
    if not rates.scored:
        return f"{whose}: none of {count(rates.planned, 'trial')} was scored, {threshold.given} is asked for", None
    why = note = None
    if Fraction(rates.passed, rates.scored) < threshold.rate:
        reached = f"{fraction(rates.passed, rates.scored)} = {percent(rates.effective)}"
        why = f"{whose}: {reached} of the scored trials passed, {threshold.given} is asked for"
    chance = decided_by_noise(seen, threshold.rate)
    if chance is not None:
        share, fewer = (
            (str(seen.passed), "fewer") if isinstance(seen.passed, int) else (percent(float(seen.rate)), "less")
        )
        result = f"{share} or {'more' if seen.rate >= threshold.rate else fewer} of {count(seen.n, 'distinct trial')}"
        note = (
            f"{whose}: noise alone decides so with a chance of at most {percent(chance)}: that often a "
            f"model whose true rate is {threshold.given} passes {result}"
        )
    return why, note


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
        if missing := unscored(name, campaign):
            sentences.append(missing)
        try:
            comparison = compare(baseline, campaign)
        except UsageError as error:  # what cannot be compared must not open the gate
            sentences.append(f"{name}: {error}")
            continue
        verdict = verdict_sentence(comparison, "the baseline", name)
        shut = comparison.regression or comparison.test is None
        (sentences if shut else notes).append(f"{name}: {verdict}" if comparison.test is None else verdict)
        if comparison.conditions:
            said = "; ".join(f"{c.name}: {c.first} | {c.second}" for c in comparison.conditions)
            notes.append(f"{name} differs from the baseline in {said}")
    if not planned:
        sentences.append("no trial was planned, so nothing was compared with the baseline")
    return GateVerdict(
        name="regression gate",
        words=("passed", "NOT passed"),
        ok=not sentences,
        sentences=tuple(sentences),
        notes=tuple(notes),
    )
