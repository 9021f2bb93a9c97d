"""The order of trials, and that it changes nothing about them: seeds and instances belong to task and run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tiny import Script, result_lines, say, write

TASKS = ("task_01_hello", "task_02_count")


@pytest.fixture
def bot(script: Script) -> str:
    """Always does the same."""
    return f"scripted:{script(**{'*': [write('hello.txt', 'hello'), say('done')]})}"


@pytest.mark.parametrize(
    ("words", "order"),
    [
        ((), [(task, run) for run in (1, 2, 3) for task in TASKS]),
        (("--agentcore-order=interleaved", "--runs=2"), [(task, run) for run in (1, 2) for task in TASKS]),
        (("--agentcore-order=by-task", "--runs=2"), [(task, run) for task in TASKS for run in (1, 2)]),
    ],
    ids=["three runs by default", "interleaved", "by task"],
)
def test_models_one_after_the_other_and_trials_in_order(
    pytester: pytest.Pytester, suite: Path, bot: str, words: tuple[str, ...], order: list[tuple[str, int]]
) -> None:
    result = pytester.runpytest("--model=null", f"--model={bot}", "-v", "--tb=no", *words, suite)
    shown = [line.split()[0].rpartition("::")[2] for line in result.stdout.lines if "%]" in line]
    names = {"task_01_hello": "test_hello", "task_02_count": "test_count"}
    assert shown == [f"{names[task]}[{model}-run{run}]" for model in ("null", "bot") for task, run in order]
    assert [(line["task"], line["run"]) for line in _results(pytester)["bot"]] == order


def test_seed_and_instance_follow_from_task_and_run_alone(pytester: pytest.Pytester, suite: Path, bot: str) -> None:
    pytester.runpytest("--model=null", "--model=oracle", f"--model={bot}", "--runs=3", suite)
    first = _results(pytester)
    facts = {model: _facts(lines) for model, lines in first.items()}
    assert facts["null"] == facts["oracle"] == facts["bot"]
    assert len({seed for seed, _ in facts["bot"].values()}) == 6
    assert len({instance for (task, _), (_, instance) in facts["bot"].items() if task == "task_02_count"}) == 3

    words = ("--runs=2", "--agentcore-order=by-task", "--results=again")
    pytester.runpytest(f"--model={bot}", *words, suite)
    again = _facts(_results(pytester, "again")["bot"])
    assert again == {key: value for key, value in facts["bot"].items() if key[1] < 3}

    pytester.runpytest(f"--model={bot}", *words[:2], "--results=other", "--agentcore-seed=1", suite)
    other = _facts(_results(pytester, "other")["bot"])
    assert all(other[key][0] != again[key][0] and other[key][1] == again[key][1] for key in again)


def test_the_same_run_twice_gives_the_same_results(pytester: pytest.Pytester, suite: Path, bot: str) -> None:
    for results in ("first", "second"):
        pytester.runpytest(f"--model={bot}", "--runs=2", f"--results={results}", suite)
    one, two = (_timeless(_results(pytester, results)["bot"]) for results in ("first", "second"))
    assert one == two


def _results(pytester: pytest.Pytester, results: str = "agentcore-results") -> dict[str, list[dict[str, Any]]]:
    """Result lines by model."""
    packs = [result_lines(path) for path in (pytester.path / results).iterdir()]
    return {lines[0]["model"]: lines for lines in packs}


def _facts(lines: list[dict[str, Any]]) -> dict[tuple[str, int], tuple[int, str]]:
    return {(line["task"], line["run"]): (line["seed"], line["instance"]) for line in lines}


def _timeless(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    changing = {"attempt", "started", "seconds", "model_seconds", "tool_seconds"}
    return [{name: value for name, value in line.items() if name not in changing} for line in lines]
