"""A campaign's numbers against sums done by hand."""

from __future__ import annotations

import pytest
from results import GAVE_UP, INTERRUPTED, LOST, WRONG, result

from pytest_agentcore.pack.figures import EVERY, CampaignFigures, figures_of
from pytest_agentcore.stats.counting import Observed, Rates, Repeats
from pytest_agentcore.stats.intervals import clustered, stratified, wilson
from pytest_agentcore.trial.result import Prices

RESULTS = [
    result("a", 1, seconds=10.0, model_seconds=8.0, tool_seconds=2.0, turns=2, tool_calls=1),
    result("a", 2, seconds=20.0, model_seconds=18.0, tool_seconds=1.0, turns=4, tool_calls=3),
    result("a", 3, **{**GAVE_UP, "seconds": 60.0, "model_seconds": 50.0, "tool_seconds": 4.0, "tool_calls": 15}),
    result("b", 1, **{**LOST, "model_seconds": 0.0, "tool_seconds": 0.0}),
    result("b", 2, **{**WRONG, "seconds": 30.0, "model_seconds": 24.0, "tool_seconds": 5.0}),
    result("c", 1, **{**LOST, "seconds": 1.0, "model_seconds": 0.0, "tool_seconds": 0.0}),
]
PLANNED = {"a": 3, "b": 3, "c": 3, "d": 3}
PRICES = Prices(prompt=1.0, cached=0.1, reply=10.0)
EACH = (100 * 1.0 + 900 * 0.1 + 200 * 10.0) / 1e6
"""USD of one of these trials: 1000 prompt tokens, 900 of them cached, 200 reply tokens."""


@pytest.fixture
def found() -> CampaignFigures:
    return figures_of(RESULTS, PLANNED, PRICES)


def test_rates_and_observations_per_task_and_overall(found: CampaignFigures) -> None:
    assert [task.task for task in found.tasks] == ["a", "b", "c", "d"]
    assert found.task("b").rates == Rates(planned=3, recorded=2, scored=1, passed=0)
    assert found.task("d").rates == Rates(planned=3, recorded=0, scored=0, passed=0)
    overall = found.overall
    assert overall.task == EVERY
    assert overall.rates == Rates(planned=12, recorded=6, scored=4, passed=2)
    assert (overall.rates.raw, overall.rates.effective) == (2 / 12, 2 / 4)
    assert overall.distinct == Observed(n=4, passed=2)
    assert (found.outcomes["not_run"], found.outcomes["infrastructure_error"]) == (6, 2)


def test_intervals(found: CampaignFigures) -> None:
    assert found.task("a").wilson == wilson(2, 3)
    assert found.task("c").wilson is None
    assert found.same_tasks == stratified([Observed(n=3, passed=2), Observed(n=1, passed=0)])
    assert found.other_tasks == clustered([Observed(n=3, passed=2), Observed(n=1, passed=0)])


def test_identical_trials_count_once_for_intervals_and_fully_for_rates() -> None:
    same = [result("a", run, replies_digest="x" * 64) for run in (1, 2, 3)]
    found = figures_of(same, {"a": 3}, None)
    assert found.overall.rates.passed == 3
    assert (found.overall.distinct.n, found.overall.distinct.passed) == (1, 1)
    assert found.task("a").wilson == found.same_tasks == wilson(1, 1)


def test_a_repeated_pass_moves_the_rate_that_intervals_are_around() -> None:
    """Nine trials of ten in the same words: 90%, which two observations show."""
    same = [result("a", run, replies_digest="x" * 64) for run in range(1, 10)]
    found = figures_of([*same, result("a", 10, **WRONG)], {"a": 10}, None)
    assert (found.overall.distinct.n, found.overall.distinct.passed) == (2, 1.8)
    assert found.task("a").wilson == found.same_tasks == wilson(1.8, 2)


def test_the_same_words_with_another_verdict_are_another_observation() -> None:
    """The same replies can be right for one instance and wrong for the next."""
    same = [result("a", 1, replies_digest="x" * 64), result("a", 2, replies_digest="x" * 64, **WRONG)]
    assert figures_of(same, {"a": 2}, None).overall.distinct == Observed(n=2, passed=1)


def test_repeats_go_as_far_as_runs_were_planned(found: CampaignFigures) -> None:
    assert [r.k for r in found.overall.repeats] == [1, 2, 3]
    assert found.task("a").repeats[1] == Repeats(k=2, any_of=1.0, all_of=1 / 3, tasks=1, left_out=0)
    assert found.task("b").repeats[1] == Repeats(k=2, any_of=None, all_of=None, tasks=0, left_out=1)
    assert found.overall.repeats[2] == Repeats(k=3, any_of=1.0, all_of=0.0, tasks=1, left_out=3)


def test_effort_is_over_scored_trials_and_its_sums_over_all(found: CampaignFigures) -> None:
    task = found.task("a").effort
    assert (task.basis, task.seconds.n) == ("scored", 3)
    assert (task.seconds.mean, task.seconds.p50) == (30.0, 20.0)
    assert task.seconds.p95 == pytest.approx(56.0)
    assert (task.turns.mean, task.tool_calls.most) == (7.0, 15)
    assert (task.model_seconds, task.tool_seconds) == (76.0, 7.0)
    assert (task.prompt_tokens, task.cached_tokens, task.reply_tokens) == (3000, 2700, 600)
    assert task.tokens_per_second == 600 / 76.0
    assert (found.overall.effort.seconds.n, found.overall.effort.seconds.mean) == (4, 30.0)
    assert found.overall.effort.prompt_tokens == 6000


def test_effort_without_a_scored_trial_says_so(found: CampaignFigures) -> None:
    lost, empty = found.task("c").effort, found.task("d").effort
    assert (lost.basis, lost.seconds.mean, lost.tokens_per_second) == ("unscored", 1.0, None)
    assert (empty.seconds.n, empty.seconds.mean, empty.cost, empty.cost_per_trial) == (0, None, 0, None)


def test_cost_counts_what_was_paid_for_nothing_too(found: CampaignFigures) -> None:
    effort = found.overall.effort
    assert (effort.cost, effort.cost_per_trial, effort.cost_per_pass) == pytest.approx((6 * EACH, EACH, 3 * EACH))
    assert found.task("b").effort.cost_per_pass is None


def test_cost_is_not_known_without_prices() -> None:
    effort = figures_of(RESULTS, PLANNED, None).overall.effort
    assert (effort.cost, effort.cost_per_trial, effort.cost_per_pass) == (None, None, None)


def test_a_machine_by_the_hour_is_paid_by_the_second() -> None:
    found = figures_of([result("a", 1, seconds=36.0)], {"a": 1}, Prices(hour=2.0))
    assert found.overall.effort.cost == pytest.approx(0.02)


def test_of_a_manifest_and_of_nothing() -> None:
    nothing = figures_of([], {}, None)
    assert (nothing.tasks, nothing.same_tasks, nothing.other_tasks) == ((), None, None)
    assert (nothing.overall.rates.raw, nothing.overall.repeats) == (None, ())
    stopped = figures_of([result("a", 1, **INTERRUPTED)], {"a": 2}, None)
    assert stopped.overall.rates == Rates(planned=2, recorded=1, scored=0, passed=0)
