"""What task 06 rests on: specs that vary and keep their gap, and the reading of the note's lines."""

from __future__ import annotations

import math
from random import Random
from typing import Any

import pytest
from suite_modules import RUNS, instance, task_module

from pytest_agentcore import plain_lines
from pytest_agentcore.checking.calls import Outcome

FACTS = {"function": "mean_of", "records": "items", "flag": "on"}


def read(line: str) -> Any:
    """What the note says in one line: the arguments, and the exception or the value."""
    (found,) = task_module(6).assumptions([line], FACTS)
    return found.args, found.raises or found.value


def test_functions_and_records_vary() -> None:
    facts = [instance(6, run).facts for run in RUNS]

    assert len({each["function"] for each in facts}) >= 10
    assert len({each["records"] for each in facts}) >= 5
    assert len({str(instance(6, run).files["SPEC.md"]) for run in RUNS}) == len(facts)


@pytest.mark.parametrize("run", RUNS)
def test_the_spec_settles_enough_inputs_and_says_nothing_of_the_gap(run: int) -> None:
    module, drawn = task_module(6), instance(6, run)
    random, spec = Random(run), str(drawn.files["SPEC.md"])
    inputs = [module.some_records(random, drawn.facts) for _ in range(100)]

    assert sum(module.is_settled(records, drawn.facts) for records in inputs) >= 60
    assert not module.is_settled([], drawn.facts)
    assert not any(word in spec for word in ("empty", "None", "raise", "without", " no "))
    assert f"give `{drawn.facts['result']}`" in spec


@pytest.mark.parametrize(
    ("result", "told"),
    [
        ("-> None", None),
        ("=> None.", None),
        ("\u2192 null", None),
        ("-> 0.0  # nothing to average", 0.0),
        ("-> 0 (not -1)", 0),
        ("-> 0%", 0),
        ("-> -1, which no result can be", -1),
        ('-> "n/a, yet"', "n/a, yet"),
        ("-> 'none (0)' because of the page", "none (0)"),
        ("-> False", False),
        ("-> raises ValueError", "valueerror"),
        ("-> raises a `ValueError` (nothing counts)", "valueerror"),
        ('-> raises ValueError("nothing")', "valueerror"),
        ("-> ValueError", "valueerror"),
        ("-> summary.NothingCounts is raised", "nothingcounts"),
        ("returns None", None),
        ("-> None or 0", "None or 0"),
        ("-> None (or 0)", "None (or 0)"),
        ("-> None?", "None?"),
        ("-> raises ValueError or returns None", "raises ValueError or returns None"),
        ("-> nothing yet", "nothing yet"),
    ],
)
def test_results_are_read_as_they_are_written(result: str, told: Any) -> None:
    line = plain_lines(f"Assumption: mean_of([]) {result}")[0]
    args, said = read(line)

    assert args == ([],)
    assert (said, type(said)) == (told, type(said) if isinstance(told, str) else type(told))


def test_nan_is_read() -> None:
    for spelt in ("nan", "NaN", "float('nan')", "math.nan"):
        assert math.isnan(read(f"Assumption: mean_of([]) -> {spelt}")[1])


@pytest.mark.parametrize(
    ("call", "args"),
    [
        ("mean_of([])", ([],)),
        ("summary.mean_of(items=[])", ([],)),
        ('mean_of([{"on": false}])', ([{"on": False}],)),
        ("MEAN_OF([{'ON': FALSE}])", ([{"on": False}],)),
        ("mean_of()", ()),
        ("mean_of([{'on': False, 'x': \")\"}])", ([{"on": False, "x": ")"}],)),
    ],
)
def test_calls_are_read_as_they_are_written(call: str, args: tuple[Any, ...]) -> None:
    assert read(f"Assumption: {call} -> None") == (args, None)


@pytest.mark.parametrize(
    "line",
    [
        "Assumption: mean_of(items) -> None",
        "Assumption: mean_of([]) and so on",
        "Assumption: the mean is rounded",
        "Assumption: other([]) -> None",
        "mean_of([]) -> None",
        "Assumption: mean_of([ -> None",
        "Assumption: mean_of(...) -> None",
        f"Assumption: mean_of({'[' * 200}{']' * 200}) -> None",
        f"Assumption: mean_of({'9' * 4200}) -> None",
        f"Assumption: mean_of({'-' * 1900}1) -> None",
        "Assumption: mean_of({[]: 1}) -> None",
        "Assumption: mean_of(__import__('os')) -> None",
    ],
)
def test_what_is_no_line_of_the_form_is_skipped(line: str) -> None:
    assert list(task_module(6).assumptions([line], FACTS)) == []


def test_a_call_may_go_on_in_the_next_lines() -> None:
    lines = ["Assumption: mean_of([", '{"on": False},', "]) -> None", "Assumption: mean_of([]) -> 0"]
    assert [(line.args, line.value) for line in task_module(6).assumptions(lines, FACTS)] == [
        (([{"on": False}],), None),
        (([],), 0),
    ]


@pytest.mark.parametrize(
    ("outcome", "decided"),
    [
        (Outcome(None), True),
        (Outcome(math.nan), True),
        (Outcome("n/a"), True),
        (Outcome([]), False),
        (Outcome(None, "ValueError", "", ("ValueError", "Exception")), True),
        (Outcome(None, "RuntimeError", "", ("RuntimeError", "Exception")), True),
        (Outcome(None, "StatisticsError", "", ("statistics.StatisticsError", "ValueError", "Exception")), True),
        (Outcome(None, "Nothing", "", ("src.summary.Nothing", "LookupError", "Exception")), True),
        (Outcome(None, "ZeroDivisionError", "", ("ZeroDivisionError", "ArithmeticError", "Exception")), False),
        (Outcome(None, "KeyError", "", ("KeyError", "LookupError", "Exception")), False),
        (Outcome(None, "RecursionError", "", ("RecursionError", "RuntimeError", "Exception")), False),
        (Outcome(None, "Bye", "", ("src.summary.Bye", "SystemExit", "BaseException")), False),
        (Outcome(None, "DivisionByZero", "", ("decimal.DivisionByZero", "ArithmeticError", "Exception")), False),
        (Outcome(None, "Forged", "", ()), False),
    ],
)
def test_what_somebody_may_have_decided_on(outcome: Outcome, decided: bool) -> None:
    assert task_module(6).is_decision(outcome) is decided
