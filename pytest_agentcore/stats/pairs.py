"""Compares trials that belong together: the same task, the same run, asked in two ways."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pytest_agentcore.stats.intervals import CONFIDENCE, Interval, wilson


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
    """See `paired_interval`."""
    p: float
    """See `flip_test`."""


PairSighting = tuple[tuple[bool, bool], int]
"""What the two trials of a distinct pair passed, and how often the pair came."""


def paired_difference(sightings: Iterable[PairSighting]) -> PairedDifference | None:
    """Compare the second trials with the first; undefined without a pair.

    The difference is that of all pairs. Those that came more than once are one observation each, so the interval is
    that of as many pairs as are distinct, at the same rates.
    """
    seen = list(sightings)
    counts: Counter[tuple[bool, bool]] = Counter()
    for pair, times in seen:
        counts[pair] += times
    n = sum(counts.values())
    if not n:
        return None
    both, lost, gained = counts[True, True], counts[True, False], counts[False, True]
    part = len(seen) / n
    return PairedDifference(
        pairs=n,
        distinct=len(seen),
        first=both + lost,
        second=both + gained,
        gained=gained,
        lost=lost,
        difference=(gained - lost) / n,
        interval=paired_interval(
            both=both * part, first_only=lost * part, second_only=gained * part, neither=counts[False, False] * part
        ),
        p=flip_test([(second - first) * times for (first, second), times in seen if first != second]),
    )


def paired_interval(
    *, both: float, first_only: float, second_only: float, neither: float, confidence: float = CONFIDENCE
) -> Interval:
    """Give the interval of the difference of two paired proportions, second minus first.

    Newcombe (1998), Statistics in Medicine 17, 2635, method 10: Wilson intervals of the two proportions put together
    with their correlation, which is corrected for continuity and taken as 0 where a margin is empty.

    Raises:
        ValueError: there is no pair.
    """
    n = both + first_only + second_only + neither
    first, second = (both + first_only) / n if n else 0.0, (both + second_only) / n if n else 0.0
    around_first, around_second = wilson(both + first_only, n, confidence), wilson(both + second_only, n, confidence)
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


def sign_test(gained: int, lost: int) -> float:
    """Exact p of McNemar's test, two-sided: how often a fair coin splits the pairs that changed at least so unevenly.

    McNemar (1947), Psychometrika 12, 153. Without a pair that changed it is 1.
    """
    changed, least = gained + lost, min(gained, lost)
    tail = sum(math.comb(changed, k) for k in range(least + 1)) / 2**changed
    return float(min(1.0, 2 * tail))


def flip_test(moves: Sequence[int]) -> float:
    """Exact p, two-sided: how often the sum of `moves` is as far from 0 when a fair coin gives each its sign.

    Fisher's randomization test for pairs (1935, The Design of Experiments, 21). Moves of one each way make it
    `sign_test`; larger ones are changes that came more than once, which move together. Without any it is 1.
    """
    if all(abs(move) == 1 for move in moves):  # thousands of them would make a table of thousands of sums
        return sign_test(moves.count(1), moves.count(-1))
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
