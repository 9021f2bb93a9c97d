"""Numbers over trial results: pure functions, edges defined. None is undefined, never zero."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from fractions import Fraction
from typing import Self

from pytest_agentcore.trial.modes import Cause, FailureMode, StopReason
from pytest_agentcore.trial.result import TrialResult

NOT_RUN = "not_run"
"""The outcome of a planned trial without a result."""

OUTCOMES = ("passed", *(mode.value for mode in FailureMode), StopReason.interrupted.value, NOT_RUN)
"""Every planned trial has exactly one of these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Passes, and what they are a part of."""

    planned: int
    recorded: int
    """Trials with a result line, whatever it says."""
    scored: int
    passed: int

    @property
    def raw(self) -> float | None:
        """passed / planned; undefined when nothing was planned."""
        return ratio(self.passed, self.planned)

    @property
    def effective(self) -> float | None:
        """passed / scored: what infrastructure took away counts on neither side; undefined when nothing was scored."""
        return ratio(self.passed, self.scored)

    @classmethod
    def sum(cls, rates: Iterable[Rates]) -> Self:
        """Add up the rates of several tasks; of none all counts are 0."""
        parts = list(rates)
        return cls(**{field.name: sum(getattr(part, field.name) for part in parts) for field in fields(cls)})

    @classmethod
    def of(cls, results: Sequence[TrialResult], planned: int) -> Self:
        """Count `results` of one model and policy."""
        return cls(
            planned=planned,
            recorded=len(results),
            scored=sum(result.scored for result in results),
            passed=sum(result.passed is True for result in results),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """The distribution of a quantity over trials; every value but the sum is None where there is no trial."""

    n: int
    total: float
    """The sum; whole where all values are."""
    mean: float | None
    p50: float | None
    p95: float | None
    least: float | None
    most: float | None

    @classmethod
    def of(cls, values: Iterable[float]) -> Self:
        """One value: mean and both quantiles are that value."""
        ordered = sorted(values)
        return cls(
            n=len(ordered),
            total=sum(ordered),
            mean=mean(ordered),
            p50=quantile(ordered, 0.5),
            p95=quantile(ordered, 0.95),
            least=ordered[0] if ordered else None,
            most=ordered[-1] if ordered else None,
        )


def ratio(part: float, whole: float) -> float | None:
    """`part / whole`, undefined for a whole of 0."""
    return part / whole if whole else None


def mean(values: Sequence[float]) -> float | None:
    """Arithmetic mean; n = 0 is undefined."""
    return math.fsum(values) / len(values) if values else None


def quantile(values: Sequence[float], q: float) -> float | None:
    """The q-quantile, 0 ≤ q ≤ 1, interpolated linearly between order statistics.

    Hyndman and Fan (1996), definition 7: what numpy and pandas give by default. n = 0 is undefined, n = 1 is the value.
    """
    if not values:
        return None
    ordered = sorted(values)
    place = q * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


Sighting = tuple[int, bool]
"""A distinct trial: how often it came, and whether it passed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """Scored trials as intervals and tests see them: as many as are distinct, at the pass rate of all of them."""

    n: int
    """Distinct trials."""
    passed: float
    """`n` times the pass rate of all scored trials; whole where each came once."""
    repeated: tuple[Sighting, ...] = ()
    """Every distinct trial, where at least one came more than once; empty where each came once."""

    @classmethod
    def of(cls, sightings: Iterable[Sighting]) -> Self:
        """Make it from every distinct trial."""
        seen = tuple(sightings)
        if all(times == 1 for times, _ in seen):
            return cls(n=len(seen), passed=sum(passed for _, passed in seen))
        share = _share(seen) * len(seen)
        return cls(n=len(seen), passed=int(share) if share.denominator == 1 else float(share), repeated=seen)

    @property
    def sightings(self) -> tuple[Sighting, ...]:
        """How often each distinct trial came, and whether it passed."""
        passed = int(self.passed)
        return self.repeated or ((1, True),) * passed + ((1, False),) * (self.n - passed)

    @property
    def rate(self) -> Fraction:
        """The pass rate of all scored trials, exact; there must be one."""
        return _share(self.repeated) if self.repeated else Fraction(int(self.passed), self.n)

    def all(self, *, passed: bool) -> Observed:
        """The same trials, had all of them passed or none."""
        return Observed.of((times, passed) for times, _ in self.sightings)


def observed(results: Iterable[TrialResult]) -> Observed:
    """Scored trials, identical ones counted once: a greedy model that is asked again says nothing new.

    Identical are trials of one task whose sampled replies are equal token by token (`replies_digest`) and whose
    verdicts are equal too: the same words can be right for one instance of a task and wrong for another. That they
    came more often stays in the rate: a sampled model that nearly always says the same is no worse for it.
    """
    seen = Counter((result.task, result.replies_digest, result.passed) for result in results if result.scored)
    return Observed.of((times, passed is True) for (_, _, passed), times in seen.items())


def _share(sightings: Sequence[Sighting]) -> Fraction:
    return Fraction(sum(times for times, passed in sightings if passed), sum(times for times, _ in sightings))


def outcome_counts(results: Sequence[TrialResult], planned: int) -> dict[str, int]:
    """Trials per outcome, all of `OUTCOMES` in that order; the sum is `planned`, or the results if those are more."""
    counts = Counter(result.outcome for result in results)
    counts[NOT_RUN] = max(0, planned - len(results))
    return {outcome: counts[outcome] for outcome in OUTCOMES}


def cause_counts(results: Iterable[TrialResult]) -> dict[tuple[str, Cause], int]:
    """Trials per (outcome, cause) of what did not pass, the most frequent first, then by name."""
    counts = Counter((result.outcome, result.cause) for result in results if result.cause and not result.passed)
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def by_task(results: Iterable[TrialResult], tasks: Iterable[str]) -> Mapping[str, list[TrialResult]]:
    """Results per task in the order of `tasks`, by run; a task without results has an empty list."""
    grouped: dict[str, list[TrialResult]] = {task: [] for task in tasks}
    for result in sorted(results, key=lambda result: result.run):
        grouped.setdefault(result.task, []).append(result)
    return grouped


def basis(results: Sequence[TrialResult]) -> tuple[str, list[TrialResult]]:
    """The trials that latencies and counts are taken over, and their name.

    `scored` trials; where there is none, `unscored`: those that were recorded all the same, so that a task that was
    lost as a whole still shows how. An infrastructure error half-way says nothing about the speed of a model.
    """
    scored = [result for result in results if result.scored]
    return ("scored", scored) if scored else ("unscored", list(results))


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeats:
    """pass@k and pass^k for one k; None where fewer than k runs were scored."""

    k: int
    any_of: float | None
    """pass@k: the chance that at least one of k tries passes."""
    all_of: float | None
    """pass^k: the chance that all of k tries pass."""
    tasks: int
    """Tasks with at least k scored runs, which the value is the mean over."""
    left_out: int
    """Tasks with fewer; where there are any, the value is not one of the whole suite."""


def pass_at_k(passed: int, scored: int, k: int) -> float | None:
    """The chance that at least one of k tries passes: 1 - C(n-c, k) / C(n, k), unbiased.

    Chen et al. (2021), arXiv 2107.03374, equation 1. k = 1 is the pass rate. Undefined for k > n, so for n = 0.
    """
    if not 1 <= k <= scored:
        return None
    ways = math.comb(scored, k)
    return (ways - math.comb(scored - passed, k)) / ways


def pass_hat_k(passed: int, scored: int, k: int) -> float | None:
    """The chance that all of k tries pass: C(c, k) / C(n, k), unbiased.

    Yao et al. (2024), arXiv 2406.12045, section 4 (pass^k). k = 1 is the pass rate. Undefined for k > n, so for n = 0.
    """
    return math.comb(passed, k) / math.comb(scored, k) if 1 <= k <= scored else None


def repeats(tasks: Sequence[Rates], k: int) -> Repeats:
    """Give the mean over the tasks that have k scored runs; one task gives that task's value."""
    enough = [(rates.passed, rates.scored) for rates in tasks if rates.scored >= k]
    any_of, all_of = [pass_at_k(*counts, k) for counts in enough], [pass_hat_k(*counts, k) for counts in enough]
    return Repeats(
        k=k,
        any_of=mean([value for value in any_of if value is not None]),
        all_of=mean([value for value in all_of if value is not None]),
        tasks=len(enough),
        left_out=len(tasks) - len(enough),
    )
