"""Tests of differences against published values, enumeration, and what a test must do when nothing differs."""

from __future__ import annotations

import math
import random
from fractions import Fraction
from itertools import combinations, product

import numpy as np
import pytest
from scipy.stats import binomtest, fisher_exact

from pytest_agentcore.stats import chance
from pytest_agentcore.stats.chance import decided_by_noise, fisher, holm, least_fisher, paired_permutation
from pytest_agentcore.stats.counting import Observed, Sighting


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
    assert least_fisher(of(0, 0), of(0, 3)) is None


@pytest.mark.parametrize(("one", "other"), [(1, 1), (3, 3), (3, 1), (2, 5), (4, 6)])
def test_no_result_has_a_smaller_p_than_the_least(one: int, other: int) -> None:
    found = [fisher(of(a, one), of(b, other)) for a in range(one + 1) for b in range(other + 1)]
    assert least_fisher(of(0, one), of(0, other)) == pytest.approx(min(p for p in found if p is not None))


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
    assert least_fisher(first, second) == pytest.approx(0.25)


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
