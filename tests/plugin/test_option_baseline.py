"""--agentcore-baseline: a run is gated on being no worse than an earlier campaign."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tiny import campaign

from pytest_agentcore.analysis.gate import UNDECIDED

OK, FAILED, USAGE = pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.USAGE_ERROR

REPLY = '''
def reply(request):
    """Writes the greeting up to run {last}; says another word in each run, so that no two trials are identical."""
    if request.turn == 1 and request.trial.run <= {last}:
        return {{"tool_calls": [{{"name": "fs_write", "arguments": {{"path": "hello.txt", "content": "hello"}}}}]}}
    return f"done {{request.trial.run}}"
'''


def _bot(pytester: pytest.Pytester, name: str, last: int) -> str:
    """A model that passes the first `last` runs of task_01."""
    path = pytester.path / f"{name}.py"
    path.write_text(REPLY.format(last=last))
    return f"--model=scripted:{path}"


@pytest.fixture
def baseline(pytester: pytest.Pytester, suite: Path) -> Path:
    """5 of 5."""
    words = (_bot(pytester, "good", 5), "--runs=5", "--results=before", "-k", "hello", suite)
    pytester.runpytest(*words).assert_outcomes(passed=5)
    return campaign(pytester, "before")


def _gated(pytester: pytest.Pytester, baseline: Path | str, *words: str | Path) -> pytest.RunResult:
    return pytester.runpytest(f"--agentcore-baseline={baseline}", "--runs=5", "--tb=no", "-k", "hello", *words)


def test_a_significant_regression_fails_the_run(pytester: pytest.Pytester, suite: Path, baseline: Path) -> None:
    """5/5 against 0/5: two of the 252 ways to deal five passes are that extreme."""
    result = _gated(pytester, baseline, _bot(pytester, "bad", 0), suite)
    result.assert_outcomes(failed=5)
    assert result.ret == FAILED
    result.stdout.fnmatch_lines(
        [
            "  bad is worse than the baseline on these tasks: bad passed 0/5*the baseline 5/5*p = 0.008:*",
            "  bad differs from the baseline in model: good | bad*",
            "regression gate: NOT passed · exit code 1: *",
        ]
    )


def test_failures_that_could_be_chance_are_forgiven(pytester: pytest.Pytester, suite: Path, baseline: Path) -> None:
    result = _gated(pytester, baseline, _bot(pytester, "wavering", 3), suite)
    result.assert_outcomes(passed=3, failed=2)
    assert result.ret == OK
    result.stdout.fnmatch_lines(
        [
            "  No difference is shown:*p = 0.45:*chance alone*45 of 100 comparisons*",
            "regression gate: passed · exit code 0: *",
        ]
    )


def test_too_few_runs_show_nothing_and_say_so(pytester: pytest.Pytester, suite: Path, baseline: Path) -> None:
    result = _gated(pytester, baseline, _bot(pytester, "bad", 0), "--runs=1", suite)
    assert result.ret == OK
    result.stdout.fnmatch_lines(["  Too few trials to show anything:*against none, p = 0.17."])


def test_it_holds_beside_a_pass_rate(pytester: pytest.Pytester, suite: Path, baseline: Path) -> None:
    result = _gated(pytester, baseline, _bot(pytester, "bad", 0), "--min-pass-rate=0", suite)
    assert result.ret == FAILED
    result.stdout.fnmatch_lines(["pass-rate gate: reached · regression gate: NOT passed · exit code 1: *"])


def test_what_was_not_scored_leaves_it_undecided(pytester: pytest.Pytester, suite: Path, baseline: Path) -> None:
    result = _gated(pytester, baseline, _bot(pytester, "bad", 3), "-x", suite)
    assert result.ret == UNDECIDED
    result.stdout.fnmatch_lines(
        ["  bad: 1 of 5 planned trials not scored (1 not_run)", "regression gate: undecided · exit code 75: *"]
    )


def test_another_suite_is_refused_before_the_first_trial(
    pytester: pytest.Pytester, suite: Path, baseline: Path
) -> None:
    with (suite / "test_task_01_hello.py").open("a") as file:
        file.write("# changed\n")
    result = _gated(pytester, baseline, "--model=oracle", suite)
    assert result.ret == USAGE
    result.stderr.fnmatch_lines(["*ran tiny*with digest*these are not the same tasks*"])
    assert not (pytester.path / "agentcore-results").exists()


@pytest.mark.parametrize("place", ["nowhere", "before"])
def test_no_campaign_is_a_usage_error(pytester: pytest.Pytester, suite: Path, baseline: Path, place: str) -> None:
    result = _gated(pytester, place, "--model=oracle", suite)
    assert result.ret == USAGE
    result.stderr.fnmatch_lines([f"*no campaign *{place}'*"])


def test_a_selection_is_no_baseline(pytester: pytest.Pytester, suite: Path, baseline: Path) -> None:
    manifest = json.loads((baseline / "manifest.json").read_text())
    manifest["selection"] = {"asked": ["wrong_answer"], "of": "another"}
    (baseline / "manifest.json").write_text(json.dumps(manifest))
    result = _gated(pytester, baseline, "--model=oracle", suite)
    assert result.ret == USAGE
    result.stderr.fnmatch_lines([f"*{baseline.name} is a selection*"])
