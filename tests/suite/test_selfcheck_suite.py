"""Every checker of the shipped suite accepts what is right, rejects what is wrong and breaks on nothing."""

from __future__ import annotations

import pytest
from suite_modules import SUITE

from pytest_agentcore.checks.load import Loaded, load
from pytest_agentcore.checks.selfcheck import Examiner
from pytest_agentcore.sandbox.open import open_sandbox


@pytest.fixture(scope="module")
def loaded() -> Loaded:
    """The shipped suite."""
    return load([str(SUITE.path)])


@pytest.fixture(scope="module")
def examiner(loaded: Loaded) -> Examiner:
    """Looks at one instance of each task; `agentcore selfcheck` looks at more."""
    sandbox = open_sandbox(may_fall_back=True, hidden=[SUITE.path])
    return Examiner(sandbox=sandbox, tools=loaded.tools, instances=1)


def test_every_module_can_be_loaded(loaded: Loaded) -> None:
    assert loaded.errors == ()
    assert len(loaded.tasks) == 10


@pytest.mark.parametrize("number", range(1, 11), ids=lambda number: f"task_{number:02}")
def test_checker_can_be_trusted(loaded: Loaded, examiner: Examiner, number: int) -> None:
    suite, task = loaded.tasks[number - 1]

    found = examiner.examine(suite, task)

    assert task.id.startswith(f"task_{number:02}_")
    assert found.problems == []
