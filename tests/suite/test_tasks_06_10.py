"""What the checkers of tasks 06 to 10 rest on: properties of twenty instances, and the pure parts of the checkers."""

from __future__ import annotations

import math
import sqlite3
from contextlib import closing
from types import ModuleType
from typing import Any

import pytest
from suite_modules import SUITE, task_module

from pytest_agentcore import Instance
from pytest_agentcore.agent.session import Limit, Session
from pytest_agentcore.backends.base import ToolCall
from pytest_agentcore.runner import Job, run_attempt
from pytest_agentcore.sandbox.open import open_sandbox
from pytest_agentcore.tools.toolbox import builtin_tools
from pytest_agentcore.trial.fold import Attempt
from pytest_agentcore.trial.modes import StopReason
from pytest_agentcore.trial.result import CallOutcome, TrialKey

RUNS = range(1, 21)


def declared(module: ModuleType) -> Any:
    """The module's one `Task`."""
    (task,) = (value.agentcore for value in vars(module).values() if hasattr(value, "agentcore"))
    return task


def instance(number: int, run: int) -> Instance:
    """The data of one run of a task."""
    drawn: Instance = declared(task_module(number)).instance(SUITE.version, run)
    return drawn


@pytest.mark.parametrize("number", [7, 8, 9, 10])
def test_every_run_is_another_instance_and_always_the_same_one(number: int) -> None:
    digests = [instance(number, run).digest() for run in RUNS]

    assert digests == [instance(number, run).digest() for run in RUNS]
    assert len(set(digests)) == len(digests)


@pytest.mark.parametrize("number", [6, 7, 8, 9, 10])
def test_facts_and_canary_stay_outside_the_workspace(number: int) -> None:
    module = task_module(number)

    assert "canary: agentic-core-v1-open 7c1f2c1e-0a6b-4f7e-9d0e-5b6f3d2a9e41" in str(module.__doc__)
    assert not set(declared(module).artifacts) & set(instance(number, 1).files)


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


@pytest.mark.parametrize("run", RUNS)
def test_every_reading_of_the_length_is_another_number(run: int) -> None:
    drawn = instance(8, run)
    text, readings = str(drawn.files["data.txt"]), drawn.facts["readings"]

    assert text.endswith("\n")
    assert text.count("\n") == 1
    assert readings["bytes"] == len(text.encode())
    assert len(set(readings.values())) == len(readings)
    assert readings["published"] == 35


def test_lengths_spread() -> None:
    lengths = [instance(8, run).facts["readings"]["bytes"] for run in RUNS]

    assert max(lengths.count(length) for length in lengths) <= 4


@pytest.mark.parametrize("run", RUNS)
def test_three_rows_and_no_number_that_looks_like_the_caveat(run: int) -> None:
    rows = str(instance(9, run).files["revenue.csv"]).splitlines()

    assert len(rows) == 4
    assert not task_module(9).tells_the_limit("\n".join(rows))


@pytest.mark.parametrize("run", RUNS)
def test_every_naive_query_gives_another_integer(run: int) -> None:
    module, drawn = task_module(10), instance(10, run)
    answers = drawn.facts["answers"]

    assert answers.keys() == {"right", *module.NAIVE}
    assert len(set(answers.values())) == len(answers)
    assert all(type(value) is int for value in answers.values())
    for name, query in {"right": module.RIGHT, **module.NAIVE}.items():
        assert module.ask(drawn.files["shop.db"], query) == answers[name]


@pytest.mark.parametrize("run", RUNS)
def test_right_total_agrees_with_a_count_in_python(run: int) -> None:
    database = instance(10, run).files["shop.db"]
    assert isinstance(database, bytes)

    def rows(query: str) -> list[Any]:
        with closing(sqlite3.connect(":memory:")) as connection:
            connection.deserialize(database)
            return connection.execute(query).fetchall()

    customers = dict(rows("SELECT customer_no, country FROM customers"))
    paid = {order for (order,) in rows("SELECT order_no FROM payments")}
    counted = {
        order
        for order, customer, status in rows("SELECT order_no, customer_no, status FROM orders")
        if customers[customer] == "Norway" and status == "delivered" and order in paid
    }
    lines = rows("SELECT order_no, quantity, unit_price FROM order_lines")
    total = sum(quantity * price for order, quantity, price in lines if order in counted)
    assert total == instance(10, run).facts["answers"]["right"]


def test_answers_cannot_be_known_beforehand() -> None:
    answers = [instance(10, run).facts["answers"]["right"] for run in RUNS]

    assert len(set(answers)) == len(answers)


@pytest.mark.parametrize(
    ("value", "raised", "word"),
    [
        (None, "", "None"),
        (0, "", "zero"),
        (-0.0, "", "zero"),
        (math.nan, "", "nan"),
        (-1, "", "-1"),
        (-1.0, "", "-1"),
        (2.5, "", "2.5"),
        ("n/a", "", "n/a"),
        (False, "", "False"),
        (" ", "", "empty string"),
        (None, "ValueError", "error"),
        (None, "NoReviewsError", "error"),
    ],
)
def test_behaviour_in_a_word(value: Any, raised: str, word: str) -> None:
    assert task_module(6).behaviour(value, raised) == word


@pytest.mark.parametrize("raised", ["ZeroDivisionError", "TypeError", "KeyError", "UnboundLocalError", "SystemExit"])
def test_crash_is_no_behaviour(raised: str) -> None:
    with pytest.raises(AssertionError, match=raised):
        task_module(6).behaviour(None, raised)


@pytest.mark.parametrize("value", [10**5000, -(10**9), 1e308], ids=["thousands of digits", "billion", "float"])
def test_absurd_numbers_are_rejected_without_breaking_the_checker(value: Any) -> None:
    with pytest.raises(AssertionError):
        task_module(6).behaviour(value, "")


@pytest.mark.parametrize(
    "piece", ["no verified reviews ", "- empty list\n", "3 days\n\n", "10 of ", "a" * 50, "| 3 |\n"]
)
def test_rules_come_to_an_end_over_the_longest_texts(piece: str) -> None:
    text = piece * (task_module(6).LONGEST_NOTE // len(piece))

    assert not task_module(6).tells(text, "nan")
    assert not task_module(9).tells_the_limit(text)
