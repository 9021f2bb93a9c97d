"""Exchanging labels: how two campaigns could have come out if each trial could have been made by either."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pytest_agentcore.stats.counting import Observed

if TYPE_CHECKING:
    import numpy as np

ROUNDING = 1e-9
"""Two results of a test that are equally far from expectation differ by less than this after rounding."""

DRAWS = 19_999
"""Exchanges that are drawn where there are too many to count; p is then a multiple of 1/20,000."""

MOST = 200_000
"""Sums that are counted, at most; a fraction of a second."""

Pair = tuple[Observed, Observed]
"""One task in two campaigns."""


def exchanged(pairs: Sequence[Pair]) -> float:
    """How often an exchange of labels within tasks leaves the first campaign as far from its share of passes as it is.

    Where trials repeat each other, a distinct trial moves with all its repetitions. Then sums are counted one by one
    or, where there are more than `MOST`, drawn: always the same `DRAWS`, and p is (hits + 1) / (draws + 1) (Phipson
    and Smyth 2010, Statistical Applications in Genetics and Molecular Biology 9, 39).
    """
    if not any(side.repeated for pair in pairs for side in pair):
        return _hypergeometric(pairs)
    counted = _counted(pairs)
    return _drawn(pairs) if counted is None else counted


def dealt(first: Observed, second: Observed) -> tuple[int, list[float]]:
    """How many of both sides' passes fall to the first when labels are dealt at random: the fewest, and all chances.

    The hypergeometric distribution, counted in whole numbers: C(passes, x) · C(failures, n-x) ways, each from the one
    before. It is scipy.stats.hypergeom, which takes longer to load than ten thousand trials take to read. No trial may
    repeat another.
    """
    passed, n = int(first.passed + second.passed), first.n
    failed = first.n + second.n - passed
    least, most = max(0, n - failed), min(n, passed)
    ways = [math.comb(passed, least) * math.comb(failed, n - least)]
    for x in range(least + 1, most + 1):
        ways.append(ways[-1] * (passed - x + 1) * (n - x + 1) // (x * (failed - n + x)))
    total = math.comb(passed + failed, n)
    return least, [way / total for way in ways]


def _hypergeometric(pairs: Sequence[Pair]) -> float:
    """Every trial is distinct: the sum of passes is a convolution."""
    import numpy as np  # noqa: PLC0415 - not every session needs it

    chances = np.ones(1)
    least = 0
    for first, second in pairs:
        fewest, ways = dealt(first, second)
        least += fewest
        chances = np.convolve(chances, ways)
    expected = sum(first.n * (first.passed + second.passed) / (first.n + second.n) for first, second in pairs)
    seen = sum(first.passed for first, _ in pairs)
    return _beyond(np.arange(least, least + len(chances)) - expected, chances, seen - expected)


def _counted(pairs: Sequence[Pair]) -> float | None:
    """All sums and their chances; None where they are too many."""
    import numpy as np  # noqa: PLC0415

    sums: np.ndarray = np.zeros(1)
    chances: np.ndarray = np.ones(1)
    for first, second in pairs:
        ways = _ways(first, second)
        if ways is None or len(sums) * len(ways) > MOST:
            return None
        all_sums = np.add.outer(sums, np.array(list(ways))).ravel()
        shares = np.multiply.outer(chances, np.array(list(ways.values()))).ravel()
        sums, which = np.unique(np.round(all_sums, 9), return_inverse=True)
        chances = np.bincount(which, shares)
    return _beyond(sums, chances, sum(_seen(*pair) for pair in pairs))


def _ways(first: Observed, second: Observed) -> dict[float, float] | None:
    """What one task can add to the sum, and the chances of it; None where there is too much."""
    trials = (*first.sightings, *second.sightings)
    whole, passes = sum(times for times, _ in trials), sum(times for times, passed in trials if passed)
    ways = Counter({(0, 0): 1})
    for times, passed in trials:
        # in whole numbers: passes beyond the share, times all trials of the task
        step = times * (whole * passed - passes)
        for (taken, total), count in list(ways.items()):
            if taken < first.n:
                ways[taken + 1, total + step] += count
        if len(ways) > MOST // 10:
            return None
    dealings = math.comb(len(trials), first.n)
    return {total / whole: count / dealings for (taken, total), count in ways.items() if taken == first.n}


def _drawn(pairs: Sequence[Pair]) -> float:
    import numpy as np  # noqa: PLC0415

    rng = np.random.default_rng(0)
    sums = np.zeros(DRAWS)
    for first, second in pairs:
        kinds = Counter((*first.sightings, *second.sightings))
        rate = Observed.of((*first.sightings, *second.sightings)).rate
        drawn = rng.multivariate_hypergeometric(list(kinds.values()), first.n, size=DRAWS, method="marginals")
        sums += drawn @ np.array([float(times * (passed - rate)) for times, passed in kinds])
    seen = sum(_seen(*pair) for pair in pairs)
    hits = int((np.abs(sums) >= abs(seen) - ROUNDING).sum())
    return (hits + 1) / (DRAWS + 1)


def _seen(first: Observed, second: Observed) -> float:
    """Passes of the first campaign beyond its share, repetitions included."""
    rate = Observed.of((*first.sightings, *second.sightings)).rate
    return math.fsum(float(times * (passed - rate)) for times, passed in first.sightings)


def _beyond(sums: np.ndarray, chances: np.ndarray, seen: float) -> float:
    """The chance of a sum at least as far from 0 as `seen`."""
    return min(1.0, float(chances[abs(sums) >= abs(seen) - ROUNDING].sum()))
