"""Differences between paired trials: published values, edges, coverage."""

from __future__ import annotations

import itertools
import math
import operator
import random

import pytest
from scipy.stats import binomtest, t

from pytest_agentcore.stats.intervals import mean_interval
from pytest_agentcore.stats.pairs import flip_test, paired_difference, paired_interval, sign_test


def test_the_published_example() -> None:
    """Newcombe (1998), Statistics in Medicine 17, 2635, table II: 36, 12, 2, 0 by method 10."""
    found = paired_interval(both=36, first_only=2, second_only=12, neither=0)
    assert (round(found.low, 4), round(found.high, 4)) == (0.0569, 0.3404)


def test_the_order_of_the_two_turns_the_interval_round() -> None:
    one = paired_interval(both=20, first_only=3, second_only=9, neither=8)
    other = paired_interval(both=20, first_only=9, second_only=3, neither=8)
    assert one.low == pytest.approx(-other.high)
    assert one.high == pytest.approx(-other.low)


@pytest.mark.parametrize("same", ["both", "neither"])
def test_pairs_that_agree_say_that_the_difference_is_small(same: str) -> None:
    few, many = (
        paired_interval(**{"both": 0, "first_only": 0, "second_only": 0, "neither": 0} | {same: n}) for n in (5, 50)
    )
    assert few.low < many.low < 0 < many.high < few.high
    assert many.high < 0.08


def test_everything_gained() -> None:
    found = paired_difference([((False, True), 1)] * 10)
    assert found is not None
    assert (found.first, found.second, found.gained, found.lost, found.difference) == (0, 10, 10, 0, 1.0)
    assert found.interval.high == 1.0
    assert found.p == pytest.approx(2 / 2**10)


def test_no_pair_is_undefined() -> None:
    assert paired_difference([]) is None
    with pytest.raises(ValueError, match="at least one pair"):
        paired_interval(both=0, first_only=0, second_only=0, neither=0)


@pytest.mark.parametrize(("gained", "lost"), [(1, 0), (5, 1), (7, 7), (12, 2)])
def test_p_is_the_binomial_one(gained: int, lost: int) -> None:
    assert sign_test(gained, lost) == pytest.approx(binomtest(gained, gained + lost).pvalue)


def test_without_a_change_p_is_one() -> None:
    assert sign_test(0, 0) == 1.0
    assert flip_test([]) == 1.0


def test_a_pair_that_came_nine_times_moves_the_rate_and_is_one_observation() -> None:
    found = paired_difference([((False, True), 9), ((True, True), 1)])
    assert found is not None
    assert (found.pairs, found.distinct, found.difference, found.p) == (10, 2, 0.9, 1.0)
    assert found.interval.low < 0 < found.difference < found.interval.high


def test_as_many_gained_as_lost_is_no_change_however_often_one_of_them_came() -> None:
    found = paired_difference([((False, True), 1)] * 20 + [((True, False), 20)])
    assert found is not None
    assert (found.difference, found.p) == (0.0, 1.0)


@pytest.mark.parametrize("moves", [[3, 1, 1], [2, -1, 4], [5, 5, -2, 1], [1, 1, 2]])
def test_signs_are_flipped_in_all_ways(moves: list[int]) -> None:
    sums = [sum(map(operator.mul, signs, moves)) for signs in itertools.product((1, -1), repeat=len(moves))]
    expected = sum(abs(each) >= abs(sum(moves)) for each in sums) / len(sums)
    assert flip_test(moves) == pytest.approx(expected)


@pytest.mark.parametrize(("both", "lost", "gained", "pairs"), [(0.3, 0.05, 0.2, 10), (0.5, 0.1, 0.2, 30)])
def test_the_interval_covers_the_truth(both: float, lost: float, gained: float, pairs: int) -> None:
    rng = random.Random(1)
    covered, tries = 0, 1000
    for _ in range(tries):
        drawn = rng.choices(("both", "lost", "gained", "no"), (both, lost, gained, 1 - both - lost - gained), k=pairs)
        found = paired_interval(
            both=drawn.count("both"),
            first_only=drawn.count("lost"),
            second_only=drawn.count("gained"),
            neither=drawn.count("no"),
        )
        covered += found.low <= gained - lost <= found.high
    assert covered / tries > 0.93


def test_the_interval_of_a_mean() -> None:
    values = [8.0, 9.5, 11.0, 15.0]
    spread = math.sqrt(sum((value - 10.875) ** 2 for value in values) / 3)
    low, high = t.interval(0.95, df=3, loc=10.875, scale=spread / 2)
    found = mean_interval(values)
    assert found is not None
    assert found.low == pytest.approx(low)
    assert found.high == pytest.approx(high)
    assert mean_interval([3.0]) is None
