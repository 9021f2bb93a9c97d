"""What every task of the shipped suite declares."""

from __future__ import annotations

import re

import pytest
from suite_modules import SUITE, task_module

from pytest_agentcore.tasks.task import Task

CANARY = "canary: agentic-core-v1-open 7c1f2c1e-0a6b-4f7e-9d0e-5b6f3d2a9e41"
NUMBERS = range(1, 11)
CODE = {1, 2, 5}
"""Those whose artifact is a given file, changed."""

RUNS = range(1, 6)


@pytest.fixture(params=NUMBERS, ids=lambda number: f"task_{number:02}")
def number(request: pytest.FixtureRequest) -> int:
    """Each task of the suite."""
    chosen: int = request.param
    return chosen


@pytest.fixture
def task(number: int) -> Task:
    """What it declares."""
    declared: list[Task] = [
        value.agentcore for value in vars(task_module(number)).values() if hasattr(value, "agentcore")
    ]
    assert len(declared) == 1
    return declared[0]


def test_suite_has_ten_modules() -> None:
    modules = [path.name for path in sorted(SUITE.path.glob("test_*.py"))]

    assert [name[:12] for name in modules] == [f"test_task_{number:02}" for number in NUMBERS]


def test_checker_is_named_like_its_module_and_pytest_collects_nothing_else(number: int, task: Task) -> None:
    assert task.checker.__name__ == f"test_{task.id.split('_', 2)[2]}"
    assert [name for name in vars(task_module(number)) if name.startswith("test")] == [task.checker.__name__]


def test_one_oracle_another_right_solution_and_four_counterexamples(task: Task) -> None:
    assert len(task.oracles) == 1
    assert len(task.alternatives) >= 1
    assert len(task.counterexamples) >= 4


def test_solutions_have_names_of_their_own(task: Task) -> None:
    names = [solution.__name__ for solution in [*task.oracles, *task.alternatives, *task.counterexamples]]

    assert len(set(names)) == len(names)
    assert "<lambda>" not in names


def test_module_says_what_the_task_is_and_carries_the_canary(number: int, task: Task) -> None:
    docstring = task_module(number).__doc__ or ""

    assert docstring.lower().replace("-", " ").startswith(f"{task.id[:7]} {task.id[8:].replace('_', ' ')}: ")
    assert CANARY in docstring


def test_prompt_names_the_first_artifact(number: int, task: Task) -> None:
    assert task.artifacts
    if number != 1:  # there, finding the file is the task
        assert task.artifacts[0] in task.prompt


def test_prompt_is_short(task: Task) -> None:
    assert len(task.prompt.split()) <= 180
    assert "canary" not in task.prompt


@pytest.mark.parametrize("run", RUNS)
def test_instance_is_the_same_every_time(task: Task, run: int) -> None:
    assert task.instance(SUITE.version, run).digest() == task.instance(SUITE.version, run).digest()


def test_what_must_be_written_is_not_given(number: int, task: Task) -> None:
    if number not in CODE:
        assert not {*task.artifacts} & {*task.instance(SUITE.version, 1).files}


def test_every_run_is_another_instance(task: Task) -> None:
    assert len({task.instance(SUITE.version, run).digest() for run in RUNS}) == len(RUNS)


@pytest.mark.parametrize("run", RUNS)
def test_given_files_hold_no_canary_and_no_cache(task: Task, run: int) -> None:
    files = task.instance(SUITE.version, run).files

    assert files
    for path, content in files.items():
        assert b"canary" not in (content.encode() if isinstance(content, str) else content)
        assert not path.endswith(".pyc")


def test_system_prompt_fits_every_tool_set() -> None:
    assert len(SUITE.system_prompt.split()) < 100
    assert not re.search(r"fs_|shell|sql_query", SUITE.system_prompt)
