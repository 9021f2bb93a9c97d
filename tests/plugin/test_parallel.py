"""`--parallel N`: trials run ahead of their tests, and nothing else about a run changes."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from backends.openai.fault_server import FaultServer, Said
from tiny import Script, campaign, result_lines, say, shell, write

from pytest_agentcore.backends.openai.backend import OpenAIBackend
from pytest_agentcore.catalogue.entry import EndpointSettings, ModelEntry
from pytest_agentcore.errors import UsageError


class Together:
    """A model that solves the first task, and says its first word of each trial once so many trials are there."""

    def __init__(self, parties: int) -> None:
        self._barrier = threading.Barrier(parties)

    def __call__(self, request: dict[str, Any]) -> Said:
        if request["messages"][-1]["role"] == "tool":
            return Said(content="done")
        self._barrier.wait(60)
        path = "hello.txt" if "hello" in request["messages"][1]["content"] else "count.txt"
        return Said(calls=(("fs_write", json.dumps({"path": path, "content": "hello"})),))


@pytest.fixture(scope="module", autouse=True)
def _client() -> None:
    """Loads what the client loads late: pytester forgets what a run of its own imports."""
    with pytest.raises(UsageError):
        OpenAIBackend(
            ModelEntry(name="m", slug="m", backend="openai", base_url="http://127.0.0.1:9/v1"), EndpointSettings()
        )


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer(context=8000).running() as server:
        yield server


def at(server: FaultServer) -> tuple[str, ...]:
    """Words that name the model."""
    return (f"--agentcore-base-url={server.url}", "--model=made-up", "--agentcore-preflight=off")


def transcripts(pack: Path, folder: str = "transcripts") -> list[list[dict[str, Any]]]:
    paths = sorted((pack / "data" / folder).glob("*.jsonl"))
    return [[json.loads(line) for line in path.read_text().splitlines()] for path in paths]


def test_trials_overlap_and_items_keep_their_order(pytester: pytest.Pytester, suite: Path, server: FaultServer) -> None:
    server.say = Together(4)
    words = (*at(server), "--runs=4", "--parallel=4", "-v")
    result = pytester.runpytest(*words, suite)
    result.assert_outcomes(passed=4, failed=4)
    assert server.most_at_once == 4
    result.stdout.fnmatch_lines(
        [
            f"*test_task_0{task}_*run{run}* {'PASSED' if task == 1 else 'WRONG_ANSWER'}*"
            for run in range(1, 5)
            for task in (1, 2)
        ]
        + ["task (policy native)  passed  latency (4 at once)  calls  turns  notes"]
    )
    pack = campaign(pytester)
    assert json.loads((pack / "manifest.json").read_bytes())["parallel"] == 4
    report = (pack / "report.md").read_text()
    assert "Avg latency (4 at once)" in report
    assert "Latency p50 (4 at once)" in report
    rows = list(csv.DictReader((pack / "verification" / "latency_distribution.csv").read_text().splitlines()))
    assert {row["parallel"] for row in rows} == {"4"}
    assert [(line["run"], line["task"][:7]) for line in result_lines(pack)] == [
        (run, f"task_0{task}") for run in range(1, 5) for task in (1, 2)
    ]


def parallel(pytester: pytest.Pytester) -> int:
    number: int = json.loads((campaign(pytester) / "manifest.json").read_bytes())["parallel"]
    return number


def test_an_endpoint_that_does_not_say_how_many_it_takes_gets_as_many_as_asked_for(
    pytester: pytest.Pytester, suite: Path, server: FaultServer
) -> None:
    server.say = Together(8)
    pytester.runpytest(*at(server), "--runs=4", "--parallel=256", suite).assert_outcomes(passed=4, failed=4)
    assert server.most_at_once == 8


def test_a_trial_that_ran_alone_did_not_overlap(pytester: pytest.Pytester, suite: Path) -> None:
    result = pytester.runpytest("--model=oracle", "--runs=1", "--parallel=2", "-k", "hello", suite)
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["task (policy native)  passed  latency  calls  turns  notes"])
    assert parallel(pytester) == 1


def test_what_overlapped_is_recorded_and_not_what_was_allowed(
    pytester: pytest.Pytester, suite: Path, server: FaultServer
) -> None:
    server.say = Together(2)
    pytester.runpytest(*at(server), "--runs=1", "--parallel=8", suite).assert_outcomes(passed=1, failed=1)
    assert parallel(pytester) == 2


def test_workers_overlap_too(pytester: pytest.Pytester, suite: Path, server: FaultServer) -> None:
    server.say = Together(2)
    pytester.runpytest(*at(server), "--runs=1", "-n3", suite).assert_outcomes(passed=1, failed=1)
    assert parallel(pytester) == 2


def outcomes(pytester: pytest.Pytester, results: str) -> list[tuple[Any, ...]]:
    kept = ("task", "run", "passed", "cause", "seed", "instance", "replies_digest", "prompt_tokens")
    return [tuple(line[name] for name in kept) for line in result_lines(campaign(pytester, results))]


def test_results_are_those_of_one_at_a_time(pytester: pytest.Pytester, suite: Path, script: Script) -> None:
    bot = script(task_01=[write("hello.txt", "hello"), say("done")], task_02=[{"text": "so"}])
    for results, words in (("one", ()), ("many", ("--agentcore-parallel=3",))):
        pytester.runpytest(f"--model=scripted:{bot}", "--runs=3", f"--results={results}", *words, suite)
    assert outcomes(pytester, "one") == outcomes(pytester, "many")
    assert len(outcomes(pytester, "one")) == 6


def test_agents_and_several_models(pytester: pytest.Pytester, suite: Path, script: Script) -> None:
    bot = script(**{"*": [write("hello.txt", "hello"), say("done")]})
    words = ("--model=oracle", f"--model=scripted:{bot}", "--model=null", "--runs=2", "--parallel=3")
    result = pytester.runpytest(*words, suite)
    result.assert_outcomes(passed=6, failed=6)
    assert "INTERNALERROR" not in result.stdout.str()


def test_the_plan_is_what_is_left_after_deselection_and_marks(
    pytester: pytest.Pytester, suite: Path, server: FaultServer
) -> None:
    server.say = Together(1)
    (suite / "conftest.py").write_text(
        "import pytest\n"
        "def pytest_collection_modifyitems(items):\n"
        "    for item in items:\n"
        "        if 'run2' in item.name:\n"
        "            item.add_marker(pytest.mark.skip(reason='not today'))\n"
        "        if 'run1' in item.name:\n"
        "            item.add_marker(pytest.mark.skipif(False, reason='perhaps'))\n"
    )
    words = (*at(server), "--runs=3", "--parallel=3", "-k", "hello")
    pytester.runpytest(*words, suite).assert_outcomes(passed=2, skipped=1)
    assert len(server.requests) == 4


@pytest.mark.parametrize("word", ["-x", "--maxfail=1"])
def test_what_was_started_ahead_counts_as_not_run_after_the_first_failure(
    pytester: pytest.Pytester, suite: Path, server: FaultServer, word: str
) -> None:
    release = threading.Event()

    def first_fails(request: dict[str, Any]) -> Said:
        """The first trial ends once the second is being answered, which then goes on for as long as it may."""
        if "hello" not in request["messages"][1]["content"]:
            release.set()
            return Said(content=" ".join(f"word{n}" for n in range(50_000)))
        release.wait(60)
        return Said(content="I cannot.")

    server.say, server.context = first_fails, 10**6
    words = (*at(server), "--runs=2", "--parallel=2", word)
    result = pytester.runpytest(*words, "--agentcore-reply-tokens=90000", suite)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["raw * 0/4 *", "failures   1 wrong_answer * 3", "           not_run"])
    pack = campaign(pytester)
    assert [line["task"] for line in result_lines(pack)] == ["task_01_hello"]
    assert len(transcripts(pack)) == 1
    for events in transcripts(pack, "attempts"):
        assert (events[-1]["event"], "verdict" in {event["event"] for event in events}) == ("discarded", False)
    assert len(list((pack / "data" / "workspaces").iterdir())) == 1


@pytest.mark.parametrize("reply", [{"text": "at last", "delay": 600}, shell("sleep 600")], ids=["model", "command"])
def test_ctrl_c_cancels_what_was_started_ahead(
    pytester: pytest.Pytester, suite: Path, script: Script, reply: dict[str, Any]
) -> None:
    bot = script(**{"*": [reply]})
    # the session has submitted all and waits for the first trial: the interrupt is to end that one
    pytester.makeconftest("""
        import threading
        from pathlib import Path

        from pytest_agentcore.session.parallel import InProcess

        ask = InProcess.result

        def result(self, job):
            Path("asked").touch()
            return ask(self, job)

        InProcess.result = result
    """)
    command = [sys.executable, "-m", "pytest", f"--model=scripted:{bot}", "--runs=4", "--parallel=3", str(suite)]
    asked = pytester.path / "asked"

    def listen() -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)

    process = subprocess.Popen(command, cwd=pytester.path, stdout=subprocess.PIPE, text=True, preexec_fn=listen)  # noqa: PLW1509
    try:
        deadline = time.monotonic() + 120
        transcripts_there = "agentcore-results/*/data/transcripts/*.jsonl"
        while not (asked.exists() and len(list(pytester.path.glob(transcripts_there))) == 3):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=120)
    finally:
        process.kill()
        process.communicate()

    assert process.returncode == pytest.ExitCode.INTERRUPTED
    lines = ["raw * 0/8 *", "failures*1", "*interrupted · 7 not_run", "*KeyboardInterrupt*"]
    pytest.LineMatcher(said.splitlines()).fnmatch_lines(lines)
    pack = campaign(pytester)
    (line,) = result_lines(pack)
    assert (line["task"], line["run"], line["stop_reason"]) == ("task_01_hello", 1, "interrupted")
    ahead = transcripts(pack, "attempts")
    assert [events[-1]["event"] for events in ahead] == ["discarded", "discarded"]
    for events in (*ahead, *transcripts(pack)):  # none had come to its own end, nor to the sandbox's limit
        assert "tool_result" not in {event["event"] for event in events}


def test_a_campaign_that_is_ended_takes_along_what_was_started_ahead(
    pytester: pytest.Pytester, suite: Path, script: Script
) -> None:
    bot = script(**{"*": [{"error": "broken"}]})
    words = (f"--model=scripted:{bot}", "--model=oracle", "--runs=8", "--parallel=2", "--agentcore-max-infra-errors=2")
    result = pytester.runpytest(*words, "--agentcore-retries=0", suite)
    result.assert_outcomes(errors=2, skipped=14, passed=16)
    packs = {pack.name.split("-", 3)[3]: pack for pack in (pytester.path / "agentcore-results").iterdir()}
    assert len(result_lines(packs["bot-tiny"])) == 2
    assert len(result_lines(packs["oracle-tiny"])) == 16


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--model=oracle", "--parallel=some"), "*agentcore_parallel 'some': must be a whole number or auto*"),
        (("--model=scripted:bot.json", "--parallel=17"), "*--agentcore-parallel 17: bot takes 16 at a time at most*"),
        (("--model=oracle", "--parallel=0"), "*--agentcore-parallel 0: must be at least 1*"),
    ],
)
def test_more_than_the_slots_is_refused(
    pytester: pytest.Pytester, suite: Path, script: Script, words: tuple[str, ...], sentence: str
) -> None:
    script(**{"*": [say("so")]})
    result = pytester.runpytest(*words, suite)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([sentence])
    assert not (pytester.path / "agentcore-results").exists()


def test_nothing_runs_ahead_in_a_worker(pytester: pytest.Pytester, suite: Path, server: FaultServer) -> None:
    server.say = Together(1)
    words = (*at(server), "--runs=2", "--parallel=5", "-n1")
    pytester.runpytest(*words, suite).assert_outcomes(passed=2, failed=2)
    assert server.most_at_once == 1
    assert json.loads((campaign(pytester) / "manifest.json").read_bytes())["parallel"] == 1
