"""Intervals for pass rates and for their difference: two-sided, 95%."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

from pytest_agentcore.stats.counting import Observed, mean

CONFIDENCE = 0.95

PRIOR_WEIGHT = 4.0
"""Trials' worth of belief, in `stratified`, that tasks do not differ. A test holds the coverage that it gives."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A range from `low` to `high`, both between 0 and 1 for a rate and between -1 and 1 for a difference."""

    low: float
    high: float


def wilson(passed: float, n: float) -> Interval | None:
    """Wilson's score interval for `passed` of `n` independent trials.

    Wilson (1927), JASA 22, 209; recommended in Newcombe (1998), Statistics in Medicine 17, 857 (method 3). `n` may be
    an effective sample size, then neither is whole. n = 0 is undefined; n = 1 and all or none passed give intervals
    that end at 1 or 0 and are not empty.
    """
    return _score(passed, n, NormalDist().inv_cdf((1 + CONFIDENCE) / 2)) if n > 0 else None


def exact(passed: float, n: float) -> Interval | None:
    """Clopper and Pearson's interval (1934, Biometrika 26, 404), which never covers less than promised.

    Wider than Wilson's. n = 0 is undefined; all or none passed give intervals that end at 1 or 0.
    """
    if n <= 0:
        return None
    from scipy.special import betaincinv  # noqa: PLC0415 - a second to load, and not every session needs it

    tail = (1 - CONFIDENCE) / 2
    low = float(betaincinv(passed, n - passed + 1, tail)) if passed > 0 else 0.0
    return Interval(low, float(betaincinv(passed + 1, n - passed, 1 - tail)) if passed < n else 1.0)


def stratified(strata: Sequence[Observed], weights: Sequence[float] | None = None) -> Interval | None:
    """The rate over *the same tasks again*: only the luck within tasks counts, not which tasks they are.

    A Wilson interval at an effective sample size, n divided by the design effect (Kish 1965, Survey Sampling, 8.2;
    Franco, Little, Louis and Slud 2019, Journal of Survey Statistics and Methodology 7, 334). The design effect is the
    variance within tasks over that of pooled trials. Three runs of a task say little about its variance (it is zero
    for 3/3), so the one estimated from all tasks, with n-1 degrees of freedom each, is drawn towards the pooled
    variance as if `PRIOR_WEIGHT` further degrees of freedom had shown that. Stratified Wilson intervals in print (Yan
    and Su 2010) cover too rarely with fewer than ten runs of a task.

    One run per task, or all or none passed, is Wilson's interval over all trials: there is nothing to tell variance
    within tasks from variance between them. No observation is undefined. Tasks without any are left out.

    Args:
        strata: observations by task.
        weights: of the tasks, in the same order, scaled as they come; by default their numbers of observations.
    """
    given = list(zip(strata, weights or [float(stratum.n) for stratum in strata], strict=True))
    used = [(stratum, weight) for stratum, weight in given if stratum.n and weight > 0]
    total = math.fsum(weight for _, weight in used)
    if not used:
        return None
    rate = math.fsum(weight * stratum.passed / stratum.n for stratum, weight in used) / total
    size = 1 / math.fsum((weight / total) ** 2 / stratum.n for stratum, weight in used)
    pooled = rate * (1 - rate)
    if pooled > 0:
        within = math.fsum(stratum.passed * (stratum.n - stratum.passed) / stratum.n for stratum, _ in used)
        freedom = sum(stratum.n - 1 for stratum, _ in used)
        size /= min(1.0, (within + PRIOR_WEIGHT * pooled) / (freedom + PRIOR_WEIGHT) / pooled)
    return wilson(rate * size, size)


def clustered(strata: Sequence[Observed], weights: Sequence[float] | None = None) -> Interval | None:
    """The rate over *other tasks like these*: tasks are drawn, trials of one task stand and fall together.

    The variance of the ratio estimator between clusters (Cochran 1977, Sampling Techniques, 3rd ed., 11.8; for language
    models Miller 2024, arXiv 2411.00640, 2.2) and Student's t with tasks-1 degrees of freedom, put into the form of
    Wilson's interval by an effective sample size (Korn and Graubard 1998, Survey Methodology 24, 193; Franco et al., as
    above). The symmetric t interval would leave 0…1 and holds the truth too rarely where one task of ten stands out.

    Ten tasks say little about their variance too: it is drawn towards that of tasks which always or never pass, as if
    one more task had shown that, and is never taken to be less than the luck within tasks. Fewer than two tasks with
    observations are undefined: nothing shows how tasks differ. All or none passed: each task is one observation.

    Args:
        strata: observations by task.
        weights: of the tasks, in the same order, scaled as they come; by default their numbers of observations.
    """
    given = list(zip(strata, weights or [float(stratum.n) for stratum in strata], strict=True))
    used = [(stratum, weight) for stratum, weight in given if stratum.n and weight > 0]
    if len(used) < 2:  # noqa: PLR2004 - a variance needs two
        return None
    total = math.fsum(weight for _, weight in used)
    shares = [weight / total for _, weight in used]
    rate = math.fsum(share * stratum.passed / stratum.n for share, (stratum, _) in zip(shares, used, strict=True))
    # The effective sample size is at least that of tasks, at most that of trials.
    fewest = 1 / math.fsum(share**2 for share in shares)
    most = 1 / math.fsum(share**2 / stratum.n for share, (stratum, _) in zip(shares, used, strict=True))
    size, pooled, tasks = fewest, rate * (1 - rate), len(used)
    if pooled > 0:
        apart = math.fsum((share * (s.passed / s.n - rate)) ** 2 for share, (s, _) in zip(shares, used, strict=True))
        correlation = tasks / (tasks - 1) * apart * fewest / pooled
        size = min(most, max(fewest, fewest * tasks / ((tasks - 1) * correlation + 1)))
    return _score(rate * size, size, _t(tasks - 1))


def difference(first: float, first_interval: Interval, second: float, second_interval: Interval) -> Interval:
    """Give the interval of `second - first` from the two rates and their intervals, which must be independent.

    Newcombe (1998), Statistics in Medicine 17, 873 (method 10) for Wilson intervals of two groups; Zou and Donner
    (2008), Statistics in Medicine 27, 1693, for any others. No edges: both rates passed all gives an interval around 0.
    """
    change = second - first
    return Interval(
        max(-1.0, change - math.hypot(second - second_interval.low, first_interval.high - first)),
        min(1.0, change + math.hypot(second_interval.high - second, first - first_interval.low)),
    )


def mean_interval(values: Sequence[float]) -> Interval | None:
    """Give the interval of a mean of any values, by Student's t; fewer than two are undefined."""
    n, centre = len(values), mean(values)
    if n < 2 or centre is None:  # noqa: PLR2004 - a variance needs two
        return None
    variance = math.fsum((value - centre) ** 2 for value in values) / (n - 1)
    half = _t(n - 1) * math.sqrt(variance / n)
    return Interval(centre - half, centre + half)


def _score(passed: float, n: float, z: float) -> Interval:
    """Wilson's interval; at its ends exactly 0 or 1, which rounding would miss."""
    centre = (passed + z * z / 2) / (n + z * z)
    half = z / (n + z * z) * math.sqrt(max(0.0, passed * (n - passed) / n) + z * z / 4)
    low = 0.0 if passed <= 0 else max(0.0, centre - half)
    return Interval(low, 1.0 if passed >= n else min(1.0, centre + half))


def _t(freedom: int) -> float:
    from scipy.special import stdtrit  # noqa: PLC0415 - a second to load, and not every session needs it

    return float(stdtrit(freedom, (1 + CONFIDENCE) / 2))
