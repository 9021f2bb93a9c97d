"""A task marked as expected to fail: terminal, junit and exit code say of it what they say of any such test."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest
from tiny import HELLO, Script, campaign, result_lines, say, write

RIGHT, WRONG = [write("hello.txt", "hello"), say("done")], [write("hello.txt", "no"), say("done")]
DOWN = [{"error": "unreachable"}]
IDLE_OK = HELLO.replace('trial.line("hello.txt") == "hello"', "trial")

CASES = {
    "fails": ("", HELLO, WRONG, {"xfailed": 1}, "skipped", False),
    "passes": ("", HELLO, RIGHT, {"xpassed": 1}, "", True),
    "passes, strictly": ("strict=True", HELLO, RIGHT, {"failed": 1}, "failure", True),
    "fails otherwise": ("raises=KeyError", HELLO, WRONG, {"failed": 1}, "failure", False),
    "did nothing": ("strict=True", IDLE_OK, [say("done")], {"xfailed": 1}, "skipped", False),
    "down": ("", HELLO, DOWN, {"xfailed": 1}, "skipped", None),
    "broken checker": ("", HELLO.replace("assert", "no_such_name; assert"), RIGHT, {"xfailed": 1}, "skipped", None),
}


@pytest.mark.parametrize("case", CASES)
def test_all_say_what_pytest_says(pytester: pytest.Pytester, suite: Path, script: Script, case: str) -> None:
    arguments, task, replies, outcomes, verdict, passed = CASES[case]
    (suite / "test_task_02_count.py").unlink()
    _mark(suite, task, arguments)
    bot = script(task_01=replies)
    words = (f"--model=scripted:{bot}", "--runs=1", "--agentcore-retries=0", "--junitxml=j.xml")
    result = pytester.runpytest(*words, suite)
    result.assert_outcomes(**outcomes)
    assert result.ret == (pytest.ExitCode.TESTS_FAILED if "failed" in outcomes else pytest.ExitCode.OK)
    (node,) = ElementTree.parse(pytester.path / "j.xml").iter("testcase")
    assert "".join(child.tag for child in node if child.tag in {"skipped", "failure", "error"}) == verdict
    (line,) = result_lines(campaign(pytester))
    assert line["passed"] is passed


def test_a_checker_that_expects_its_own_failure(pytester: pytest.Pytester, suite: Path, script: Script) -> None:
    body = 'import pytest\n    pytest.xfail("not good")'
    (suite / "test_task_01_hello.py").write_text(HELLO.replace('assert trial.line("hello.txt") == "hello"', body))
    result = pytester.runpytest(f"--model=scripted:{script(task_01=RIGHT)}", "--runs=1", "tiny/test_task_01_hello.py")
    result.assert_outcomes(xfailed=1)
    assert result.ret == pytest.ExitCode.OK
    assert [line["passed"] for line in result_lines(campaign(pytester))] == [False]


@pytest.mark.parametrize("reply", [WRONG, RIGHT], ids=["fails", "passes"])
def test_a_recorded_trial_is_said_alike(
    pytester: pytest.Pytester, suite: Path, script: Script, reply: list[object]
) -> None:
    _mark(suite, HELLO, "")
    words = (f"--model=scripted:{script(task_01=reply, task_02=DOWN)}", "--runs=1", "--agentcore-retries=0", suite)
    expected = "xpassed" if reply is RIGHT else "xfailed"
    for _ in range(2):
        result = pytester.runpytest(*words)
        result.assert_outcomes(**{expected: 1, "errors": 1})


def test_the_gate_forgives_no_more_for_it(pytester: pytest.Pytester, suite: Path, script: Script) -> None:
    """The expected failure is none to pytest; the unexpected one of another task is forgiven, an own test's is not."""
    _mark(suite, HELLO, "")
    words = (f"--model=scripted:{script(task_01=WRONG, task_02=WRONG)}", "--runs=1", "--min-pass-rate=0", suite)
    result = pytester.runpytest(*words)
    result.assert_outcomes(xfailed=1, failed=1)
    assert result.ret == pytest.ExitCode.OK
    (suite / "test_own.py").write_text("def test_own(): assert False\n")
    assert pytester.runpytest(*words).ret == pytest.ExitCode.TESTS_FAILED


def _mark(suite: Path, task: str, arguments: str) -> None:
    marked = task.replace("@task(", f"import pytest\n@pytest.mark.xfail({arguments})\n@task(")
    (suite / "test_task_01_hello.py").write_text(marked)
