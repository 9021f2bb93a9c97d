"""What is not the model's fault: retried, kept, never scored; and a pack that survives crash and interrupt."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from tiny import HELLO, Script, campaign, result_lines, say, write

from pytest_agentcore.analysis.gate import UNDECIDED
from pytest_agentcore.trial.fold import fold

DONE = [write("hello.txt", "hello"), say("done")]
START = 120.0
"""Seconds that a process may take to come to its first trial on a busy machine."""


@pytest.mark.parametrize("words", [(), ("-n", "2")], ids=["alone", "workers"])
def test_an_error_is_tried_again_and_every_attempt_is_kept(
    pytester: pytest.Pytester, suite: Path, script: Script, words: tuple[str, ...]
) -> None:
    bot = script(task_01=[{"error": "unreachable", "times": 2}, *DONE], task_02=[{"error": "flaky"}])
    options = ("--runs=1", "--tb=short", "--agentcore-retries=2", *words)
    result = pytester.runpytest(f"--model=scripted:{bot}", *options, suite)
    result.assert_outcomes(passed=1, errors=1)

    pack = campaign(pytester)
    found = {line["task"]: line for line in result_lines(pack)}
    hello, count = found["task_01_hello"], found["task_02_count"]
    assert (hello["passed"], hello["attempts"]) == (True, 3)
    assert (count["passed"], count["attempts"], count["failure_mode"]) == (None, 3, "infrastructure_error")
    assert (count["cause"], count["attribution"]) == ("backend_error", "environment")

    assert len(list((pack / "data" / "transcripts").iterdir())) == 2
    kept = [_events(path) for path in (pack / "data" / "attempts").iterdir()]
    assert sorted(events[0]["task"] for events in kept) == ["task_01_hello"] * 2 + ["task_02_count"] * 2
    assert {fold(events).outcome for events in kept} == {"infrastructure_error"}
    result.stdout.fnmatch_lines(["*scripted error: flaky*", "raw * 1/2 *", "effective * 1/1 * (1/2 scored)"])
    assert "pytest_agentcore/hooks" not in result.stdout.str()


def test_a_checker_that_accepts_without_a_tool_result_is_wrong(
    pytester: pytest.Pytester, suite: Path, script: Script
) -> None:
    (suite / "test_task_01_hello.py").write_text(
        HELLO.replace('assert trial.line("hello.txt") == "hello"', 'assert trial.answer == "hello"')
    )
    bot = script(**{"*": [say("hello")]})
    result = pytester.runpytest(f"--model=scripted:{bot}", "--runs=1", "tiny/test_task_01_hello.py")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["accepted by the checker, but not a single tool call gave a result*"])
    (line,) = result_lines(campaign(pytester))
    assert (line["passed"], line["failure_mode"], line["cause"]) == (False, "wrong_answer", "no_tool_call")


def test_a_checker_that_returns_its_verdict_is_broken(pytester: pytest.Pytester, suite: Path) -> None:
    """pytest would pass it with a warning, whatever it returned."""
    checker = HELLO.replace('assert trial.line("hello.txt")', 'return trial.line("hello.txt")')
    (suite / "test_task_01_hello.py").write_text(checker)
    result = pytester.runpytest("--model=oracle", "--runs=1", suite)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*the checker is broken: test_hello returned True; it must assert instead"])
    broken = {line["task"]: line for line in result_lines(campaign(pytester))}["task_01_hello"]
    assert (broken["passed"], broken["cause"], broken["attribution"]) == (None, "checker_broken", "harness")


def test_a_task_whose_files_lie_outside_the_workspace_writes_none(pytester: pytest.Pytester, suite: Path) -> None:
    outside = pytester.path / "ESCAPED"
    drawn = f"    return Instance({{{'../' * 12 + str(outside)!r}: 'x'}})\n"
    (suite / "test_task_01_hello.py").write_text(
        "from pytest_agentcore import Instance\ndef files(rng):\n"
        + drawn
        + HELLO.replace("artifacts", "files=files, artifacts")
    )
    result = pytester.runpytest("--model=oracle", "--runs=1", suite)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*test_task_01_hello.py: files: files: '../*' must be relative and stay inside*"])
    broken = {line["task"]: line for line in result_lines(campaign(pytester))}["task_01_hello"]
    assert (broken["passed"], broken["cause"]) == (None, "task_broken")
    assert not outside.exists()


def test_a_task_that_cannot_make_its_files_is_recorded(pytester: pytest.Pytester, suite: Path) -> None:
    (suite / "test_task_01_hello.py").write_text(
        "def files(rng):\n    raise LookupError('no such word')\n"
        + HELLO.replace("artifacts", "files=files, artifacts")
    )
    result = pytester.runpytest("--model=oracle", "--runs=1", suite)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(
        [
            "the task cannot make its files: LookupError: no such word (test_task_01_hello.py, line 2)",
            "raw * 1/2 *",
            "effective * 1/1 * (1/2 scored)",
        ]
    )
    broken = {line["task"]: line for line in result_lines(campaign(pytester))}["task_01_hello"]
    assert (broken["passed"], broken["failure_mode"]) == (None, "infrastructure_error")
    assert (broken["cause"], broken["attribution"], broken["turns"]) == ("task_broken", "harness", 0)


@pytest.mark.parametrize("words", [(), ("-n", "2")], ids=["alone", "workers"])
def test_a_native_crash_leaves_a_readable_pack(
    pytester: pytest.Pytester, suite: Path, script: Script, words: tuple[str, ...]
) -> None:
    bot = script(task_01=DONE, task_02=[write("count.txt", "1"), {"crash": True}])
    options = ("--runs=1", "--junitxml=j.xml", "-rA", *words)
    result = pytester.runpytest_subprocess(f"--model=scripted:{bot}", *options, suite)
    pack = campaign(pytester)
    events = {stored[0]["task"]: stored for stored in map(_events, (pack / "data" / "transcripts").iterdir())}
    assert [event["event"] for event in events["task_02_count"]][:3] == ["start", "reply", "tool_result"]
    found = {line["task"]: line for line in result_lines(pack)}
    assert found["task_01_hello"]["passed"] is True
    if not words:
        assert result.ret == -signal.SIGABRT
        assert set(found) == {"task_01_hello"}
        return
    assert result.ret == UNDECIDED
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["INFRASTRUCTURE_ERROR *test_task_02_count.py::test_count?bot-run1?*"])
    crashed = found["task_02_count"]
    assert (crashed["passed"], crashed["cause"], crashed["turns"]) == (None, "backend_crashed", 1)
    result.stdout.fnmatch_lines(
        ["infrastructure_error: backend_crashed · ended by *", "turn 1 calls fs_write *", "*/data/transcripts/*#turn=1"]
    )
    (node,) = ElementTree.parse(pytester.path / "j.xml").getroot()
    assert (node.get("tests"), node.get("errors"), node.get("failures")) == ("2", "1", "0")
    shown = {case.get("name"): _properties(case) for case in node.iter("testcase")}
    assert set(shown["test_count[bot-run1]"]) == set(shown["test_hello[bot-run1]"])
    told = {name: shown["test_count[bot-run1]"][name] for name in ("model", "task", "run", "attempt", "cause", "turns")}
    line = {name: str(crashed[name]) for name in told}
    assert told == line


def _properties(case: ElementTree.Element) -> dict[str, str]:
    return {str(node.get("name")): str(node.get("value")) for node in case.iter("property")}


@contextmanager
def _interruptible(command: Sequence[str], folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that Ctrl-C reaches also where it is ignored, as in a shell's background jobs; never left behind."""

    def listen() -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)

    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True, preexec_fn=listen)  # noqa: PLW1509 - no thread
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_an_interrupted_trial_is_recorded(pytester: pytest.Pytester, suite: Path, script: Script) -> None:
    bot = script(task_01=DONE, task_02=[write("count.txt", "1"), {"text": "at last", "delay": 600}])
    command = [sys.executable, "-m", "pytest", f"--model=scripted:{bot}", "--runs=2", str(suite)]
    with _interruptible(command, pytester.path) as process:
        _wait_for(pytester.path, '"tool_result"', times=2)
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=START)

    assert process.returncode == pytest.ExitCode.INTERRUPTED
    pytest.LineMatcher(said.splitlines()).fnmatch_lines(
        ["raw * 1/4 *", "failures*1*", "*interrupted · 2 not_run", "*KeyboardInterrupt*"]
    )
    found = {line["task"]: line for line in result_lines(campaign(pytester))}
    assert found["task_01_hello"]["passed"] is True
    stopped = found["task_02_count"]
    assert (stopped["passed"], stopped["failure_mode"], stopped["cause"]) == (None, None, "interrupted")
    assert (stopped["stop_reason"], stopped["turns"]) == ("interrupted", 1)
    assert (
        _events(campaign(pytester) / "data" / "transcripts" / f"{stopped['attempt']}.jsonl")[-1]["event"] == "verdict"
    )
    manifest = json.loads((campaign(pytester) / "manifest.json").read_bytes())
    assert manifest["exit_status"] == pytest.ExitCode.INTERRUPTED


def _wait_until(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + START
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_ctrl_c_twice_leaves_a_pack_that_goes_on(pytester: pytest.Pytester, suite: Path) -> None:
    bot = pytester.makepyfile(
        bot="""
        import time
        from pathlib import Path
        def reply(request):
            if request.trial.run == 2 and not Path("go").exists():
                Path("asked").touch()
                time.sleep(600)
            return {"tool_calls": [{"name": "shell", "arguments": {"command": "echo hello > hello.txt"}}]}
        """
    )
    options = [f"--model=scripted:{bot}", "--runs=2", "--agentcore-max-turns=1", "-k", "task_01", str(suite)]
    with _interruptible([sys.executable, "-m", "pytest", *options], pytester.path) as process:
        _wait_until((pytester.path / "asked").exists)
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=START)

    assert process.returncode != 0
    pack = campaign(pytester)
    assert [(line["run"], line["passed"]) for line in result_lines(pack) if line["passed"] is not None] == [(1, True)]
    (pytester.path / "go").touch()
    pytester.runpytest(*options).assert_outcomes(passed=2, deselected=2)
    assert campaign(pytester) == pack


def test_a_trial_interrupted_in_its_checker_is_recorded_and_runs_again(pytester: pytest.Pytester, suite: Path) -> None:
    waiting = "    if not Path('go').exists(): Path('checking').touch(); time.sleep(600)\n    assert trial.line"
    slow = HELLO.replace("    assert trial.line", waiting).replace(
        "from pytest_agentcore", "import time\nfrom pathlib import Path\nfrom pytest_agentcore"
    )
    (suite / "test_task_01_hello.py").write_text(slow)
    command = [sys.executable, "-m", "pytest", "--model=oracle", "--runs=1", str(suite)]
    with _interruptible(command, pytester.path) as process:
        _wait_until((pytester.path / "checking").exists)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=START)

    assert process.returncode == pytest.ExitCode.INTERRUPTED
    (stopped,) = result_lines(campaign(pytester))
    assert (stopped["passed"], stopped["cause"], stopped["stop_reason"]) == (None, "interrupted", "interrupted")
    assert stopped["detail"] == "interrupted before its checker gave a verdict"
    (pytester.path / "go").touch()
    pytester.runpytest(*command[3:]).assert_outcomes(passed=2)
    assert [line["attempts"] for line in result_lines(campaign(pytester))] == [1, 2, 1]


@pytest.mark.parametrize("words", [(), ("-n", "2")], ids=["alone", "workers"])
def test_a_script_that_is_none_is_one_sentence(pytester: pytest.Pytester, suite: Path, words: tuple[str, ...]) -> None:
    (pytester.path / "bad.json").write_text('{"replies": {"*": [{"colour": 1}]}}')
    result = pytester.runpytest("--model=scripted:bad.json", "--runs=1", *words, suite)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*bad.json: *unknown key 'colour'*"])
    assert not (pytester.path / "agentcore-results").exists()


SHY = """
from pytest_agentcore.errors import UsageError

def open_shy(entry, engine):
    raise UsageError("shy: not today")

def pytest_agentcore_backends(config):
    return {"shy": open_shy}
"""


@pytest.mark.parametrize("words", [(), ("-n", "2")], ids=["alone", "workers"])
def test_a_model_that_cannot_be_loaded_ends_the_run(
    pytester: pytest.Pytester, suite: Path, words: tuple[str, ...]
) -> None:
    pytester.makeconftest(SHY)
    result = pytester.runpytest("--model=oracle", "--model=shy:x", "--runs=1", *words, suite)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    said = result.stdout.str() + result.stderr.str()
    assert "shy: not today" in said
    assert "Traceback" not in said
    assert "INTERNALERROR" not in said


def _events(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def _wait_for(folder: Path, text: str, times: int) -> None:
    """Until the transcripts hold a text so often."""
    deadline = time.monotonic() + START
    while time.monotonic() < deadline:
        written = "".join(path.read_text() for path in folder.glob("agentcore-results/*/data/transcripts/*.jsonl"))
        if written.count(text) >= times:
            return
        time.sleep(0.02)
    raise AssertionError(f"{text} was not written {times} times in {START:g} s")
