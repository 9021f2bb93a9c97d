"""--model: names, paths, agents, scripts; what is refused and how."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny import Script, campaign, result_lines, say, write


def test_the_oracle_passes_everything(pytester: pytest.Pytester, suite: Path) -> None:
    result = pytester.runpytest("--model", "oracle", "--runs", "2", suite)
    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines(["*raw*4/4*100.0%*", "*effective*4/4*"])


def test_null_passes_nothing(pytester: pytest.Pytester, suite: Path) -> None:
    result = pytester.runpytest("--model", "null", "--runs", "2", suite)
    result.assert_outcomes(failed=4)
    assert {line["cause"] for line in result_lines(campaign(pytester))} == {"no_tool_call"}


def test_item_ids_name_model_and_run(pytester: pytest.Pytester, suite: Path) -> None:
    result = pytester.runpytest("--model", "oracle", "--runs", "2", "--co", "-q", suite)
    result.stdout.fnmatch_lines(["*test_task_01_hello.py::test_hello[[]oracle-run1[]]"])
    assert not (pytester.path / "agentcore-results").exists()


@pytest.mark.parametrize("words", [("--setup-plan",), ("--setup-only",), ("--setup-plan", "-n", "2")], ids=" ".join)
def test_a_run_that_only_shows_fixtures_runs_no_trial(
    pytester: pytest.Pytester, suite: Path, script: Script, words: tuple[str, ...]
) -> None:
    bot = script(**{"*": [{"error": "unreachable"}]})
    result = pytester.runpytest(f"--model=scripted:{bot}", "--runs=1", *words, suite)
    assert result.ret == pytest.ExitCode.OK
    result.assert_outcomes()
    if "-n" not in words:
        result.stdout.fnmatch_lines(["*SETUP *trial?*", "*test_hello?bot-run1?*"])
    assert not (pytester.path / "agentcore-results").exists()


def test_a_script_is_a_model(pytester: pytest.Pytester, suite: Path, script: Script) -> None:
    bot = script(task_01=[write("hello.txt", "hello"), say("done")], task_02=[say("no idea")])
    result = pytester.runpytest("--model", f"scripted:{bot}", "--runs", "1", suite)
    result.assert_outcomes(passed=1, failed=1)


def test_models_run_one_after_the_other_each_in_its_campaign(pytester: pytest.Pytester, suite: Path) -> None:
    result = pytester.runpytest("--model", "null", "--model", "oracle", "--runs", "1", "-v", suite)
    result.assert_outcomes(passed=2, failed=2)
    result.stdout.fnmatch_lines(["*null-run1*", "*null-run1*", "*oracle-run1*", "*oracle-run1*"])
    names = sorted(path.name for path in (pytester.path / "agentcore-results").iterdir())
    assert [name.split("-", 3)[3] for name in names] == ["null-tiny", "oracle-tiny"]


@pytest.mark.parametrize(
    ("models", "sentence"),
    [
        (["orakle"], "*did you mean 'oracle'?*"),
        (["smollm2-135"], "*did you mean 'smollm2-135m'?*"),
        (["nowhere/x.gguf"], "*nowhere/x.gguf: there is no such file*"),
        (["scripted:nowhere.json"], "*no file 'nowhere.json'*"),
        (["oracle", "oracle"], "*its slug 'oracle' is also that of oracle*"),
    ],
)
def test_what_cannot_be_run_is_a_usage_error(
    pytester: pytest.Pytester, suite: Path, models: list[str], sentence: str
) -> None:
    words = [word for model in models for word in ("--model", model)]
    result = pytester.runpytest(*words, suite)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([sentence])
    assert not (pytester.path / "agentcore-results").exists()


@pytest.mark.parametrize("name", ["trial-timeout", "reconnect-timeout"])
@pytest.mark.parametrize("seconds", ["inf", "nan", "-inf", "1e300"])
def test_seconds_have_an_end(pytester: pytest.Pytester, suite: Path, name: str, seconds: str) -> None:
    result = pytester.runpytest("--model=oracle", f"--agentcore-{name}={seconds}", suite)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*--agentcore-{name} *: must be *"])


@pytest.mark.parametrize("pair", ["sampling temperature=inf", "sampling top_p=nan", "engine n_ctx=inf"])
def test_engine_and_sampling_values_are_finite(pytester: pytest.Pytester, suite: Path, pair: str) -> None:
    name, value = pair.split()
    result = pytester.runpytest("--model=null", f"--agentcore-{name}", value, suite)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*{value}*"])


def test_without_a_model_a_task_is_skipped_with_a_reason(pytester: pytest.Pytester, suite: Path) -> None:
    result = pytester.runpytest("-rs", suite)
    result.assert_outcomes(skipped=2)
    result.stdout.fnmatch_lines(["*a task needs a model: pytest --agentcore-model smollm2-135m*"])
    assert not (pytester.path / "agentcore-results").exists()


def test_other_tests_of_a_run_keep_their_place(pytester: pytest.Pytester, suite: Path) -> None:
    (suite / "test_plain.py").write_text("def test_plain(): pass\n")
    result = pytester.runpytest("--model", "oracle", "--runs", "1", suite)
    result.assert_outcomes(passed=3)
