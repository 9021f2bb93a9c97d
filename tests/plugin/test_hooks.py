"""The extension points, by the recipes in their docstrings, taken out and run as a user would."""

from __future__ import annotations

import inspect
import textwrap
from pathlib import Path

import pytest
from tiny import Script, campaign, result_lines

from pytest_agentcore import hookspecs

COUNTING = """
from pytest_agentcore import task

@task(prompt="How many words has 'a b c'? Write it into n.txt.", tools=("word_count", "fs_write"))
def test_words(trial):
    assert trial.int("n.txt") == 3
    assert [call.outcome for call in trial.calls] == ["refused", "ok", "ok"]

@test_words.oracle
def count(agent):
    assert "text is empty" in agent.word_count("")
    agent.fs_write("n.txt", agent.word_count("a b c"))
"""


def recipe(hook: str) -> str:
    """The code block of a hook's docstring."""
    text = inspect.getdoc(getattr(hookspecs, hook)) or ""
    return textwrap.dedent(text.partition("::\n")[2])


@pytest.mark.parametrize("words", [(), ("-n", "2")], ids=["alone", "workers"])
def test_a_trial_has_finished(pytester: pytest.Pytester, suite: Path, script: Script, words: tuple[str, ...]) -> None:
    """Once per trial, in the main process, when the result line is on the disk."""
    pytester.makeconftest(recipe("pytest_agentcore_trial_finished"))
    bot = script(task_01=[{"error": "gone fishing"}], task_02=[{"text": "no"}])
    result = pytester.runpytest(f"--model=scripted:{bot}", "--runs=2", "-s", "--tb=no", *words, suite)
    told = [line for line in result.stdout.lines if "]: scripted error" in line]
    assert len(told) == 2
    pytest.LineMatcher(sorted(told)).fnmatch_lines(["*task_01_hello?bot-run1?: scripted error: gone fishing"])
    assert len(result_lines(campaign(pytester))) == 4


def test_tools_can_be_registered(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(recipe("pytest_agentcore_tools"))
    pytester.makepyfile(test_task_03_words=COUNTING)
    result = pytester.runpytest("--model=oracle", "--runs=1", "test_task_03_words.py")
    result.assert_outcomes(passed=1)


def test_backends_can_be_registered(pytester: pytest.Pytester, suite: Path) -> None:
    pytester.makeconftest(recipe("pytest_agentcore_backends"))
    result = pytester.runpytest("--model=echo:hello", "--runs=1", "--agentcore-sandbox=process", suite)
    result.assert_outcomes(failed=2)
    assert {line["cause"] for line in result_lines(campaign(pytester))} == {"no_tool_call"}
    result.stdout.fnmatch_lines(["*says    hello"])


def test_the_plugin_uses_each_hook_itself(pytester: pytest.Pytester, suite: Path) -> None:
    pytester.makeconftest(
        """
        def pytest_sessionfinish(session):
            for name in ("trial_finished", "tools", "backends"):
                caller = getattr(session.config.hook, f"pytest_agentcore_{name}")
                print(name, [impl.plugin_name for impl in caller.get_hookimpls()])
        """
    )
    result = pytester.runpytest("--model=oracle", "--runs=1", "-s", suite)
    owners = {"trial_finished": "agentcore-recording", "tools": "agentcore", "backends": "agentcore"}
    result.stdout.fnmatch_lines([f"*{name} ?'{owner}'?" for name, owner in owners.items()])
