"""The extension points, by the recipes in their docstrings, taken out and run as a user would."""

from __future__ import annotations

import fnmatch
import inspect
import json
import os
import re
import textwrap
from pathlib import Path

import pytest
from tiny import HELLO, Script, campaign, result_lines

from pytest_agentcore import hookspecs
from pytest_agentcore.analysis.gate import UNDECIDED
from pytest_agentcore.cli.__main__ import main

TASKS = ("task_01_hello", "task_02_count")

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
    pytest.LineMatcher(sorted(told)).fnmatch_lines(["*task_01_hello?bot-run1?: scripted error: gone fishing; *"])
    assert len(result_lines(campaign(pytester))) == 4


def test_tools_can_be_registered(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(recipe("pytest_agentcore_tools"))
    pytester.makepyfile(test_task_03_words=COUNTING)
    result = pytester.runpytest("--model=oracle", "--runs=1", "test_task_03_words.py")
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize(
    "words",
    [("--suite=words",), (".",), (".", "-n", "2"), ("words",), ("words", "-n", "2")],
    ids=" ".join,
)
def test_a_conftest_beside_the_tasks_registers_tools(pytester: pytest.Pytester, words: tuple[str, ...]) -> None:
    """Also where pytest loads it only when it collects there, and in workers only."""
    folder = pytester.mkdir("words")
    (folder / "conftest.py").write_text(recipe("pytest_agentcore_tools"))
    (folder / "test_task_03_words.py").write_text(COUNTING)
    result = pytester.runpytest("--model=oracle", "--runs=2", *words)
    result.assert_outcomes(passed=2)
    manifest = json.loads((campaign(pytester) / "manifest.json").read_text())
    assert sorted(tool["name"] for tool in manifest["tools"]) == ["fs_write", "word_count"]


IMPOSTOR = recipe("pytest_agentcore_tools").replace('"word_count"', '"fs_write"')


@pytest.mark.parametrize("where", ["start", "plugin", "beside"])
def test_two_tools_of_one_name_are_refused(pytester: pytest.Pytester, suite: Path, where: str) -> None:
    words: tuple[str, ...] = (".",)
    if where == "plugin":
        pytester.makepyfile(their_tools=IMPOSTOR)
        pytester.syspathinsert()
        words = ("-p", "their_tools", ".")
    else:
        ((pytester.path if where == "start" else suite) / "conftest.py").write_text(IMPOSTOR)
    result = pytester.runpytest("--model=oracle", "--runs=1", *words)
    assert result.ret == (pytest.ExitCode.INTERRUPTED if where == "beside" else pytest.ExitCode.USAGE_ERROR)
    said = [line for line in (*result.outlines, *result.errlines) if "two tools are named 'fs_write'" in line]
    assert len(said) == 1
    assert re.search("one of agentcore and one of |one of their_tools and one of agentcore; rename one", said[0])
    assert not (pytester.path / "agentcore-results").exists()


def test_selfcheck_refuses_two_tools_of_one_name(suite: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (suite / "conftest.py").write_text(IMPOSTOR)
    assert main(["selfcheck", str(suite), "--sandbox=process"]) == 2
    assert "two tools are named 'fs_write', one of agentcore and one of " in capsys.readouterr().err


ANSWERS = {
    "pytest_agentcore_tools": {
        "5": "*tools must come as a list, not as int",
        "[print]": "*is no tool: it needs a `spec`*",
        "1 / 0": "*pytest_agentcore_tools raised ZeroDivisionError: division by zero",
        "(1 / n for n in (0,))": "*pytest_agentcore_tools raised ZeroDivisionError: division by zero",
    },
    "pytest_agentcore_backends": {
        "[1]": "*backends must come as a dict of factories by name",
        '{"echo": 5}': "*backends must come as a dict of factories by name",
        '{"scripted": print}': "*two backends are named 'scripted', one of agentcore and one of *conftest.py; rename*",
        "1 / 0": "*pytest_agentcore_backends raised ZeroDivisionError: division by zero",
    },
}


@pytest.mark.parametrize(("hook", "answer"), [(hook, answer) for hook in ANSWERS for answer in ANSWERS[hook]])
def test_an_answer_that_is_none_is_a_usage_error(
    pytester: pytest.Pytester, suite: Path, hook: str, answer: str
) -> None:
    pytester.makeconftest(f"def {hook}(config):\n    return {answer}\n")
    result = pytester.runpytest("--model=oracle", suite)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([ANSWERS[hook][answer]])


BREAKS = {
    "return None": "tool word_count returned None, which is no text",
    "return 5": "tool word_count returned 5, which is no text",
    "return b'x'": "tool word_count returned b'x', which is no text",
    "raise SystemExit(3)": "tool word_count broke: SystemExit: 3",
    "raise LookupError('no')": "tool word_count broke: LookupError: no",
    "import pytest; pytest.skip('no')": "tool word_count broke: Skipped: no",
}


@pytest.mark.parametrize("body", BREAKS)
def test_a_tool_that_breaks_is_an_infrastructure_error_of_its_trial(
    pytester: pytest.Pytester, suite: Path, body: str
) -> None:
    pytester.makeconftest(
        recipe("pytest_agentcore_tools").replace("if not arguments", f"{body}\n        if not arguments")
    )
    (suite / "test_task_03_words.py").write_text(COUNTING)
    result = pytester.runpytest("--model=oracle", "--runs=1", suite)
    result.assert_outcomes(passed=2, errors=1)
    found = {line["task"]: line for line in result_lines(campaign(pytester))}["task_03_words"]
    assert (found["passed"], found["cause"], found["detail"]) == (None, "tool_broken", BREAKS[body])


def test_a_tool_whose_schema_breaks_is_named(pytester: pytest.Pytester, suite: Path) -> None:
    pytester.makeconftest(recipe("pytest_agentcore_tools").replace('{"type": "string"}', '{"type": "text"}'))
    (suite / "test_task_03_words.py").write_text(COUNTING)
    pytester.runpytest("--model=oracle", "--runs=1", suite).assert_outcomes(passed=2, errors=1)
    found = {line["task"]: line for line in result_lines(campaign(pytester))}["task_03_words"]
    assert found["detail"].startswith("tool word_count broke: UnknownType: ")


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("raise SystemExit(1)", "greet raised SystemExit: 1"),
        ("assert 'hullo' == 'hello'", "greet raised AssertionError: *"),
        ("return 5", "greet returned 5, which is no text"),
    ],
)
def test_an_oracle_that_breaks_is_an_infrastructure_error_of_its_trial(
    pytester: pytest.Pytester, suite: Path, body: str, sentence: str
) -> None:
    (suite / "test_task_01_hello.py").write_text(HELLO.replace('return "done"', body))
    pytester.runpytest("--model=oracle", "--runs=1", suite).assert_outcomes(passed=1, errors=1)
    found = {line["task"]: line for line in result_lines(campaign(pytester))}["task_01_hello"]
    assert found["cause"] == "task_broken"
    assert fnmatch.fnmatch(found["detail"], sentence)


def test_backends_can_be_registered(pytester: pytest.Pytester, suite: Path) -> None:
    pytester.makeconftest(recipe("pytest_agentcore_backends"))
    result = pytester.runpytest("--model=echo:hello", "--runs=1", "--agentcore-sandbox=process", suite)
    result.assert_outcomes(failed=2)
    assert {line["cause"] for line in result_lines(campaign(pytester))} == {"no_tool_call"}
    result.stdout.fnmatch_lines(["turn 1 says hello"])


def test_a_backend_that_is_not_known_at_the_start_is_refused_with_the_reason(
    pytester: pytest.Pytester, suite: Path
) -> None:
    (suite / "conftest.py").write_text(recipe("pytest_agentcore_backends"))
    options = ("--model=echo:hello", "--runs=1", "--agentcore-sandbox=process")
    pytester.runpytest(*options, suite).assert_outcomes(failed=2)
    for words in ((".",), (f"--suite={suite}",)):
        result = pytester.runpytest(*options, *words)
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines(
            ["*no model 'echo:hello', and no backend 'echo'; *a conftest.py that pytest loads*"]
        )


ECHO = recipe("pytest_agentcore_backends")
COMPLETE = "return Reply(text=self.word, content=self.word)"
DESCRIBE = 'return {"backend": "echo", "context": None}'
OPENING = {
    "factory raises": (ECHO.replace("Echo(entry.argument)", "1 / 0"), "ZeroDivisionError: division by zero"),
    "factory exits": (ECHO.replace("Echo(entry.argument)", "exit(3)"), "SystemExit: 3"),
    "factory returns nothing": (ECHO.replace("Echo(entry.argument)", "None"), "TypeError: None is no backend: *"),
    "describe raises": (ECHO.replace(DESCRIBE, "raise LookupError('no')"), "LookupError: no"),
    "describe returns nothing": (ECHO.replace(DESCRIBE, "return None"), "TypeError: *"),
    "describe is no JSON": (ECHO.replace(DESCRIBE, "return {'x': {1, 2}, 'y': b''}"), "TypeError: *"),
}


@pytest.mark.parametrize("case", OPENING)
def test_a_backend_that_cannot_be_opened_is_a_usage_error(pytester: pytest.Pytester, suite: Path, case: str) -> None:
    source, sentence = OPENING[case]
    assert source != ECHO
    pytester.makeconftest(source)
    options = ("--agentcore-preflight=off", "--agentcore-sandbox=process")
    result = pytester.runpytest("--model=echo:hello", "--runs=1", *options, suite)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*backend echo cannot be opened: {sentence}"])
    assert not (pytester.path / "agentcore-results").exists()


REPLIES = {
    "raise LookupError('no')": "backend echo broke: LookupError: no",
    "raise SystemExit(1)": "backend echo broke: SystemExit: 1",
    "return None": "backend echo gave None, which is no reply",
    "return Reply(text=None, content='')": "backend echo gave Reply(text=None, *, which is no reply",
    "return Reply(text='', content='', tool_calls=('x',))": "backend echo gave Reply(*, which is no reply",
}


@pytest.mark.parametrize("body", REPLIES)
def test_a_backend_that_breaks_is_an_infrastructure_error_of_its_trial(
    pytester: pytest.Pytester, suite: Path, body: str
) -> None:
    pytester.makeconftest(ECHO.replace(COMPLETE, body))
    options = ("--runs=1", "--agentcore-sandbox=process", "--agentcore-retries=0")
    result = pytester.runpytest("--model=echo:hello", "--agentcore-preflight=off", *options, suite)
    result.assert_outcomes(errors=2)
    lines = result_lines(campaign(pytester))
    assert {(line["passed"], line["cause"]) for line in lines} == {(None, "backend_error")}
    assert all(fnmatch.fnmatch(line["detail"], REPLIES[body]) for line in lines)

    said = pytester.runpytest("--model=echo:hello", *options, suite)
    assert said.ret == pytest.ExitCode.USAGE_ERROR
    said.stderr.fnmatch_lines(["*preflight failed: *backend echo *"])


def test_a_backend_that_breaks_when_it_is_closed_costs_nothing(pytester: pytest.Pytester, suite: Path) -> None:
    pytester.makeconftest(ECHO.replace("pass", "raise LookupError('no')"))
    options = ("--agentcore-preflight=off", "--agentcore-sandbox=process")
    result = pytester.runpytest("--model=echo:hello", "--runs=1", *options, suite)
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["backend echo broke when it was closed: LookupError: no"])
    assert len(result_lines(campaign(pytester))) == 2


@pytest.mark.parametrize(("where", "kind"), [(".", "LookupError"), ("tiny", "LookupError"), (".", "SystemExit")])
def test_a_hook_that_breaks_loses_no_result(pytester: pytest.Pytester, suite: Path, where: str, kind: str) -> None:
    (pytester.path / where / "conftest.py").write_text(
        f"def pytest_agentcore_trial_finished(result):\n    raise {kind}(result.task)\n"
    )
    result = pytester.runpytest("--model=oracle", "--runs=1", "--min-pass-rate=1", ".")
    assert result.ret == UNDECIDED
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(
        [f"pytest_agentcore_trial_finished broke for {task}*: {kind}: {task} (*conftest.py, line 2)" for task in TASKS]
    )
    assert [line["passed"] for line in result_lines(campaign(pytester))] == [True, True]


def test_the_plugin_uses_each_hook_itself(pytester: pytest.Pytester, suite: Path) -> None:
    pytester.makeconftest(
        """
        def pytest_sessionfinish(session):
            for name in ("trial_finished", "campaign_finished", "tools", "backends"):
                caller = getattr(session.config.hook, f"pytest_agentcore_{name}")
                print(name, [impl.plugin_name for impl in caller.get_hookimpls()])
        """
    )
    result = pytester.runpytest("--model=oracle", "--runs=1", "-s", suite)
    owners = {"tools": "agentcore", "backends": "agentcore"}
    owners = {"trial_finished": "agentcore-active", "campaign_finished": "agentcore-active"} | owners
    result.stdout.fnmatch_lines([f"*{name} ?'{owner}'?" for name, owner in owners.items()])


TELL = """
def pytest_agentcore_trial_finished(result, folder):
    with open("told.txt", "a") as file:
        file.write(f"trial {result.task} {(folder / 'data/results.jsonl').is_file()}\\n")

def pytest_agentcore_campaign_finished(campaign, config):
    rates, folder = campaign.figures.overall.rates, campaign.folder.path
    with open("told.txt", "a") as file:
        file.write(f"end {campaign.manifest.model} {rates.passed}/{rates.planned} {campaign.has_ended} ")
        file.write(f"{(folder / 'report.html').is_file()} {(folder / 'verification').is_dir()}\\n")
"""
TRIALS = [f"trial {task} True" for task in TASKS]


def _told(pytester: pytest.Pytester) -> list[str]:
    file = pytester.path / "told.txt"
    return sorted(file.read_text().splitlines()) if file.is_file() else []


@pytest.mark.parametrize("words", [(), ("-n", "2")], ids=["alone", "workers"])
def test_trials_and_campaigns_are_told_of_once(pytester: pytest.Pytester, suite: Path, words: tuple[str, ...]) -> None:
    pytester.makeconftest(TELL)
    result = pytester.runpytest_subprocess("--model=oracle", "--model=null", "--runs=1", *words, suite)
    result.assert_outcomes(passed=2, failed=2)
    ends = ["end null 0/2 True True True", "end oracle 2/2 True True True"]
    assert _told(pytester) == [*ends, *sorted([*TRIALS, *TRIALS])]
    result.stdout.no_fnmatch_line("*is not called*")


def test_the_recipe_for_the_end_of_a_campaign(pytester: pytest.Pytester, suite: Path) -> None:
    pytester.makeconftest(recipe("pytest_agentcore_campaign_finished"))
    result = pytester.runpytest("--model=oracle", "--runs=1", suite)
    result.stdout.fnmatch_lines([f"oracle: 2 of 2 passed, {campaign(pytester)}"])


@pytest.mark.parametrize("broken", ["1 / 0", "raise SystemExit(3)"])
def test_a_hook_that_breaks_at_the_end_is_said_and_loses_nothing(
    pytester: pytest.Pytester, suite: Path, broken: str
) -> None:
    pytester.makeconftest(f"def pytest_agentcore_campaign_finished(campaign):\n    {broken}\n")
    result = pytester.runpytest("--model=oracle", "--model=null", "--runs=1", "--min-pass-rate=0", suite)
    assert result.ret == UNDECIDED
    result.stdout.fnmatch_lines(["pytest_agentcore_campaign_finished broke for *conftest.py, line 2)"] * 2)
    assert len(list((pytester.path / "agentcore-results").glob("*/report.html"))) == 2


@pytest.mark.parametrize("place", ["tiny", "tiny/deep/tests"])
@pytest.mark.parametrize("words", [(), ("-n", "2"), ("-n", "2", "--dist=loadfile")], ids=" ".join)
def test_a_conftest_that_only_workers_load_is_named(
    pytester: pytest.Pytester, suite: Path, place: str, words: tuple[str, ...]
) -> None:
    (suite / "suite.toml").write_text('title = "tiny"')
    home = pytester.path / place
    home.mkdir(parents=True, exist_ok=True)
    (suite / "test_task_02_count.py").rename(home / "test_task_02_count.py")
    (home / "conftest.py").write_text(TELL)
    result = pytester.runpytest_subprocess("--model=oracle", "--runs=1", *words, ".")
    result.assert_outcomes(passed=2)
    if not words:
        assert _told(pytester) == ["end oracle 2/2 True True True", *TRIALS]
        result.stdout.no_fnmatch_line("*is not called*")
        return
    assert _told(pytester) == []
    for hook in ("trial_finished", "campaign_finished"):
        said = f"WARNING    pytest_agentcore_{hook} in {place}/conftest.py is not called: under pytest-xdist *"
        assert len([line for line in result.outlines if fnmatch.fnmatch(line, said)]) == 2  # at once, and in the end


@pytest.mark.parametrize("words", [(), ("-n", "2")], ids=["alone", "workers"])
def test_plugins_of_every_process_are_no_reason_to_warn(
    pytester: pytest.Pytester, suite: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    """A plugin of the command line, and an object that a conftest registers, whose name is another in each process."""
    pytester.makepyfile(their_plugin=TELL)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(pytester.path), os.environ.get("PYTHONPATH", "")]))
    pytester.makeconftest(
        """
        class Listener:
            def pytest_agentcore_trial_finished(self, result):
                print("heard of", result.task)
        def pytest_configure(config):
            config.pluginmanager.register(Listener())
        """
    )
    result = pytester.runpytest_subprocess("-p", "their_plugin", "-s", "--model=oracle", "--runs=1", *words, suite)
    result.stdout.fnmatch_lines_random([f"*heard of {task}*" for task in TASKS])
    result.stdout.no_fnmatch_line("*is not called*")


@pytest.mark.parametrize("words", [(), ("-n", "2")], ids=["alone", "workers"])
def test_backends_that_come_too_late_are_named(pytester: pytest.Pytester, suite: Path, words: tuple[str, ...]) -> None:
    (suite / "conftest.py").write_text("def pytest_agentcore_backends(config): return {}")
    result = pytester.runpytest("--model=oracle", "--runs=1", *words, ".")
    result.assert_outcomes(passed=2)
    said = "WARNING    pytest_agentcore_backends in tiny/conftest.py is not called: models are looked up before *"
    result.stdout.fnmatch_lines([said, said])
