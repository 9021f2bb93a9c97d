"""Edges and reference values of the statistics."""

from __future__ import annotations

import statistics
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from results import GAVE_UP, INTERRUPTED, LOST, WRONG, result

from pytest_agentcore.stats.counting import (
    OUTCOMES,
    Distribution,
    Rates,
    Repeats,
    basis,
    by_task,
    cause_counts,
    mean,
    observed,
    outcome_counts,
    pass_at_k,
    pass_hat_k,
    quantile,
    repeats,
)
from pytest_agentcore.trial.modes import Cause
from pytest_agentcore.trial.result import TrialResult

SOME = [
    result("task_01", 1),
    result("task_01", 2, **WRONG),
    result("task_02", 1, **GAVE_UP),
    result("task_02", 2, **LOST),
    result("task_03", 1, **INTERRUPTED),
]


def test_rates_take_what_is_unscored_out_of_both_sides_of_the_effective_rate_only() -> None:
    rates = Rates.of(SOME, planned=6)

    assert (rates.planned, rates.recorded, rates.scored, rates.passed) == (6, 5, 3, 1)
    assert rates.raw == 1 / 6
    assert rates.effective == 1 / 3


@pytest.mark.parametrize(
    ("results", "planned", "raw", "effective"),
    [([], 0, None, None), ([], 3, 0.0, None), ([result(**LOST)], 1, 0.0, None), ([result()], 1, 1.0, 1.0)],
)
def test_rates_at_their_edges(
    results: list[TrialResult], planned: int, raw: float | None, effective: float | None
) -> None:
    rates = Rates.of(results, planned)

    assert (rates.raw, rates.effective) == (raw, effective)


def test_every_planned_trial_has_one_outcome() -> None:
    counts = outcome_counts(SOME, planned=8)

    assert tuple(counts) == OUTCOMES
    assert list(counts.values()) == [1, 1, 1, 1, 1, 3]


def test_causes_come_with_their_outcome_the_most_frequent_first() -> None:
    counts = cause_counts([*SOME, result("task_04", 1, **WRONG)])

    assert next(iter(counts.items())) == (("wrong_answer", Cause.checker_rejected), 2)
    assert sum(counts.values()) == 5


def test_equal_replies_to_one_task_are_one_observation() -> None:
    same = {"replies_digest": "c" * 64}
    results = [result("a", 1, **same), result("a", 2, **same), result("b", 1, **same), result("b", 2, **same, **LOST)]

    assert observed(results).n == 2


def test_trials_are_grouped_in_the_plan_s_order_and_by_run() -> None:
    grouped = by_task([result("b", 2), result("a", 1), result("b", 1)], ["c", "b"])

    assert {task: [r.run for r in found] for task, found in grouped.items()} == {"c": [], "b": [1, 2], "a": [1]}
    assert list(grouped) == ["c", "b", "a"]


def test_averages_rest_on_scored_trials_and_on_the_others_only_where_there_is_none() -> None:
    assert basis(SOME[:4]) == ("scored", SOME[:3])
    assert basis(SOME[3:]) == ("unscored", SOME[3:])
    assert basis([]) == ("unscored", [])


def test_distribution_of_nothing_is_undefined_and_of_one_value_is_that_value() -> None:
    assert Distribution.of([]) == Distribution(n=0, total=0, mean=None, p50=None, p95=None, least=None, most=None)
    assert Distribution.of([2.5]) == Distribution(n=1, total=2.5, mean=2.5, p50=2.5, p95=2.5, least=2.5, most=2.5)


def test_quantile_interpolates_between_order_statistics() -> None:
    """Reference: numpy.quantile([15, 20, 35, 40, 50], 0.4) is 29.0."""
    assert quantile([50, 15, 40, 20, 35], 0.4) == pytest.approx(29.0)
    assert quantile([1.0, 2.0], 0.95) == pytest.approx(1.95)


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=50))
def test_quantile_agrees_with_the_standard_library(values: list[float]) -> None:
    reference = statistics.quantiles(values, n=20, method="inclusive")

    assert [quantile(values, i / 20) for i in range(1, 20)] == pytest.approx(reference, abs=1e-6)


@given(st.lists(st.floats(0, 1e6), min_size=1))
def test_mean_lies_between_the_extremes(values: list[float]) -> None:
    found = mean(values)

    assert found is not None
    assert min(values) * (1 - 1e-12) <= found <= max(values) * (1 + 1e-12)


@pytest.mark.parametrize(("passed", "scored", "k"), [(2, 5, 2), (1, 3, 2), (0, 3, 3), (3, 3, 2), (7, 10, 5)])
def test_both_are_the_share_of_all_choices_of_k_runs(passed: int, scored: int, k: int) -> None:
    runs = [True] * passed + [False] * (scored - passed)
    choices = list(combinations(runs, k))
    assert pass_at_k(passed, scored, k) == pytest.approx(sum(map(any, choices)) / len(choices))
    assert pass_hat_k(passed, scored, k) == pytest.approx(sum(map(all, choices)) / len(choices))


def test_the_published_estimator_to_the_digit() -> None:
    """Chen et al. (2021), figure 3: the product form 1 - prod(1 - k/i for i in n-c+1 … n); here n=200, c=24, k=10."""
    product = 1.0
    for i in range(200 - 24 + 1, 201):
        product *= 1 - 10 / i
    assert pass_at_k(24, 200, 10) == pytest.approx(1 - product)


@pytest.mark.parametrize(("passed", "scored", "k"), [(0, 0, 1), (3, 3, 4), (3, 3, 0)])
def test_more_tries_than_runs_are_undefined(passed: int, scored: int, k: int) -> None:
    assert pass_at_k(passed, scored, k) is None
    assert pass_hat_k(passed, scored, k) is None


def test_once_is_the_pass_rate() -> None:
    assert pass_at_k(2, 3, 1) == pass_hat_k(2, 3, 1) == pytest.approx(2 / 3)
    assert pass_at_k(1, 1, 1) == pass_hat_k(1, 1, 1) == 1


def test_over_tasks_it_is_their_mean_and_says_whom_it_leaves_out() -> None:
    tasks = [_rates(3, 3), _rates(1, 3), _rates(0, 1), _rates(0, 0)]
    assert repeats(tasks, 2) == Repeats(k=2, any_of=(1 + 2 / 3) / 2, all_of=0.5, tasks=2, left_out=2)
    assert repeats(tasks, 4) == Repeats(k=4, any_of=None, all_of=None, tasks=0, left_out=4)
    assert repeats([], 1) == Repeats(k=1, any_of=None, all_of=None, tasks=0, left_out=0)


def _rates(passed: int, scored: int) -> Rates:
    return Rates(planned=3, recorded=scored, scored=scored, passed=passed)
