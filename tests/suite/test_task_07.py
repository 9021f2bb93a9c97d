"""What task 07 rests on: its chain of numbers, and the order of writes."""

from __future__ import annotations

from typing import Any

import pytest
from suite_modules import RUNS, SUITE, declared, instance, task_module

from pytest_agentcore import Instance
from pytest_agentcore.agent.session import Limit, Session
from pytest_agentcore.backends.base import ToolCall
from pytest_agentcore.runner import Job, run_attempt
from pytest_agentcore.sandbox.open import open_sandbox
from pytest_agentcore.tools.toolbox import builtin_tools
from pytest_agentcore.trial.fold import Attempt
from pytest_agentcore.trial.modes import StopReason
from pytest_agentcore.trial.result import CallOutcome, TrialKey


def chain(lines: list[str], ending: str, size: Any) -> list[int]:
    """The numbers of steps 2 to 4, if each line ends so and `size` measures."""
    sizes: list[int] = []
    for line in lines[:3]:
        sizes.append(size(line + (f" {sizes[-1]}" if sizes else "") + ending))
    return sizes


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("ending", ["", "\n"])
def test_no_number_of_the_step_chain_is_what_counting_characters_gives(run: int, ending: str) -> None:
    lines = instance(7, run).facts["lines"]
    right = chain(lines, ending, lambda text: len(text.encode()))
    by_eye = chain(lines, ending, len)

    assert all(a != b for a, b in zip(right, by_eye, strict=True))
    assert all(len(line) < 60 for line in lines)


def test_the_step_chain_cannot_be_known_beforehand() -> None:
    chains = [tuple(chain(instance(7, run).facts["lines"], "", lambda text: len(text.encode()))) for run in RUNS]

    assert len(set(chains)) == len(chains)
    for position in zip(*chains, strict=True):
        assert max(position.count(size) for size in position) <= len(chains) // 4


def test_first_writes_keep_order_and_turn() -> None:
    first_writes = task_module(7).first_writes
    writes = [(2, "./b.txt"), (3, "a/../a.txt"), (3, "/workspace/c.txt"), (5, "b.txt")]

    assert list(first_writes((turn, {"path": path}) for turn, path in writes).items()) == [
        ("b.txt", 2),
        ("a.txt", 3),
        ("c.txt", 3),
    ]


def batch(drawn: Instance, session: Session) -> Attempt:
    """Write all four steps in one turn, with the right numbers."""
    session.begin_turn()
    tail = ""
    for index, (step, line) in enumerate(zip(task_module(7).STEPS, drawn.facts["lines"], strict=True)):
        arguments = {"path": step, "content": line + tail}
        session.act(ToolCall(id=f"call_{index}", name="fs_write", arguments=arguments), index)
        tail = f" {len((line + tail).encode())}"
    return session.finish(StopReason.final_answer)


def test_steps_written_in_one_turn_are_rejected_whatever_they_hold() -> None:
    task = declared(task_module(7))
    job = Job(
        key=TrialKey("batch", task.id, 1),
        task=task,
        suite=SUITE,
        sandbox=open_sandbox("process"),
        tools={tool.spec.name: tool for tool in builtin_tools()},
        limit=Limit(),
    )
    finished = run_attempt(job, batch, lambda event: None)
    try:
        assert [call.outcome for call in finished.attempt.calls] == [CallOutcome.ok] * 4
        with pytest.raises(
            AssertionError, match=r"step2.txt was written before the result of .*step1.txt could be read"
        ):
            task.checker(finished.trial)
    finally:
        finished.close()
