"""Planning against a published sample size and against the test that it plans for."""

from __future__ import annotations

import random

import pytest

from pytest_agentcore.stats.chance import paired_permutation
from pytest_agentcore.stats.counting import Observed
from pytest_agentcore.stats.power import Expected, detectable, learned, runs_to_detect, unknown


def test_one_task_is_the_published_sample_size() -> None:
    """Chow, Shao and Wang (2008), Sample Size Calculations in Clinical Research, 4.2.4: 65% against 85% asks for 70."""
    assert runs_to_detect(0.2, 0.8, Expected(rates=(0.65,))) == 70


def test_tasks_share_the_work() -> None:
    assert runs_to_detect(-0.1, 0.8, Expected(rates=(0.5,))) == 385
    assert runs_to_detect(-0.1, 0.8, unknown(10)) == 39


def test_tasks_that_always_end_alike_ask_for_fewer_runs() -> None:
    steady = learned([Observed(n=10, passed=10)] * 7 + [Observed(n=10, passed=0)] * 3)
    assert runs_to_detect(-0.1, 0.8, steady) < runs_to_detect(-0.1, 0.8, unknown(10)) / 2


def test_an_earlier_campaign_without_a_failure_is_not_taken_for_certainty() -> None:
    found = learned([Observed(n=3, passed=3), Observed(n=1, passed=0), Observed(n=0, passed=0)])
    assert found.rates == (3.5 / 4, 0.5 / 2, 0.5)
    assert found.mean == pytest.approx((0.875 + 0.25 + 0.5) / 3)


@pytest.mark.parametrize("by", [-0.2, 0.1])
def test_a_moved_suite_has_the_mean_it_was_moved_to_and_stays_within_bounds(by: float) -> None:
    moved = Expected(rates=(0.9, 0.8, 0.1)).moved(by)
    assert moved.mean == pytest.approx(0.6 + by)
    assert all(0 < rate < 1 for rate in moved.rates)


def test_there_must_be_room_for_the_change() -> None:
    with pytest.raises(ValueError, match="cannot move"):
        runs_to_detect(-0.6, 0.8, Expected(rates=(0.5, 0.6)))


def test_two_runs_at_least() -> None:
    assert runs_to_detect(-0.45, 0.5, unknown(100)) == 2


def test_detectable_is_the_inverse() -> None:
    least = detectable(39, 0.8, unknown(10))
    assert least is not None
    assert 0.09 < least <= 0.1
    assert runs_to_detect(-least, 0.8, unknown(10)) <= 39
    assert detectable(2, 0.9, unknown(1)) is None


def test_so_many_runs_find_it_about_as_often_as_asked() -> None:
    """The exact test on campaigns that are drawn: 200 of them leave an error of 3 in 100."""
    before = learned([Observed(n=3, passed=n) for n in (3, 3, 2, 3, 2, 3, 3, 3, 0, 2)])
    after, runs, rng = before.moved(-0.2), runs_to_detect(-0.2, 0.8, before), random.Random(1)
    found = 0
    for _ in range(200):
        pairs = [tuple(_draw(rng, rate, runs) for rate in both) for both in zip(before.rates, after.rates, strict=True)]
        test = paired_permutation([(one, other) for one, other in pairs])
        found += test is not None and test.significant
    assert 0.65 < found / 200 < 0.95


def _draw(rng: random.Random, rate: float, runs: int) -> Observed:
    return Observed(n=runs, passed=sum(rng.random() < rate for _ in range(runs)))
