"""Judging has preconditions: without them there is one sentence and no verdict."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tiny import HELLO, campaign, result_lines

from pytest_agentcore.cli.__main__ import main
from pytest_agentcore.sandbox import workspace
from pytest_agentcore.sandbox.base import Workspace

WRONG = HELLO.replace('agent.fs_write("hello.txt", "hello")', 'agent.fs_write("hello.txt", "HELLO")')
ELSEWHERE = WRONG.replace('assert trial.line("hello.txt") == "hello"', "look(trial)").replace(
    "from pytest_agentcore", "from looking import look\nfrom pytest_agentcore"
)
"""Its checker asserts in a module of its own, which pytest does not rewrite."""
LOOKING = 'def look(trial):\n    assert trial.line("hello.txt") == "hello"\n'
NO_ASSERTIONS = "Python runs without assertions here (-O or PYTHONOPTIMIZE)*"


@pytest.fixture
def wrong(suite: Path) -> Path:
    """A suite whose oracle is wrong, as a model would be."""
    (suite / "test_task_01_hello.py").write_text(ELSEWHERE)
    (suite / "looking.py").write_text(LOOKING)
    (suite / "test_task_02_count.py").unlink()
    return suite


@pytest.mark.parametrize("words", [(), ("--assert=plain",), ("-n", "2")], ids=str)
@pytest.mark.parametrize("level", ["1", "2"])
def test_no_trial_is_run_without_assertions(
    pytester: pytest.Pytester, wrong: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], level: str
) -> None:
    monkeypatch.setenv("PYTHONOPTIMIZE", level)
    result = pytester.runpytest_subprocess("--model=oracle", "--runs=1", *words, wrong)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*{NO_ASSERTIONS}"])
    assert not (pytester.path / "agentcore-results").exists()


def test_a_worker_without_assertions_judges_nothing(pytester: pytest.Pytester, wrong: Path) -> None:
    worker = f"popen//python={sys.executable} -O"
    result = pytester.runpytest_subprocess("--model=oracle", "--runs=1", "--dist=load", f"--tx={worker}", wrong)
    assert result.ret != pytest.ExitCode.OK
    assert "Python runs without assertions here" in result.stdout.str() + result.stderr.str()
    assert not any(line["passed"] is not None for line in result_lines(campaign(pytester)))


@pytest.mark.parametrize("words", [(), ("--assert=plain",)], ids=str)
def test_plain_assertions_are_assertions(pytester: pytest.Pytester, wrong: Path, words: tuple[str, ...]) -> None:
    pytester.runpytest("--model=oracle", "--runs=1", *words, wrong).assert_outcomes(failed=1)
    assert [line["passed"] for line in result_lines(campaign(pytester))] == [False]


def test_commands_that_judge_refuse_too(
    pytester: pytest.Pytester, wrong: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.runpytest("--model=oracle", "--runs=1", wrong).assert_outcomes(failed=1)
    before = result_lines(campaign(pytester))
    monkeypatch.setenv("PYTHONOPTIMIZE", "1")
    for words in (("recheck", str(campaign(pytester)), "--suite", str(wrong), "--record"), ("selfcheck", str(wrong))):
        result = pytester.run(sys.executable, "-m", "pytest_agentcore.cli.__main__", *words)
        assert result.ret == 2
        result.stderr.fnmatch_lines([f"agentcore: error: {NO_ASSERTIONS}"])
    assert result_lines(campaign(pytester)) == before


def full_disk(*_args: object, **_kwargs: object) -> None:
    """Stands for a disk that takes no more."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize(
    ("where", "sentence"),
    [
        ("pytest_agentcore.runner.create_workspace", "the workspace cannot be written: *No space left*"),
        ("pytest_agentcore.runner.scratch", "the workspace cannot be written: *No space left*"),
        ("pytest_agentcore.runner.freeze", "what the agent left cannot be copied for its checker: *No space left*"),
        ("pytest_agentcore.checking.readers.restore", "the copy of the workspace for the checker cannot be written: *"),
        ("pytest_agentcore.checking.trial.freeze", "a copy of the workspace cannot be written for its checker: *"),
        ("pytest_agentcore.tools.fs.open_file", "the workspace cannot be used: *No space left*"),
    ],
)
def test_a_workspace_that_cannot_be_written_is_infrastructure(
    pytester: pytest.Pytester, suite: Path, monkeypatch: pytest.MonkeyPatch, where: str, sentence: str
) -> None:
    source = HELLO.replace("    assert", '    trial.shell("true")\n    assert')
    (suite / "test_task_01_hello.py").write_text(source)
    monkeypatch.setattr(where, full_disk)
    result = pytester.runpytest("--model=oracle", "--runs=1", "--agentcore-retries=0", "tiny/test_task_01_hello.py")
    result.assert_outcomes(errors=1)
    (line,) = result_lines(campaign(pytester))
    assert (line["passed"], line["cause"], line["attribution"]) == (None, "sandbox_failed", "environment")
    pytest.LineMatcher([line["detail"]]).fnmatch_lines([sentence])


def removed(frozen: Path) -> None:
    """What cleaners of temporary folders do."""
    (frozen / "hello.txt").unlink()


def edited(frozen: Path) -> None:
    """What a stray process may do."""
    (frozen / "hello.txt").write_text("HELLO")


@pytest.mark.parametrize("meddle", [removed, edited])
def test_a_workspace_that_is_not_as_it_was_left_is_not_judged(
    pytester: pytest.Pytester, suite: Path, monkeypatch: pytest.MonkeyPatch, meddle: Callable[[Path], None]
) -> None:
    def freeze(left: Workspace, folder: Path) -> workspace.Frozen:
        frozen = workspace.freeze(left, folder)
        meddle(frozen.workspace.root)
        return frozen

    monkeypatch.setattr("pytest_agentcore.runner.freeze", freeze)
    pytester.runpytest("--model=oracle", "--runs=1", "tiny/test_task_01_hello.py").assert_outcomes(errors=1)
    (line,) = result_lines(campaign(pytester))
    assert (line["passed"], line["cause"]) == (None, "sandbox_failed")


def test_protected_files_are_as_they_were_given(
    pytester: pytest.Pytester, suite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = "files={'rules.txt': 'no'}, protected=('rules.txt',), artifacts"
    (suite / "test_task_01_hello.py").write_text(HELLO.replace("artifacts", given))
    monkeypatch.setattr("pytest_agentcore.checking.readers.put", lambda root, path, _: (root / path).write_text("yes"))
    pytester.runpytest("--model=oracle", "--runs=1", "tiny/test_task_01_hello.py").assert_outcomes(errors=1)
    (line,) = result_lines(campaign(pytester))
    assert (line["cause"], line["detail"]) == (
        "sandbox_failed",
        "rules.txt: a protected file could not be put back as it was given",
    )


def test_a_recheck_without_a_sandbox_changes_no_verdict(
    pytester: pytest.Pytester, suite: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (suite / "test_task_01_hello.py").write_text(HELLO.replace("    assert", '    trial.shell("true")\n    assert'))
    (suite / "test_task_02_count.py").unlink()
    pytester.runpytest("--model=oracle", "--runs=1", suite).assert_outcomes(passed=1)
    before = result_lines(campaign(pytester))
    monkeypatch.setattr("pytest_agentcore.checking.trial.freeze", full_disk)
    capsys.readouterr()
    assert main(["recheck", str(campaign(pytester)), "--suite", str(suite), "--record"]) == 0
    assert "1 not judged again" in capsys.readouterr().out
    assert result_lines(campaign(pytester)) == before
