"""Intervals against published values, other libraries, their own edges, and the coverage that they promise."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from pytest_agentcore.stats.counting import Observed
from pytest_agentcore.stats.intervals import Interval, clustered, difference, stratified, wilson


def of(*passed_of: tuple[int, int]) -> list[Observed]:
    return [Observed(n=n, passed=passed) for passed, n in passed_of]


@pytest.mark.parametrize(
    ("passed", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_gives_what_newcombe_printed(passed: int, n: int, low: float, high: float) -> None:
    """Newcombe (1998), Statistics in Medicine 17, 857, table I, method 3."""
    found = wilson(passed, n)
    assert found
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)


@pytest.mark.parametrize(("passed", "n"), [(0, 1), (1, 1), (30, 30), (0, 30), (22, 30), (22, 24), (499, 500)])
def test_wilson_agrees_with_statsmodels(passed: int, n: int) -> None:
    found = wilson(passed, n)
    assert found
    assert (found.low, found.high) == pytest.approx(proportion_confint(passed, n, method="wilson"), abs=1e-12)


def test_wilson_of_nothing_is_undefined() -> None:
    assert wilson(0, 0) is None


@given(st.integers(0, 200), st.integers(1, 200))
def test_wilson_holds_its_rate_and_mirrors(passed: int, n: int) -> None:
    passed = min(passed, n)
    found, mirrored = wilson(passed, n), wilson(n - passed, n)
    assert found
    assert mirrored
    assert 0 <= found.low <= passed / n <= found.high <= 1
    assert found.low < found.high
    assert (found.low, found.high) == pytest.approx((1 - mirrored.high, 1 - mirrored.low))


@pytest.mark.parametrize(
    ("one", "other", "low", "high"),
    [
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((6, 7), (2, 7), 0.0582, 0.8062),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((0, 10), (0, 20), -0.1611, 0.2775),
        ((10, 10), (0, 20), 0.6791, 1.0),
    ],
)
def test_difference_gives_what_newcombe_printed(
    one: tuple[int, int], other: tuple[int, int], low: float, high: float
) -> None:
    """Newcombe (1998), Statistics in Medicine 17, 873, table II, method 10: the first group minus the second."""
    found = _difference(other, one)
    assert (found.low, found.high) == pytest.approx((low, high), abs=6e-5)


@pytest.mark.parametrize(("one", "other"), [((3, 3), (1, 3)), ((22, 30), (23, 30)), ((0, 3), (3, 3))])
def test_difference_agrees_with_statsmodels(one: tuple[int, int], other: tuple[int, int]) -> None:
    found = _difference(one, other)
    reference = confint_proportions_2indep(*other, *one, method="newcomb", compare="diff")
    assert (found.low, found.high) == pytest.approx(reference, abs=1e-9)


def test_difference_of_two_that_passed_all_lies_around_nothing() -> None:
    found = _difference((30, 30), (30, 30))
    assert found.low == pytest.approx(-found.high)
    assert found.high > 0.1


def _difference(first: tuple[int, int], second: tuple[int, int]) -> Interval:
    one, two = wilson(*first), wilson(*second)
    assert one
    assert two
    return difference(first[0] / first[1], one, second[0] / second[1], two)


@pytest.mark.parametrize("strata", [[(3, 3)] * 10, [(0, 3)] * 10, [(1, 1)] * 7 + [(0, 1)] * 3])
def test_stratified_is_pooled_where_nothing_tells_tasks_from_luck(strata: list[tuple[int, int]]) -> None:
    """All passed, none passed, one run per task."""
    total = (sum(passed for passed, _ in strata), sum(n for _, n in strata))
    found, pooled = stratified(of(*strata)), wilson(*total)
    assert found
    assert pooled
    assert (found.low, found.high) == pytest.approx((pooled.low, pooled.high))


def test_stratified_is_narrower_where_tasks_differ_and_runs_agree() -> None:
    found, pooled = stratified(of(*[(3, 3)] * 7, *[(0, 3)] * 3)), wilson(21, 30)
    assert found
    assert pooled
    assert pooled.low < found.low < 0.7 < found.high < pooled.high


def test_stratified_of_nothing_is_undefined_and_tasks_without_observations_do_not_count() -> None:
    assert stratified([]) is None
    assert stratified(of((0, 0), (0, 0))) is None
    assert stratified(of((2, 3), (0, 0), (1, 3))) == stratified(of((2, 3), (1, 3)))
    assert stratified(of((1, 1))) == wilson(1, 1)


SUITES = {
    "alike": [0.9] * 10,
    "like the seed": [0.95, 0.95, 0.7, 0.95, 0.7, 0.95, 0.95, 0.95, 0.1, 0.9],
    "all over": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95],
    "weak": [0.02] * 8 + [0.5] * 2,
}


@pytest.mark.parametrize("runs", [1, 3, 10])
@pytest.mark.parametrize("suite", SUITES)
def test_stratified_covers_the_truth_as_often_as_it_says(suite: str, runs: int) -> None:
    """In 95 of 100 campaigns of a model whose rates are known; 2000 of them leave an error of about 1 in 100."""
    rng = random.Random(f"{suite}/{runs}")
    truth = sum(SUITES[suite]) / len(SUITES[suite])
    campaigns = [[(_passes(rng, rate, runs), runs) for rate in SUITES[suite]] for _ in range(2000)]
    hits = sum(found.low <= truth <= found.high for c in campaigns if (found := stratified(of(*c))))
    assert hits / len(campaigns) > 0.92


def _passes(rng: random.Random, rate: float, runs: int) -> int:
    return sum(rng.random() < rate for _ in range(runs))


@pytest.mark.parametrize("runs", [1, 3, 10])
@pytest.mark.parametrize("suite", SUITES)
def test_clustered_covers_the_truth_over_tasks_that_are_drawn(suite: str, runs: int) -> None:
    rng = random.Random(f"{suite}/{runs}")
    truth = sum(SUITES[suite]) / len(SUITES[suite])
    drawn = [rng.choices(SUITES[suite], k=10) for _ in range(1000)]
    campaigns = [[(_passes(rng, rate, runs), runs) for rate in rates] for rates in drawn]
    hits = sum(found.low <= truth <= found.high for c in campaigns if (found := clustered(of(*c))))
    assert hits / len(campaigns) > 0.92


def test_clustered_by_hand() -> None:
    """Rates 1, 1/3, 2/3 and 0: the mean 1/2, squares 0.5556, variance of the mean 0.5556 / (4 · 3) = 0.0463.

    Four tasks that always or never pass would have 0.25 / 4, so the correlation is 0.7407, drawn to 0.8056 by one more
    such task: (3 · 0.7407 + 1) / 4. The size is 4 / 0.8056 = 4.966; t with three degrees of freedom is 3.1824.
    """
    found = clustered(of((3, 3), (1, 3), (2, 3), (0, 3)))
    size, t = 4.965517, 3.182446
    half = t / (size + t * t) * (size / 4 + t * t / 4) ** 0.5
    assert found
    assert (found.low, found.high) == pytest.approx((0.5 - half, 0.5 + half), abs=1e-6)


def test_clustered_is_wider_than_the_same_tasks_again() -> None:
    """The seed's tasks: eight were scored."""
    strata = of((3, 3), (3, 3), (2, 3), (3, 3), (2, 3), (3, 3), (3, 3), (3, 3))
    same, others = stratified(strata), clustered(strata)
    assert same
    assert others
    assert others.low < same.low < same.high < others.high


def test_clustered_tasks_that_always_or_never_pass_are_one_observation_each() -> None:
    few, many = clustered(of(*[(1, 1)] * 7, *[(0, 1)] * 3)), clustered(of(*[(9, 9)] * 7, *[(0, 9)] * 3))
    assert few
    assert many
    assert (few.low, few.high) == pytest.approx((many.low, many.high))


def test_clustered_needs_two_tasks() -> None:
    assert clustered([]) is None
    assert clustered(of((3, 3))) is None
    assert clustered(of((3, 3), (0, 0))) is None


@pytest.mark.parametrize("passed", [3, 0])
def test_clustered_is_not_certain_because_all_tasks_are_alike(passed: int) -> None:
    """n/(n+t²) with t = 2.2622 for nine degrees of freedom."""
    found = clustered(of(*[(passed, 3)] * 10))
    assert found
    edge = 10 / (10 + 2.262157**2)
    assert (found.low, found.high) == pytest.approx((edge, 1.0) if passed else (0.0, 1 - edge), abs=1e-6)


def test_clustered_of_two_tasks_that_all_passed_says_almost_nothing() -> None:
    """t with one degree of freedom is 12.7, a normal quantile that no probability below 1 stands for."""
    found = clustered(of((1, 1), (1, 1)))
    assert found
    assert (found.low, found.high) == pytest.approx((2 / (2 + 12.7062**2), 1.0), abs=1e-6)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=12))
def test_intervals_over_tasks_hold_the_rate(pairs: list[tuple[int, int]]) -> None:
    strata = of(*((min(passed, n), n) for passed, n in pairs))
    total = sum(stratum.n for stratum in strata)
    for found in (stratified(strata), clustered(strata)):
        if found:
            rate = sum(stratum.passed for stratum in strata) / total
            assert 0 <= found.low <= rate + 1e-12
            assert rate - 1e-12 <= found.high <= 1
            assert found.low < found.high
