"""What speaks about the process goes through: a limit of time, `pytest.exit`, what a signal's handler raises."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny import HELLO, campaign, result_lines

from pytest_agentcore.pack.folder import CampaignFolder
from pytest_agentcore.pack.validate import examine

TIMEOUT = ("-p", "timeout", "--agentcore-retries=3", "--agentcore-sandbox=process")
RERUNS = ("-p", "rerunfailures", "--reruns", "2")
WAIT = "until = time.monotonic() + 60\n{0}while time.monotonic() < until: time.sleep(0.01)"
BOT = """
import time
def reply(request):
    if request.turn == 1:
        return {"tool_calls": [{"name": "fs_write", "arguments": {"path": "hello.txt", "content": "hello"}}]}
    until = time.monotonic() + 60
    while time.monotonic() < until and not request.cancel.is_set():
        time.sleep(0.01)
    return {"text": "done"}
"""
"""A model that has done its work and does not come to an end."""
WHERE = {
    "model": (HELLO, "scripted:bot.py"),
    "oracle": (HELLO.replace('    return "done"', f"    import time\n    {WAIT.format('    ')}"), "oracle"),
    "checker": (HELLO.replace("    assert", f"    import time\n    {WAIT.format('    ')}\n    assert"), "oracle"),
}


@pytest.fixture
def slow(pytester: pytest.Pytester) -> Path:
    """A suite, and a model that would work for a minute."""
    pytester.makepyfile(bot=BOT)
    return pytester.mkdir("slow")


ALONE = [(where, ("--timeout=0.5", *reruns)) for where in WHERE for reruns in ((), RERUNS)]
AHEAD = [(where, ("--timeout=0.5", "--agentcore-parallel=2", *RERUNS)) for where in ("model", "checker")]
WORKERS = [
    ("model", ("--timeout=4", "-n", "1", *RERUNS)),
    ("checker", ("--timeout=4", "-n", "1", "--timeout-method=thread", *RERUNS)),
]


@pytest.mark.parametrize(("where", "words"), [*ALONE, *AHEAD, *WORKERS], ids=str)
def test_a_limit_of_time_stops_a_trial(
    pytester: pytest.Pytester, slow: Path, where: str, words: tuple[str, ...]
) -> None:
    source, model = WHERE[where]
    (slow / "test_task_01_hello.py").write_text(source)
    result = pytester.runpytest(f"--model={model}", "--runs=1", *TIMEOUT, *words, slow)

    counted = result.parseoutcomes()
    assert (counted.get("errors"), counted.get("passed"), counted.get("failed")) == (1, None, None)
    assert result.ret != pytest.ExitCode.OK
    (line,) = result_lines(campaign(pytester))
    assert (line["passed"], line["failure_mode"], line["cause"], line["attempts"]) == (None, None, "interrupted", 1)
    assert line["detail"].startswith("stopped from outside")
    assert "pytest-timeout" in line["detail"]
    assert line["tool_calls"] == 1  # what was measured stays
    folder = CampaignFolder(campaign(pytester))
    assert len([*folder.transcripts.iterdir()]) == 1
    assert examine(folder).problems == []


RAISED = {
    "pytest.exit('enough')": pytest.ExitCode.INTERRUPTED,
    "raise KeyboardInterrupt": pytest.ExitCode.INTERRUPTED,
    "raise Gone('away')": None,
    "by_signal(TimeoutError('late'))": None,
    "by_signal(SystemExit(3))": None,
    "by_signal(pytest.skip.Exception('no'))": None,
}
"""Statements, and the exit code of the session where they end it."""
RAISING = """
import os, signal, pytest
class Gone(BaseException): pass
def by_signal(error):
    def handler(number, frame):
        raise error
    before = signal.signal(signal.SIGUSR1, handler)
    os.kill(os.getpid(), signal.SIGUSR1)
"""


@pytest.mark.parametrize("where", ["model", "oracle", "tool", "files", "checker"])
@pytest.mark.parametrize("statement", RAISED)
def test_what_is_about_the_process_is_nobodys_fault(
    pytester: pytest.Pytester, suite: Path, statement: str, where: str
) -> None:
    pytester.makepyfile(raising=RAISING, bot=f"from raising import *\ndef reply(request):\n    {statement}\n")
    pytester.syspathinsert()
    source = HELLO
    if where == "oracle":
        source = HELLO.replace('    return "done"', f"    {statement}")
    if where == "checker":
        source = HELLO.replace("    assert", f"    {statement}\n    assert")
    if where == "files":
        source = HELLO.replace("artifacts", "files=files, artifacts") + f"\ndef files(rng):\n    {statement}\n"
        source = source.replace("@task", f"def files(rng):\n    {statement}\n\n@task")
    if where == "tool":
        pytester.makeconftest(TOOL.format(statement=statement))
        source = HELLO.replace("artifacts", "tools=('fs_write', 'alarm'), artifacts").replace(
            "    agent.fs_write", "    agent.alarm()\n    agent.fs_write", 1
        )
    (suite / "test_task_01_hello.py").write_text(f"from raising import *\n{source}")
    model = "scripted:bot.py" if where == "model" else "oracle"
    options = (f"--model={model}", "--runs=1", "--agentcore-retries=2", "--agentcore-sandbox=process")
    result = pytester.runpytest_subprocess(*options, "tiny/test_task_01_hello.py")

    assert result.ret != pytest.ExitCode.OK or "skip" in statement
    if (code := RAISED[statement]) is not None:
        assert result.ret == code
    assert "INTERNALERROR" not in result.stdout.str()
    found = result_lines(campaign(pytester))
    assert {line["cause"] for line in found} <= {"interrupted"}
    assert [line["attempts"] for line in found] == [1] * len(found)
    assert len(found) == (0 if where == "files" else 1)


TOOL = """
from raising import *
from pytest_agentcore.tools.base import ToolSpec
class Alarm:
    spec = ToolSpec(name="alarm", description="x", parameters={{"type": "object", "properties": {{}}}})
    def __call__(self, context, arguments):
        {statement}
        return "no"
def pytest_agentcore_tools(config):
    return [Alarm()]
"""


def test_a_fixture_that_fails_behind_the_trial_is_no_wrong_answer(pytester: pytest.Pytester, suite: Path) -> None:
    pytester.makeconftest(
        "import pytest\n"
        "@pytest.fixture(autouse=True)\n"
        "def meddle(request):\n"
        "    request.getfixturevalue('trial')\n"
        "    pytest.fail('not today')\n"
    )
    pytester.runpytest("--model=oracle", "--runs=1", "tiny/test_task_01_hello.py").assert_outcomes(errors=1)
    (line,) = result_lines(campaign(pytester))
    assert (line["passed"], line["cause"]) == (None, "checker_broken")
    assert line["detail"] == "the checker was not asked: Failed: not today"
