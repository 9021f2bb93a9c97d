"""What task 01 rests on: what its given tests show, where its bugs are, and which wrong repairs the tests let pass."""

from __future__ import annotations

import copy
import re
import unittest
from pathlib import Path
from random import Random
from typing import Any

import pytest
from suite_modules import RUNS, instance, python, task_module

from pytest_agentcore.sandbox.workspace import write_files


def visible_failures(modules: dict[str, str], tests: str) -> int:
    """How many of the given tests fail over these modules, run in this process."""
    functions: dict[str, Any] = {"unittest": unittest}
    try:
        for module in task_module(1).MODULES:
            exec(re.sub(r"from app\..*\n", "", modules[module]), functions)
    except NameError:
        return 6
    exec(re.sub(r"from app\..*\n|import unittest\n", "", tests).partition("if __name__")[0], functions)
    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(functions["TestReport"]).run(result)
    assert result.testsRun == 6
    return len(result.failures) + len(result.errors)


@pytest.mark.parametrize("run", [1, 2, 3])
def test_the_command_in_the_prompt_runs_the_given_tests(tmp_path: Path, run: int) -> None:
    write_files(tmp_path, instance(1, run).files)

    said = python(tmp_path, "-m", "unittest", "tests/test_report.py").stderr

    assert "Ran 6 tests" in said
    assert said.rstrip().endswith("FAILED (failures=1)")


@pytest.mark.parametrize("run", RUNS)
def test_one_test_fails_and_at_least_two_wrong_repairs_hide_that(run: int) -> None:
    facts, tests = instance(1, run).facts, str(instance(1, run).files["tests/test_report.py"])
    right, bug = facts["right"], facts["bug"]
    given = {**right, bug["file"]: right[bug["file"]].replace(bug["right"], bug["given"])}
    hidden = 0
    for new in bug["wrong"]:
        changed = {**right, bug["file"]: right[bug["file"]].replace(bug["right"], new.removeprefix("\n"))}
        hidden += visible_failures(changed, tests) == 0
    for module, old, new in bug["symptoms"]:
        assert old in given[module]
        hidden += visible_failures({**given, module: given[module].replace(old, new.removeprefix("\n"))}, tests) == 0

    assert visible_failures(given, tests) == 1
    assert visible_failures(right, tests) == 0
    assert hidden >= 2


def behaviour(modules: dict[str, str], calls: dict[str, list[tuple[Any, ...]]]) -> list[str]:
    """What the functions give on inputs, run in this process."""
    functions: dict[str, Any] = {}
    for module in task_module(1).MODULES:
        exec(re.sub(r"from app\..*\n", "", modules[module]), functions)
    said = [repr({name: value for name, value in functions.items() if name.isupper()})]
    for target, arguments in calls.items():
        for each in copy.deepcopy(arguments):
            try:
                given = functions[target.partition(":")[2]](*each)
            except Exception as error:  # noqa: BLE001 - whatever a wrong repair raises
                given = next(base for base in type(error).__mro__ if base.__module__ == "builtins").__name__
            said.append(f"{target} {given!r} {each!r}")
    return said


@pytest.mark.parametrize("run", range(1, 7))
def test_inputs_tell_every_wrong_repair_from_every_right_one(run: int) -> None:
    facts, module = instance(1, run).facts, task_module(1)
    right, bug = facts["right"], facts["bug"]
    calls = module.inputs(Random(f"inputs/{run}"), facts)
    wanted = behaviour(right, calls)

    def changed(file: str, old: str, new: str, modules: dict[str, str] = right) -> list[str]:
        assert old in modules[file]
        return behaviour({**modules, file: modules[file].replace(old, new.removeprefix("\n"))}, calls)

    given = {**right, bug["file"]: right[bug["file"]].replace(bug["right"], bug["given"])}
    assert behaviour(given, calls) != wanted
    for new in bug["alternatives"]:
        assert changed(bug["file"], bug["right"], new) == wanted, new
    for new in bug["wrong"]:
        assert changed(bug["file"], bug["right"], new) != wanted, new
    for file, old, new in bug["symptoms"]:
        assert changed(file, old, new, given) != wanted, new
    for file, old, new in facts["also"]:
        if "def " not in new and "contract=" not in new:  # a signature is not behaviour
            assert changed(file, old, new) != wanted, new


@pytest.mark.parametrize("run", RUNS)
def test_the_failing_test_names_a_function_above_the_bug(run: int) -> None:
    facts = instance(1, run).facts
    before, _, _ = facts["right"][facts["bug"]["file"]].partition(facts["bug"]["right"])
    *_, function = re.findall(r"\ndef (\w+)\(", before)

    assert facts["bug"]["file"] != "report"
    assert f"{function}(" not in str(instance(1, run).files["tests/test_report.py"])


def test_instances_differ_in_package_bug_and_names() -> None:
    facts = [instance(1, run).facts for run in RUNS]

    assert {each["package"] for each in facts} == {"timesheet", "library", "archive"}
    assert len({each["bug"]["right"] for each in facts}) >= 6
    assert len({str(each["right"]) for each in facts}) == len(facts)


@pytest.mark.parametrize("run", RUNS)
def test_inputs_call_every_function(run: int) -> None:
    facts = instance(1, run).facts
    calls = task_module(1).inputs(Random(run), facts)
    defined = [name for source in facts["right"].values() for name in re.findall(r"\ndef (\w+)\(", source)]

    assert [target.partition(":")[2] for target in calls] == defined
    assert sum(map(len, calls.values())) >= 600
