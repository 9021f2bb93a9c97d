"""What task 05 rests on: what its given tests show, that the module is long, and that instances differ."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from suite_modules import RUNS, instance, python, task_module

from pytest_agentcore.sandbox.workspace import write_files


@pytest.mark.parametrize("run", [1, 2, 3, 4])
def test_the_command_in_the_prompt_runs_the_given_tests(tmp_path: Path, run: int) -> None:
    write_files(tmp_path, instance(5, run).files)

    said = python(tmp_path, "-m", "unittest", "tests/test_price.py").stderr

    assert "Ran 6 tests" in said
    assert said.rstrip().endswith("FAILED (errors=2)")


@pytest.mark.parametrize("run", RUNS)
def test_price_module_is_too_long_to_be_rewritten(run: int) -> None:
    assert len(str(instance(5, run).files["src/price.py"]).splitlines()) >= 60


@pytest.mark.parametrize("run", RUNS)
def test_two_lines_are_missing_and_the_docstring_says_what_they_do(run: int) -> None:
    facts, given = instance(5, run).facts, str(instance(5, run).files["src/price.py"])
    lines = facts["guard"].splitlines()
    docstring = given.partition(f"def {facts['function']}(")[2].split('"""')[1]

    assert len(lines) == 2
    assert facts["right"].replace(facts["guard"], "") == given
    assert facts["key"] in docstring
    assert "None" in docstring
    assert "Raises ValueError" in docstring


def test_instances_differ_in_business_guard_and_names() -> None:
    facts = [instance(5, run).facts for run in RUNS]

    assert {each["business"] for each in facts} == {"shop", "rental", "hotel"}
    assert len({(each["business"], each["guard"].splitlines()[-1].strip()[:6]) for each in facts}) >= 6
    assert len({each["right"] for each in facts}) == len(facts)


@pytest.mark.parametrize("run", RUNS)
def test_inputs_call_every_function_with_every_kind_of_value(run: int) -> None:
    facts = instance(5, run).facts
    module = task_module(5)
    calls = module.inputs(Random(run), facts)
    shown = repr(calls[f"src/price.py:{facts['function']}"])

    assert calls.keys() == {f"src/price.py:{name}" for name in module.parameters(facts["right"])}
    assert sum(map(len, calls.values())) >= 500
    for value in ("None", "'12.50'", "0", "-2", "2.5"):
        assert f"'{facts['key']}': {value}" in shown
    assert f"'{next(iter(facts['keys'].values()))}': -1" in shown
