"""pass@k and pass^k against enumeration and their edges."""

from __future__ import annotations

from itertools import combinations

import pytest

from pytest_agentcore.stats import Rates
from pytest_agentcore.stats.counting import Repeats, pass_at_k, pass_hat_k, repeats


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
