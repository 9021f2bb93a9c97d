"""Trials are divided into shards evenly, and a trial's id says which one it is."""

from __future__ import annotations

from collections import Counter
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_agentcore.pack.manifest import PlannedTrial
from pytest_agentcore.session.items import divide, key_of_id
from pytest_agentcore.trial.result import TrialKey


def grid(tasks: int, runs: int) -> list[PlannedTrial]:
    return [PlannedTrial(task=f"t{task}", run=run) for task, run in product(range(tasks), range(1, runs + 1))]


def spread(counts: Counter[object], of: int) -> int:
    """How many more the fullest has than the emptiest."""
    return max(counts.values()) - (min(counts.values()) if len(counts) == of else 0)


@settings(deadline=None)
@given(st.lists(st.sampled_from(grid(7, 6)), unique=True, min_size=1), st.integers(1, 9))
def test_every_trial_is_in_one_shard_whatever_their_order(trials: list[PlannedTrial], of: int) -> None:
    shards = [divide(trials, number, of) for number in range(1, of + 1)]

    assert Counter(trial for mine, _ in shards for trial in mine) == Counter(trials)
    assert all({*mine, *others} == {*trials} and not mine & {*others} for mine, others in shards)
    assert shards == [divide(trials[::-1], number, of) for number in range(1, of + 1)]
    sizes = [len(mine) for mine, _ in shards]
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("of", range(2, 13))
@pytest.mark.parametrize(("tasks", "runs"), [(10, 3), (10, 5), (6, 4), (1, 9), (9, 1), (4, 4), (12, 20)])
def test_tasks_and_runs_are_spread_as_evenly_as_trials(tasks: int, runs: int, of: int) -> None:
    shards = {number: divide(grid(tasks, runs), number, of)[0] for number in range(1, of + 1)}
    for task in range(tasks):
        of_task = Counter[object](n for n, mine in shards.items() for trial in mine if trial.task == f"t{task}")
        assert spread(of_task, of) <= 1
    for run in range(1, runs + 1):
        of_run = Counter[object](n for n, mine in shards.items() for trial in mine if trial.run == run)
        assert spread(of_run, of) <= 1


@pytest.mark.parametrize(
    ("nodeid", "key"),
    [
        ("tiny/test_task_01.py::test_x[bot.v2-run10]", TrialKey("bot.v2", "task_01", 10)),
        ("test_task_01.py::test_x[bot.v2-lenient-run1]@group", TrialKey("bot.v2-lenient", "task_01", 1)),
        ("tiny/test_task_01.py::test_x[botxv2-run1]", None),
        ("tiny/test_own.py::test_x", None),
    ],
)
def test_a_node_id_says_which_trial_it_is(nodeid: str, key: TrialKey | None) -> None:
    assert key_of_id(nodeid, ["bot.v2", "bot.v2-lenient"]) == key
