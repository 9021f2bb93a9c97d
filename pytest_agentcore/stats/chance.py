"""Tests of whether a difference, or a gate's answer, is more than chance."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from pytest_agentcore.stats.counting import Observed
from pytest_agentcore.stats.intervals import Interval, difference, stratified, wilson

if TYPE_CHECKING:
    import numpy as np

ALPHA = 0.05
"""A p at or below this is called significant."""

LEAST = 0.0005
"""A difference that an interval which must not hold 0 ends at: the smallest that shows as 0.1 points."""

ROUNDING = 1e-9
"""Two results of a test that are equally far from expectation differ by less than this after rounding."""

DRAWS = 19_999
"""Exchanges that are drawn where there are too many to count; p is then a multiple of 1/20,000."""

MOST = 200_000
"""Sums that are counted, at most; a fraction of a second."""

Pair = tuple[Observed, Observed]
"""One task in two campaigns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedTest:
    """Two campaigns over the tasks that both have observations of."""

    tasks: int
    difference: float
    """Of the pass rates, second minus first: the mean over tasks, weighted."""
    interval: Interval
    """Of the difference, for the same tasks again; it holds 0 where `p` is not significant, and only there."""
    p: float
    """Two-sided: how often chance alone would make a difference at least this large, in either direction."""
    least_p: float
    """What p would be if one campaign had passed all and the other nothing: with these numbers none is smaller."""

    @property
    def significant(self) -> bool:
        """True if p is at most `ALPHA`."""
        return is_significant(self.p)


def is_significant(p: float) -> bool:
    """Say whether p is at most `ALPHA`, where a sum of chances that is exactly that may have been rounded."""
    return p <= ALPHA + ROUNDING


def paired_permutation(pairs: Sequence[Pair], weights: Sequence[float] | None = None) -> PairedTest | None:
    """The one overall test of two campaigns: exact, paired by task.

    If the campaigns were alike, each task's observations could have been made by either. So the labels are exchanged
    within each task, never between tasks, in all ways at once: the passes that fall to the first campaign are
    hypergeometric in each task, and their sum is distributed as the convolution (Fisher's randomization test,
    stratified; Good 2005, Permutation, Parametric and Bootstrap Tests, 3rd ed., 3.7). The statistic is that sum's
    distance from its expectation, which is the exact form of Cochran, Mantel and Haenszel's: the difference of rates
    in each task, weighted by n1·n2/(n1+n2) (Mantel and Haenszel 1959, JNCI 22, 719).

    Trials that repeat each other word for word stay together: a distinct trial is dealt with all its repetitions, so
    that they move the rate and are no evidence.

    A task that only one campaign has observations of is left out; without any task left it is undefined. All passed on
    both sides gives p = 1, and so does n = 1 against n = 1 in a single task.

    Args:
        pairs: of each task, the first campaign's observations and the second's.
        weights: of the tasks in `difference` and its interval, scaled as they come; by default `mantel_haenszel` of the
            observations. The test has its own.
    """
    weights = [mantel_haenszel(first.n, second.n) for first, second in pairs] if weights is None else weights
    weighed = [(pair, weight) for pair, weight in zip(pairs, weights, strict=True) if pair[0].n and pair[1].n]
    if not weighed:
        return None
    used, scale = [pair for pair, _ in weighed], [weight for _, weight in weighed]
    one, other = ([pair[side] for pair in used] for side in (0, 1))
    rates = [
        sum(w * stratum.passed / stratum.n for stratum, w in zip(strata, scale, strict=True)) / sum(scale)
        for strata in (one, other)
    ]
    intervals = [stratified(strata, scale) or Interval(0.0, 1.0) for strata in (one, other)]
    extreme = [(a.all(passed=True), b.all(passed=False)) for a, b in used]
    change, p = rates[1] - rates[0], exchanged(used)
    return PairedTest(
        tasks=len(used),
        difference=change,
        interval=agreeing(difference(rates[0], intervals[0], rates[1], intervals[1]), change, p),
        p=p,
        least_p=exchanged(extreme),
    )


def agreeing(interval: Interval, change: float, p: float) -> Interval:
    """Let the interval of a difference hold 0 where the test does not reject that there is none, and only there.

    Interval and test are made by different means and may disagree about 0: two observations on each side, all passed
    against none, have an approximate interval from +7 points on and a p of 0.50. The test is exact at 0, so it decides
    there: what it does not reject belongs to the interval, which then reaches to 0; and where it rejects 0 it rejects
    what lies beyond 0 too, its statistic being monotone in the difference (a confidence set is what a family of tests
    does not reject: Lehmann and Romano 2005, Testing Statistical Hypotheses, 3rd ed., 3.5). Elsewhere nothing changes.

    Args:
        interval: of the difference, by an approximation.
        change: the difference itself.
        p: of the two-sided test that there is none.
    """
    if not (is_significant(p) and change):
        return Interval(min(interval.low, 0.0), max(interval.high, 0.0))
    least = min(LEAST, abs(change))
    if change > 0:
        return Interval(max(interval.low, least), interval.high)
    return Interval(interval.low, min(interval.high, -least))


def mantel_haenszel(first: int, second: int) -> float:
    """The weight of a task with so many trials on either side: n1·n2/(n1+n2), see `paired_permutation`; 0 for none."""
    return first * second / (first + second) if first and second else 0.0


def fisher(first: Observed, second: Observed) -> float | None:
    """Fisher's exact test of one task in two campaigns, two-sided.

    Fisher (1935), The Design of Experiments, chapter 2; all tables at most as probable as the observed one are summed.
    Undefined where one side has no observation; 1 where both have one, or all passed on both sides. Where trials repeat
    each other it is `paired_permutation` of the one task.
    """
    if not (first.n and second.n):
        return None
    if first.repeated or second.repeated:
        return exchanged([(first, second)])
    least, chances = dealt(first, second)
    seen = chances[int(first.passed) - least]
    return min(1.0, math.fsum(chance for chance in chances if chance <= seen * (1 + ROUNDING)))


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values corrected for having looked as often as there are values, in the given order.

    Holm (1979), Scandinavian Journal of Statistics 6, 65: at most `ALPHA` of such looks call anything significant when
    nothing differs. The smallest of ten must stay below a tenth of `ALPHA`, as Bonferroni asks of all. None gives none.
    """
    n, largest = len(p_values), 0.0
    corrected = [0.0] * n
    for rank, i in enumerate(sorted(range(n), key=lambda i: p_values[i])):
        largest = max(largest, min(1.0, (n - rank) * p_values[i]))
        corrected[i] = largest
    return corrected


def decided_by_noise(of: Observed, rate: Fraction) -> float | None:
    """Give the largest chance that luck alone made a gate's answer: that the model belongs on the other side of `rate`.

    That is how often a model whose true rate is exactly `rate` would do at least this well (when the gate was reached)
    or at most this well (when it was not): a binomial tail. Tasks of unequal difficulty make the tail lighter, not
    heavier (Hoeffding 1956, Annals of Mathematical Statistics 27, 713), hence *the largest*. It is written as an
    incomplete beta function (Abramowitz and Stegun 26.5.24), which also takes the passes of repeated trials that are
    not whole. No observation is undefined. A rate of 1 that was reached gives 1: no number of passes shows that a model
    never fails; a rate of 1 that was missed gives 0: one failure settles it.

    Args:
        of: the observations that the gate's rate is made of.
        rate: what the gate asked for.
    """
    if not of.n:
        return None
    from scipy.special import betainc  # noqa: PLC0415 - a second to load, and not every session needs it

    if of.rate >= rate:
        return float(betainc(of.passed, of.n - of.passed + 1, float(rate))) if of.passed else 1.0
    return float(betainc(of.n - of.passed, of.passed + 1, 1 - float(rate)))


def exchanged(pairs: Sequence[Pair]) -> float:
    """Give how often an exchange of labels within tasks leaves the first campaign as far from its share as it is.

    Where trials repeat each other, a distinct trial moves with all its repetitions. Then sums are counted one by one
    or, where there are more than `MOST`, drawn: always the same `DRAWS`, and p is (hits + 1) / (draws + 1) (Phipson
    and Smyth 2010, Statistical Applications in Genetics and Molecular Biology 9, 39).
    """
    import numpy as np  # noqa: PLC0415 - not every session needs it

    if any(side.repeated for pair in pairs for side in pair):
        counted = _counted(pairs)
        if counted is not None:
            return counted
        rng = np.random.default_rng(0)  # always the same draws: a p must not change when it is asked for again
        sums = np.zeros(DRAWS)
        for first, second in pairs:
            kinds = Counter((*first.sightings, *second.sightings))
            rate = Observed.of((*first.sightings, *second.sightings)).rate
            drawn = rng.multivariate_hypergeometric(list(kinds.values()), first.n, size=DRAWS, method="marginals")
            sums += drawn @ np.array([float(times * (passed - rate)) for times, passed in kinds])
        hits = _beyond(sums, np.ones(DRAWS), pairs, most=DRAWS)
        return (hits + 1) / (DRAWS + 1)
    # Every trial is distinct: the tasks' distributions are convolved.
    chances, lowest = np.ones(1), 0.0
    for first, second in pairs:
        least, ways = dealt(first, second)
        lowest += least - first.n * (first.passed + second.passed) / (first.n + second.n)
        chances = np.convolve(chances, ways)
    return _beyond(lowest + np.arange(len(chances)), chances, pairs)


def dealt(first: Observed, second: Observed) -> tuple[int, list[float]]:
    """Give the chances that x of both sides' passes fall to the first when labels are dealt at random: least x, all.

    The hypergeometric distribution, counted in whole numbers: C(passes, x) · C(failures, n-x) of all ways. No trial may
    repeat another.
    """
    # scipy.stats.hypergeom would take longer to load than ten thousand trials take to read
    passed, n = int(first.passed + second.passed), first.n
    failed = first.n + second.n - passed
    least, most = max(0, n - failed), min(n, passed)
    ways = [math.comb(passed, least) * math.comb(failed, n - least)]
    for x in range(least + 1, most + 1):  # each from the one before: far cheaper than two binomials of thousands
        ways.append(ways[-1] * (passed - x + 1) * (n - x + 1) // (x * (failed - n + x)))
    total = math.comb(passed + failed, n)
    return least, [way / total for way in ways]


def _counted(pairs: Sequence[Pair]) -> float | None:
    """Count all sums one by one; None where they are too many."""
    import numpy as np  # noqa: PLC0415

    sums: np.ndarray = np.zeros(1)
    chances: np.ndarray = np.ones(1)
    for first, second in pairs:
        trials = (*first.sightings, *second.sightings)
        whole, passes = sum(times for times, _ in trials), sum(times for times, passed in trials if passed)
        ways = Counter({(0, 0): 1})
        for (times, passed), alike in Counter(trials).items():
            # in whole numbers: passes beyond the share, times all trials of the task
            step = times * (whole * passed - passes)
            grown: Counter[tuple[int, int]] = Counter()
            for (taken, total), count in ways.items():
                for more in range(min(alike, first.n - taken) + 1):
                    grown[taken + more, total + more * step] += count * math.comb(alike, more)
            ways = grown
            if len(ways) > MOST // 10:  # one task alone must leave room for the others
                return None
        # what the task can add to the sum, and how likely
        dealings = math.comb(len(trials), first.n)
        adds = {total / whole: count / dealings for (taken, total), count in ways.items() if taken == first.n}
        if len(sums) * len(adds) > MOST:
            return None
        all_sums = np.add.outer(sums, np.array(list(adds))).ravel()
        shares = np.multiply.outer(chances, np.array(list(adds.values()))).ravel()
        # equal sums reached on different ways differ in their last digits
        sums, which = np.unique(np.round(all_sums, 9), return_inverse=True)
        chances = np.bincount(which, shares)
    return _beyond(sums, chances, pairs)


def _beyond(sums: np.ndarray, chances: np.ndarray, pairs: Sequence[Pair], most: float = 1.0) -> float:
    """Add up the chances of the sums that are at least as far from 0 as what was seen."""
    beyond = []  # the passes of the first campaign beyond its share, repetitions included
    for first, second in pairs:
        rate = Observed.of((*first.sightings, *second.sightings)).rate
        passes = sum(times for times, passed in first.sightings if passed)
        beyond.append(float(passes - rate * sum(times for times, _ in first.sightings)))
    seen = math.fsum(beyond)
    return min(most, float(chances[abs(sums) >= abs(seen) - ROUNDING].sum()))


# Trials that belong together: the same task, the same run, asked in two ways.


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedDifference:
    """The difference of two pass rates, second minus first, over pairs of trials."""

    pairs: int
    distinct: int
    """Of the pairs; interval and p rest on these."""
    first: int
    """Passes of the first."""
    second: int
    gained: int
    """Pairs that only the second passed."""
    lost: int
    """Pairs that only the first passed."""
    difference: float
    interval: Interval
    """See `paired_interval` and `agreeing`."""
    p: float
    """See `flip_test`."""


def paired_difference(sightings: Iterable[tuple[tuple[bool, bool], int]]) -> PairedDifference | None:
    """Compare the second trials with the first; undefined without a pair.

    The difference is that of all pairs. Those that came more than once are one observation each, so the interval is
    that of as many pairs as are distinct, at the same rates.

    Args:
        sightings: what the two trials of each distinct pair passed, and how often the pair came.
    """
    seen = list(sightings)
    counts: Counter[tuple[bool, bool]] = Counter()
    for pair, times in seen:
        counts[pair] += times
    n = sum(counts.values())
    if not n:
        return None
    both, lost, gained = counts[True, True], counts[True, False], counts[False, True]
    part, change = len(seen) / n, (gained - lost) / n
    around = paired_interval(
        both=both * part, first_only=lost * part, second_only=gained * part, neither=counts[False, False] * part
    )
    p = flip_test([(second - first) * times for (first, second), times in seen if first != second])
    return PairedDifference(
        pairs=n,
        distinct=len(seen),
        first=both + lost,
        second=both + gained,
        gained=gained,
        lost=lost,
        difference=change,
        interval=agreeing(around, change, p),
        p=p,
    )


def paired_interval(*, both: float, first_only: float, second_only: float, neither: float) -> Interval:
    """Give the interval of the difference of two paired proportions, second minus first.

    Newcombe (1998), Statistics in Medicine 17, 2635, method 10: Wilson intervals of the two proportions put together
    with their correlation, which is corrected for continuity and taken as 0 where a margin is empty.

    Raises:
        ValueError: there is no pair.
    """
    n = both + first_only + second_only + neither
    first, second = (both + first_only) / n if n else 0.0, (both + second_only) / n if n else 0.0
    around_first, around_second = wilson(both + first_only, n), wilson(both + second_only, n)
    if around_first is None or around_second is None:
        raise ValueError("an interval needs at least one pair")
    margins = (both + first_only) * (second_only + neither) * (both + second_only) * (first_only + neither)
    product = both * neither - first_only * second_only
    corrected = max(product - n / 2, 0.0) if product > 0 else product
    phi = corrected / math.sqrt(margins) if margins else 0.0
    change = second - first
    below = _joined(second - around_second.low, around_first.high - first, phi)
    above = _joined(around_second.high - second, first - around_first.low, phi)
    return Interval(max(-1.0, change - below), min(1.0, change + above))


def flip_test(moves: Sequence[int]) -> float:
    """Exact p, two-sided: how often the sum of `moves` is as far from 0 when a fair coin gives each its sign.

    Fisher's randomization test for pairs (1935, The Design of Experiments, 21). Moves of one each way make it
    McNemar's test (1947, Psychometrika 12, 153), a binomial tail; larger ones are changes that came more than once,
    which move together. Without any it is 1.
    """
    if all(abs(move) == 1 for move in moves):  # thousands of them would make a table of thousands of sums
        tail = sum(math.comb(len(moves), k) for k in range(min(moves.count(1), moves.count(-1)) + 1))
        return float(min(1.0, 2 * tail / 2 ** len(moves)))
    ways = Counter({0: 1})
    for move in moves:
        ways, before = Counter(), ways
        for total, count in before.items():
            ways[total + move] += count
            ways[total - move] += count
    far = sum(count for total, count in ways.items() if abs(total) >= abs(sum(moves)))
    return float(far / 2 ** len(moves))


def _joined(one: float, other: float, phi: float) -> float:
    return math.sqrt(max(0.0, one**2 - 2 * phi * one * other + other**2))
