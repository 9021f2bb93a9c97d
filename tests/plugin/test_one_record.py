"""One trial has one result: after its run, after a kill, in recheck and in validate."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from tiny import HELLO, Script, campaign, result_lines, say, write

from pytest_agentcore.checks.recheck import Rechecked, recheck
from pytest_agentcore.pack.folder import CampaignFolder
from pytest_agentcore.pack.read import read_campaign
from pytest_agentcore.pack.resume import leftovers
from pytest_agentcore.pack.transcript import judge_crashed, read_transcript
from pytest_agentcore.pack.validate import examine
from pytest_agentcore.sandbox.open import open_sandbox
from pytest_agentcore.session.collect import Collected, collect
from pytest_agentcore.trial.fold import fold, read_attempt
from pytest_agentcore.trial.result import TrialResult

LAST_WORD = HELLO.replace('assert trial.line("hello.txt") == "hello"', 'assert trial.answer == "done"')
BOT: dict[str, Any] = {
    "task_01": [
        {"content": "I look.", "tool_calls": [{"name": "fs_reed", "arguments": {"path": "a"}}]},
        {"text": '<tool_call>\n{"name": "fs_write", "arguments": {"path": \n</tool_call>'},
        {"tool_calls": [{"name": "fs_read", "arguments": {"lines": "all"}}]},
        write("hello.txt", "hello"),
        say("done"),
    ],
    "task_02": [write("count.txt", "1"), say("one")],
}
JUDGED = {"passed", "failure_mode", "cause", "stop_reason", "detail"}
"""What a crash knows nothing of."""


@pytest.fixture(params=["model", "oracle"])
def pack(pytester: pytest.Pytester, suite: Path, script: Script, request: pytest.FixtureRequest) -> CampaignFolder:
    (suite / "test_task_01_hello.py").write_text(LAST_WORD)
    model = f"scripted:{script(**BOT)}" if request.param == "model" else "oracle"
    pytester.runpytest(f"--model={model}", "--runs=1", suite)
    return CampaignFolder(campaign(pytester))


def lines(folder: CampaignFolder) -> list[TrialResult]:
    return [TrialResult.from_json(line) for line in result_lines(folder.path)]


def test_the_four_ways_to_a_result(pack: CampaignFolder, suite: Path) -> None:
    ran = lines(pack)
    assert [one.passed for one in ran] == [True, "oracle" in pack.id]

    # validate: the transcript alone
    assert [fold(read_transcript(pack.transcript(one.attempt))) for one in ran] == ran
    assert examine(pack).problems == []

    # recheck: the transcript without its verdict, and the checker over the workspace that was kept
    assert [one.after for one in collect([str(suite)], lambda found: rechecked(pack, found))] == ran

    # a kill between the verdict and the result line: the next process takes the verdict over
    adopted = copy(pack, "adopted")
    adopted.results.write_bytes(b"")
    assert sorted(leftovers(read_campaign(adopted.path))[1], key=ran.index) == ran

    # a kill before the verdict: all but the judgement is the same
    killed = copy(pack, "killed")
    for one in ran:
        path = killed.transcript(one.attempt)
        path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]) + b'{"event":"verd')
    left = [read_attempt(read_transcript(killed.transcript(one.attempt))) for one in ran]
    crashed = [judge_crashed(killed, attempt, "it died") for attempt in left]
    assert [without_judgement(one) for one in crashed] == [without_judgement(one) for one in ran]
    assert {(one.cause, one.detail) for one in crashed} == {("backend_crashed", "it died")}


def test_a_changed_event_is_another_result(pack: CampaignFolder) -> None:
    """An edit that goes through digests and result lines both is still not what the events say."""
    one = lines(pack)[0]
    path = pack.transcript(one.attempt)
    events = [json.loads(line) for line in path.read_text().splitlines()]
    calls = [event for event in events if event["event"] == "tool_result"]
    calls[-1]["seconds"] += 1.0

    assert fold(events).tool_seconds == pytest.approx(one.tool_seconds + 1.0)
    assert fold(events) != one


def rechecked(folder: CampaignFolder, found: Collected) -> list[Rechecked]:
    tasks = {task.id: (suite, task) for suite, task in found.tasks}
    return list(recheck(read_campaign(folder.path), tasks, open_sandbox("process"), {}))


def copy(folder: CampaignFolder, name: str) -> CampaignFolder:
    return CampaignFolder(Path(shutil.copytree(folder.path, folder.path.parents[1] / name)))


def without_judgement(result: TrialResult) -> dict[str, Any]:
    return {name: value for name, value in result.to_json().items() if name not in {*JUDGED, "outcome", "attribution"}}


def test_a_terminal_in_colour_leaves_no_colour_in_the_record(pytester: pytest.Pytester, suite: Path) -> None:
    compared = HELLO.replace('trial.line("hello.txt") == "hello"', '[trial.line("hello.txt"), 1] == ["hello", 2]')
    (suite / "test_task_01_hello.py").write_text(compared)
    details = []
    for colour in ("yes", "no"):
        words = (f"--color={colour}", "--model=oracle", "--runs=1", f"--results={colour}")
        pytester.runpytest(*words, "tiny/test_task_01_hello.py").assert_outcomes(failed=1)
        details += [line["detail"] for line in result_lines(campaign(pytester, colour))]
    assert details[0] == details[1]
    assert details[0] == "assert ['hello', 1] == ['hello', 2]"
