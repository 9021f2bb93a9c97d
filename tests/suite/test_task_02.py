"""What task 02 rests on: what its given tests show, and how code is measured."""

from __future__ import annotations

from pathlib import Path

import pytest
from suite_modules import instance, python, task_module

from pytest_agentcore.sandbox.workspace import write_files


def test_the_command_in_the_prompt_runs_the_given_tests(tmp_path: Path) -> None:
    write_files(tmp_path, instance(2, 1).files)

    said = python(tmp_path, "-m", "unittest", "tests/test_weather.py").stderr

    assert said.rstrip().endswith("OK")


@pytest.mark.parametrize(
    ("source", "size"),
    [
        ("", 0),
        ("x = 1\n", 1),
        ("def f(a: list[int]) -> int:\n    return a\n", 2),
        ("def f(a):\n    return a\n", 2),
        ("y = f(1) + 2 < 3\n", 4),
        ("'\\d'\n", 1),
    ],
)
def test_size_counts_statements_and_operations(source: str, size: int) -> None:
    assert task_module(2).size(source) == size


@pytest.mark.parametrize("source", ["def f(:\n", "\0", "(" * 5000], ids=["syntax", "null byte", "nesting"])
def test_size_of_no_python_is_an_assertion(source: str) -> None:
    with pytest.raises(AssertionError, match="not Python"):
        task_module(2).size(source)
