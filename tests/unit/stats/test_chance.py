"""Tests of differences against published values, enumeration, and what a test must do when nothing differs."""

from __future__ import annotations

import itertools
import math
import operator
import random
from fractions import Fraction
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, fisher_exact, t

from pytest_agentcore.stats import chance
from pytest_agentcore.stats.chance import (
    agreeing,
    decided_by_noise,
    fisher,
    flip_test,
    holm,
    is_significant,
    paired_difference,
    paired_interval,
    paired_permutation,
)
from pytest_agentcore.stats.counting import Observed, Sighting
from pytest_agentcore.stats.intervals import Interval, mean_interval


def of(passed: int, n: int) -> Observed:
    return Observed(n=n, passed=passed)


@pytest.mark.parametrize(
    ("first", "second", "p"),
    [
        ((3, 4), (1, 4), 0.4857),  # Agresti (2002), Categorical Data Analysis, 3.5.2: the lady tasting tea
        ((10, 13), (2, 17), 0.0005367),  # Fisher (1962): convictions of twins, as in R's example of fisher.test
        ((3, 3), (1, 3), 0.4),
        ((3, 3), (0, 3), 0.1),
    ],
)
def test_fisher_gives_what_is_in_print(first: tuple[int, int], second: tuple[int, int], p: float) -> None:
    found = fisher(of(*first), of(*second))
    assert found is not None
    assert float(f"{found:.4g}") == p


@pytest.mark.parametrize(("first", "second"), [((3, 3), (3, 3)), ((1, 1), (0, 1)), ((0, 3), (0, 5))])
def test_fisher_can_say_nothing(first: tuple[int, int], second: tuple[int, int]) -> None:
    assert fisher(of(*first), of(*second)) == 1


def test_fisher_agrees_with_scipy() -> None:
    for a, n, b, m in product(range(6), (5,), range(8), (7,)):
        reference = fisher_exact(np.array([[a, n - a], [b, m - b]])).pvalue
        assert fisher(of(a, n), of(b, m)) == pytest.approx(reference, abs=1e-12)


def test_hundreds_of_runs_are_counted_without_loss() -> None:
    reference = fisher_exact(np.array([[400, 100], [350, 150]])).pvalue
    assert fisher(of(400, 500), of(350, 500)) == pytest.approx(reference, rel=1e-9)
    found = paired_permutation([(of(400, 500), of(350, 500))])
    assert found
    assert found.p == pytest.approx(reference, rel=1e-6)


def test_fisher_without_observations_is_undefined() -> None:
    assert fisher(of(0, 0), of(1, 1)) is None
    assert fisher(of(0, 3), of(0, 0)) is None


@pytest.mark.parametrize(("one", "other"), [(1, 1), (3, 3), (3, 1), (2, 5), (4, 6)])
def test_no_result_has_a_smaller_p_than_the_least(one: int, other: int) -> None:
    found = [fisher(of(a, one), of(b, other)) for a in range(one + 1) for b in range(other + 1)]
    assert fisher(of(one, one), of(0, other)) == pytest.approx(min(p for p in found if p is not None))


def test_holm_gives_what_r_gives() -> None:
    """p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm"); the order is kept."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []
    assert holm([0.7]) == [0.7]


PAIRS = [
    [((3, 3), (1, 3)), ((2, 3), (1, 3)), ((3, 3), (3, 3))],
    [((2, 2), (0, 3)), ((1, 2), (0, 1))],
    [((0, 1), (1, 1)), ((0, 2), (2, 2))],
    [((1, 1), (1, 1))],
]


@pytest.mark.parametrize("pairs", PAIRS)
def test_the_overall_test_is_the_enumeration_of_all_exchanges(pairs: list[tuple[tuple[int, int], ...]]) -> None:
    found = paired_permutation([(of(*one), of(*other)) for one, other in pairs])
    assert found
    assert found.p == pytest.approx(_enumerated(pairs))


def _enumerated(pairs: list[tuple[tuple[int, int], ...]]) -> float:
    """Every way to deal each task's observations to the two campaigns."""
    ways, expected, seen = [], 0.0, 0
    for (a, n), (b, m) in pairs:
        outcomes = [1] * (a + b) + [0] * (n + m - a - b)
        ways.append([sum(outcomes[i] for i in chosen) for chosen in combinations(range(n + m), n)])
        expected += n * (a + b) / (n + m)
        seen += a
    sums = [sum(way) for way in product(*ways)]
    return sum(abs(s - expected) >= abs(seen - expected) - 1e-9 for s in sums) / len(sums)


MODAL = Observed.of([(9, True), (1, False)])
"""Ten trials: nine say the same and pass."""


def test_repeated_trials_do_not_make_equal_rates_a_difference() -> None:
    found = paired_permutation([(of(9, 10), MODAL)] * 6, [10 * 10 / 20] * 6)
    assert found
    assert found.difference == pytest.approx(0.0)
    assert found.p == pytest.approx(1.0)
    assert found.interval.low < 0 < found.interval.high


REPEATED = [
    [(((1, True), (1, True), (1, False)), ((3, False), (1, True)))],
    [(((2, True), (1, False)), ((1, True), (2, False))), (((1, True), (1, True)), ((4, False),))],
    [(((3, True),), ((3, False),))],
]


@pytest.mark.parametrize("pairs", REPEATED)
def test_distinct_trials_are_exchanged_with_all_their_repetitions(
    pairs: list[tuple[tuple[Sighting, ...], ...]],
) -> None:
    found = paired_permutation([(Observed.of(one), Observed.of(other)) for one, other in pairs])
    assert found
    assert found.p == pytest.approx(_enumerated_whole(pairs))


def test_where_there_are_too_many_sums_exchanges_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = [
        (Observed.of([(n, True), (1, False), (2, False)]), Observed.of([(1, True), (n, False)])) for n in (1, 2, 5)
    ]
    counted = chance.exchanged(pairs)
    monkeypatch.setattr(chance, "MOST", 0)
    drawn = chance.exchanged(pairs)
    assert drawn == chance.exchanged(pairs)
    assert drawn != counted
    assert drawn == pytest.approx(counted, abs=0.01)


def _enumerated_whole(pairs: list[tuple[tuple[Sighting, ...], ...]]) -> float:
    """Every way to deal each task's distinct trials, and the first side's passes beyond its share."""
    ways, seen = [], 0.0
    for one, other in pairs:
        both = (*one, *other)
        rate = sum(times * passed for times, passed in both) / sum(times for times, _ in both)
        beyond = [times * (passed - rate) for times, passed in both]
        ways.append([sum(beyond[i] for i in chosen) for chosen in combinations(range(len(both)), len(one))])
        seen += sum(beyond[: len(one)])
    sums = [sum(way) for way in product(*ways)]
    return sum(abs(s) >= abs(seen) - 1e-9 for s in sums) / len(sums)


def test_a_task_with_repetitions_has_a_p_and_a_least_one() -> None:
    first, second = Observed.of([(3, True)]), Observed.of([(1, False), (1, False), (1, True)])
    assert fisher(first, second) == pytest.approx(0.25)
    assert fisher(first.all(passed=True), second.all(passed=False)) == pytest.approx(0.25)


def test_one_task_with_equal_numbers_is_fishers_test() -> None:
    found = paired_permutation([(of(3, 4), of(1, 4))])
    assert found
    assert found.p == pytest.approx(0.4857, abs=1e-4)
    assert found.difference == -0.5


def test_difference_and_least_p_are_over_shared_tasks_only() -> None:
    found = paired_permutation([(of(3, 3), of(0, 3)), (of(3, 3), of(0, 0)), (of(0, 0), of(3, 3))])
    assert found
    assert (found.tasks, found.difference) == (1, -1.0)
    assert found.p == found.least_p == pytest.approx(0.1)


def test_unequal_numbers_weigh_as_mantel_and_haenszel_have_it() -> None:
    found = paired_permutation([(of(2, 2), of(1, 2)), (of(1, 3), of(1, 1))])
    assert found
    weights = (2 * 2 / 4, 3 * 1 / 4)
    assert found.difference == pytest.approx((weights[0] * -0.5 + weights[1] * 2 / 3) / sum(weights))
    assert found.interval.low < found.difference < found.interval.high


@pytest.mark.parametrize("passed", [0, 3])
def test_the_same_everywhere_is_no_difference(passed: int) -> None:
    found = paired_permutation([(of(passed, 3), of(passed, 3))] * 10)
    assert found
    assert (found.p, found.difference, found.significant) == (1.0, 0.0, False)


def test_without_a_shared_task_it_is_undefined() -> None:
    assert paired_permutation([]) is None
    assert paired_permutation([(of(3, 3), of(0, 0))]) is None


def test_it_calls_alike_models_different_no_more_often_than_it_says() -> None:
    rng = random.Random(4)
    rates = [0.95, 0.9, 0.7, 0.95, 0.7, 0.9, 0.95, 0.9, 0.1, 0.9]
    campaigns = [
        [tuple(of(sum(rng.random() < rate for _ in range(3)), 3) for _ in range(2)) for rate in rates]
        for _ in range(300)
    ]
    found = [paired_permutation([(one, other) for one, other in pairs]) for pairs in campaigns]
    assert sum(test is not None and test.significant for test in found) / len(found) <= 0.05 + 0.025


@pytest.mark.parametrize(("passed", "rate"), [(22, Fraction(7, 10)), (20, Fraction(7, 10)), (30, Fraction(9, 10))])
def test_noise_behind_a_gate_is_a_binomial_tail(passed: int, rate: Fraction) -> None:
    reached = Fraction(passed, 30) >= rate
    reference = binomtest(passed, 30, float(rate), alternative="greater" if reached else "less")
    assert decided_by_noise(of(passed, 30), rate) == pytest.approx(reference.pvalue)


def test_noise_in_print() -> None:
    """Sign test, n = 10: 8 or more by chance 0.0547 (Siegel 1956, table D)."""
    found = decided_by_noise(of(8, 10), Fraction(1, 2))
    assert found == pytest.approx(0.0547, abs=5e-5)


@pytest.mark.parametrize(
    ("observed", "rate", "chance"),
    [
        (of(0, 0), Fraction(1, 2), None),
        (of(1, 1), Fraction(1, 2), 0.5),
        (of(0, 1), Fraction(1, 2), 0.5),
        (of(30, 30), Fraction(1), 1.0),
        (of(29, 30), Fraction(1), 0.0),
        (of(0, 30), Fraction(0), 1.0),
    ],
)
def test_noise_at_its_edges(observed: Observed, rate: Fraction, chance: float | None) -> None:
    assert decided_by_noise(observed, rate) == chance


def test_tasks_of_unequal_difficulty_only_make_noise_smaller() -> None:
    """Hoeffding: ten tasks with mean rate 0.7, some certain; the exact tail by convolution."""
    rates = [1.0] * 4 + [0.5] * 6
    chances = [1.0]
    for rate in [r for r in rates for _ in range(3)]:
        chances = [
            (chances[i] * (1 - rate) if i < len(chances) else 0) + (chances[i - 1] * rate if i else 0)
            for i in range(len(chances) + 1)
        ]
    largest = decided_by_noise(of(25, 30), Fraction(7, 10))
    assert largest is not None
    assert math.fsum(chances[25:]) < largest


# Paired trials: published values, edges, coverage.


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
    assert flip_test([1] * gained + [-1] * lost) == pytest.approx(binomtest(gained, gained + lost).pvalue)


def test_without_a_change_p_is_one() -> None:
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


def holds_none(interval: Interval) -> bool:
    return interval.low <= 0 <= interval.high


def test_few_distinct_trials_cannot_exclude_that_there_is_no_difference() -> None:
    """4/4 against 0/4, in two tasks whose two trials are word for word the same: +7 to +100 points, p = 0.50."""
    tasks = [(Observed.of([(2, True)]), Observed.of([(2, False)]))] * 2
    found = paired_permutation([(second, first) for first, second in tasks])

    assert found is not None
    assert found.p == 0.5
    assert found.difference == 1
    assert found.interval == Interval(0.0, 1.0)


SIGHTINGS = st.lists(st.tuples(st.integers(1, 3), st.booleans()), max_size=4).map(Observed.of)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(SIGHTINGS, SIGHTINGS), min_size=1, max_size=4))
def test_interval_and_test_of_two_campaigns_agree(tasks: list[tuple[Observed, Observed]]) -> None:
    found = paired_permutation(tasks)

    assert found is None or holds_none(found.interval) != found.significant or not found.difference


@settings(deadline=None)
@given(st.lists(st.tuples(st.tuples(st.booleans(), st.booleans()), st.integers(1, 3)), min_size=1, max_size=40))
def test_interval_and_test_of_pairs_agree(sightings: list[tuple[tuple[bool, bool], int]]) -> None:
    found = paired_difference(sightings)

    assert found
    assert holds_none(found.interval) != is_significant(found.p) or not found.difference


@pytest.mark.parametrize(
    ("low", "high", "change", "p", "agreed"),
    [
        (0.07, 1.0, 1.0, 0.5, (0.0, 1.0)),
        (-1.0, -0.07, -1.0, 0.5, (-1.0, 0.0)),
        (-0.02, 0.4, 0.2, 0.04, (0.0005, 0.4)),
        (-0.4, 0.02, -0.2, 0.04, (-0.4, -0.0005)),
        (0.1, 0.4, 0.2, 0.04, (0.1, 0.4)),
        (-0.1, 0.4, 0.2, 0.06, (-0.1, 0.4)),
    ],
)
def test_the_test_decides_about_no_difference_and_about_nothing_else(
    low: float, high: float, change: float, p: float, agreed: tuple[float, float]
) -> None:
    assert agreeing(Interval(low, high), change, p) == Interval(*agreed)
