"""Every checker of the shipped suite accepts what is right, rejects what is wrong and breaks on nothing."""

from __future__ import annotations

import pytest
from suite_modules import SUITE

from pytest_agentcore.checks.selfcheck import Examiner
from pytest_agentcore.sandbox.open import open_sandbox
from pytest_agentcore.session.collect import Collected, collect


@pytest.fixture(scope="module")
def collected() -> Collected:
    """The shipped suite."""
    return collect([str(SUITE.path)], lambda found: found)


@pytest.fixture(scope="module")
def examiner(collected: Collected) -> Examiner:
    """Looks at one instance of each task; `agentcore selfcheck` looks at more."""
    sandbox = open_sandbox(may_fall_back=True, hidden=[SUITE.path])
    return Examiner(sandbox=sandbox, tools=collected.tools, instances=1)


def test_every_module_can_be_used(collected: Collected) -> None:
    assert collected.errors == ()
    assert len(collected.tasks) == 10


@pytest.mark.parametrize("number", range(1, 11), ids=lambda number: f"task_{number:02}")
def test_checker_can_be_trusted(collected: Collected, examiner: Examiner, number: int) -> None:
    suite, task = collected.tasks[number - 1]

    found = examiner.examine(suite, task)

    assert task.id.startswith(f"task_{number:02}_")
    assert found.problems == []
