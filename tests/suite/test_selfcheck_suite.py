"""Every checker of the shipped suite accepts what is right, rejects what is wrong and breaks on nothing."""

from __future__ import annotations

import pytest
from suite_modules import SUITE

from pytest_agentcore.checks.selfcheck import examine
from pytest_agentcore.sandbox.base import Sandbox
from pytest_agentcore.sandbox.open import open_sandbox
from pytest_agentcore.session.collect import Collected, collect


@pytest.fixture(scope="module")
def collected() -> Collected:
    """The shipped suite."""
    return collect([str(SUITE.path)], lambda found: found)


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    """The best that works here."""
    return open_sandbox(may_fall_back=True, hidden=[SUITE.path])


def test_every_module_can_be_used(collected: Collected) -> None:
    assert collected.errors == ()
    assert len(collected.tasks) == 10


@pytest.mark.parametrize("number", range(1, 11), ids=lambda number: f"task_{number:02}")
def test_checker_can_be_trusted(collected: Collected, sandbox: Sandbox, number: int) -> None:
    """Looks at one instance of each task; `agentcore selfcheck` looks at more."""
    suite, task = collected.tasks[number - 1]

    found = examine(suite, task, sandbox=sandbox, tools=collected.tools, instances=1)

    assert task.id.startswith(f"task_{number:02}_")
    assert found.problems == []
    assert len(found.survivors) <= 0.05 * found.mutants
