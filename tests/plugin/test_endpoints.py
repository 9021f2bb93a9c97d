"""Campaigns at an endpoint, through the real plugin: names, keys, costs, and an endpoint that fails or goes away."""

from __future__ import annotations

import csv
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from backends.openai.fault_server import FaultServer, Said, dropped, status
from tiny import COUNT, campaign, result_lines

from pytest_agentcore.backends.openai.backend import OpenAIBackend
from pytest_agentcore.catalogue.entry import EndpointSettings, ModelEntry
from pytest_agentcore.cli import __main__ as cli
from pytest_agentcore.errors import UsageError

KEY = "sk-thiskeymustnotappearanywhere0123456789"


def solve(request: dict[str, Any]) -> Said:
    """Solves the first task and fails the second."""
    if request["messages"][-1]["role"] == "tool":
        return Said(content="done")
    asked = request["messages"][1]["content"]
    path = "hello.txt" if "hello" in asked else "count.txt"
    return Said(calls=(("fs_write", json.dumps({"path": path, "content": "hello"})),))


@pytest.fixture(scope="module", autouse=True)
def _client() -> None:
    """Loads all that the client loads late, its errors' modules too: pytester forgets what a run of its own imports."""
    nowhere = ModelEntry(name="m", slug="m", backend="openai", base_url="http://127.0.0.1:9/v1")
    with pytest.raises(UsageError):
        OpenAIBackend(nowhere, EndpointSettings())


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer(say=solve, context=8000).running() as server:
        yield server


def run(pytester: pytest.Pytester, server: FaultServer, *words: str) -> pytest.RunResult:
    address = f"--agentcore-base-url={server.url}"
    plain = ("--model=made-up", "--runs=1", "--tb=short", "--agentcore-preflight=off")
    return pytester.runpytest(address, *plain, *words, "tiny")


def events(pack: Path) -> list[dict[str, Any]]:
    paths = sorted(pack.glob("data/transcripts/*.jsonl")) + sorted(pack.glob("data/attempts/*.jsonl"))
    return [json.loads(line) for path in paths for line in path.read_text().splitlines()]


def test_a_campaign_at_an_endpoint(
    pytester: pytest.Pytester, suite: Path, server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    server.key = KEY
    result = run(pytester, server, "--agentcore-api-key-env=MY_KEY", "--junitxml=j.xml", "-rA")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["model * made-up * context 8000", f"device * endpoint {server.url}"])
    pack = campaign(pytester)
    found = {line["task"]: line for line in result_lines(pack)}
    assert found["task_02_count"]["cause"] == "checker_rejected"
    assert found["task_01_hello"]["prompt_tokens"] > found["task_01_hello"]["cached_tokens"] > 0
    manifest = json.loads((pack / "manifest.json").read_bytes())
    assert (manifest["backend"]["endpoint"], manifest["entry"]["api_key_env"]) == (server.url, "MY_KEY")
    assert manifest["prices"] is None
    written = [path.read_bytes() for path in pytester.path.rglob("*") if path.is_file()]
    assert len(written) > 10
    assert not any(KEY.encode() in content for content in written)
    assert KEY not in result.stdout.str() + result.stderr.str()


def test_an_entry_of_the_project_brings_address_and_prices(
    pytester: pytest.Pytester, suite: Path, server: FaultServer
) -> None:
    pytester.makepyprojecttoml(
        "[tool.agentcore.models.house]\n"
        f'backend = "openai"\nbase_url = "{server.url}"\nmodel = "made-up"\ncontext = 4000\ntier = "API"\n'
        'prices = { prompt = 2.0, cached = 0.5, reply = 10.0, source = "a list", date = "2026-11-01" }\n'
    )
    result = pytester.runpytest("--model=house", "--runs=1", "--agentcore-preflight=off", "-k", "hello", "tiny")
    result.assert_outcomes(passed=1)
    pack = campaign(pytester)
    manifest = json.loads((pack / "manifest.json").read_bytes())
    assert (manifest["model"], manifest["backend"]["model"]) == ("house", "made-up")
    assert manifest["prices"]["source"] == "a list"
    (line,) = result_lines(pack)
    evaluated = line["prompt_tokens"] - line["cached_tokens"]
    dollars = (2.0 * evaluated + 0.5 * line["cached_tokens"] + 10.0 * line["reply_tokens"]) / 1e6
    (row, _) = csv.DictReader((pack / "verification" / "cost_breakdown.csv").read_text().splitlines())
    assert float(row["cost_per_trial_usd"]) == pytest.approx(dollars, abs=1e-6)
    assert line["cached_tokens"] > 0


def test_a_load_that_the_endpoints_context_cannot_hold_is_said(
    pytester: pytest.Pytester, suite: Path, server: FaultServer
) -> None:
    result = run(pytester, server, "--agentcore-context-load=0,7900")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["*with a context load of 7900 tokens: a context of 8000 tokens is too small: the load alone, at four *"]
    )
    assert not (pytester.path / "agentcore-results").exists()


def test_values_that_an_endpoint_does_not_take_are_not_in_the_manifest_either(
    pytester: pytest.Pytester, suite: Path, server: FaultServer
) -> None:
    server.unknown = ("temperature", "top_p")
    pytester.makepyprojecttoml(
        "[tool.agentcore.models.house]\n"
        f'base_url = "{server.url}"\nmodel = "made-up"\nnot_sent = ["temperature", "top_p"]\n'
    )
    words = ("--model=house", "--runs=1", "--agentcore-preflight=off", "-k", "hello", "tiny")
    pytester.runpytest(*words).assert_outcomes(passed=1)
    manifest = json.loads((campaign(pytester) / "manifest.json").read_bytes())
    assert {"temperature", "top_p"}.isdisjoint(manifest["sampling"])
    assert manifest["sampling"]["repeat_penalty"] == 1.0
    assert manifest["backend"]["not_sent"] == ["temperature", "top_p"]
    assert cli.main(["validate", str(campaign(pytester))]) == 0
    result = pytester.runpytest(*words, "--agentcore-sampling=top_p=0.5")
    result.stderr.fnmatch_lines(["*--agentcore-sampling top_p: house takes none*"])


def test_calls_beside_finish_are_run_and_end_the_trial(
    pytester: pytest.Pytester, suite: Path, server: FaultServer
) -> None:
    write = ("fs_write", json.dumps({"path": "hello.txt", "content": "hello"}))
    server.say = lambda _request: Said(calls=(write, ("finish", json.dumps({"answer": "done"}))))
    result = run(pytester, server, "--tool-calls=constrained", "-k", "hello")
    result.assert_outcomes(passed=1)
    (line,) = result_lines(campaign(pytester))
    assert (line["turns"], line["tool_calls"], line["stop_reason"]) == (1, 1, "final_answer")


def test_a_secret_in_the_address_is_written_nowhere(
    pytester: pytest.Pytester, suite: Path, server: FaultServer
) -> None:
    server.url += f"?api_key={KEY.removeprefix('sk-')}"
    result = run(pytester, server, "-k", "hello", "--junitxml=j.xml")
    assert KEY.removeprefix("sk-") not in result.stdout.str() + result.stderr.str()
    written = [path.read_bytes() for path in pytester.path.rglob("*") if path.is_file()]
    assert not any(KEY.removeprefix("sk-").encode() in content for content in written)


@pytest.mark.parametrize("given", ["sk-live-abcdef", "NO_SUCH_VARIABLE"])
def test_a_key_in_the_place_of_its_variable_s_name(
    pytester: pytest.Pytester, suite: Path, server: FaultServer, given: str
) -> None:
    result = run(pytester, server, f"--agentcore-api-key-env={given}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*not the key itself*" if "-" in given else "*NO_SUCH_VARIABLE, * is not set*"])
    assert not (pytester.path / "agentcore-results").exists()


@pytest.mark.parametrize("words", [("--model=oracle", "--model=made-up"), ("--model=made-up", "-n1")])
def test_a_key_that_is_missing_is_said_before_anything_is_written(
    pytester: pytest.Pytester, suite: Path, server: FaultServer, words: tuple[str, ...]
) -> None:
    address = (f"--agentcore-base-url={server.url}", "--agentcore-api-key-env=abcdef0123456789")
    result = pytester.runpytest(*words, *address, "--runs=1", "tiny")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*abcdef0123456789, which is to hold its key, is not set*"])
    assert not (pytester.path / "agentcore-results").exists()


def test_a_passing_fault_is_repeated_and_kept(pytester: pytest.Pytester, suite: Path, server: FaultServer) -> None:
    server.faults.extend([status(500), status(429, Retry_After="0.3"), dropped(after=0)])
    result = run(pytester, server, "-k", "hello")
    result.assert_outcomes(passed=1)
    (line,) = result_lines(campaign(pytester))
    assert (line["attempts"], line["problems"], line["turns"]) == (1, 0, 2)
    failed = [event for event in events(campaign(pytester)) if event["event"] == "request_failed"]
    assert [(event["number"], event["cause"]) for event in failed] == [
        (1, "backend_error"),
        (2, "backend_overloaded"),
        (3, "backend_unreachable"),
    ]
    assert failed[1]["waited"] >= 0.3
    first, second, third, fourth = server.times[:4]
    assert second - first >= 0.25
    assert third - second >= 0.3
    assert line["seconds"] < fourth - first


def test_a_server_that_comes_back_is_waited_for(pytester: pytest.Pytester, suite: Path) -> None:
    with FaultServer(say=solve, context=8000).running() as server:
        port = int(server.url.rpartition(":")[2].partition("/")[0])
        gone = threading.Event()
        server.faults.append(lambda handler, _request: gone.set() or handler.cut() or True)  # type: ignore[func-returns-value]
        runner = threading.Thread(target=lambda: results.append(run(pytester, server, "-k", "hello")))
        results: list[pytest.RunResult] = []
        runner.start()
        assert gone.wait(60)
    time.sleep(0.7)
    with FaultServer(say=solve, context=8000).running(port):
        runner.join(60)
    results[0].assert_outcomes(passed=1)
    failed = [event for event in events(campaign(pytester)) if event["event"] == "request_failed"]
    assert {event["cause"] for event in failed} == {"backend_unreachable"}


def test_each_run_is_asked_in_the_words_of_its_instance(
    pytester: pytest.Pytester, suite: Path, server: FaultServer
) -> None:
    varied = COUNT.replace('{"lines": n})', '{"lines": n}, {"most": str(n + 5)})').replace(
        " into", ", at most {most}, into"
    )
    (suite / "test_task_02_count.py").write_text(varied)
    run(pytester, server, "--runs=3")
    asked = {request["messages"][1]["content"] for request in server.requests if "messages" in request}
    assert {event["prompt"] for event in events(campaign(pytester)) if "prompt" in event} == asked
    assert len(asked) == 1 + 3
    assert not any("{" in prompt for prompt in asked)


def test_a_server_that_stays_away_leaves_the_rest_not_run(
    pytester: pytest.Pytester, suite: Path, server: FaultServer
) -> None:
    server.faults.extend([status(503)] * 999)
    words = ("--runs=4", "--agentcore-reconnect-timeout=0.6", "--agentcore-max-infra-errors=3", "--junitxml=j.xml")
    result = run(pytester, server, *words)
    result.assert_outcomes(errors=3, skipped=5)
    result.stdout.fnmatch_lines(
        [
            "5 trials not run: 3 infrastructure errors in a row, the last: backend_overloaded",
            "raw * 0/8 *",
            "effective  undefined: none of 8 planned trials was scored",
            "failures   0 wrong_answer · 0 gave_up_mid_plan · 3 infrastructure_error · 5",
            "           not_run",
        ]
    )
    lines = result_lines(campaign(pytester))
    assert [line["attribution"] for line in lines] == ["environment"] * 3
    assert len(server.requests) < 20


def test_errors_that_are_not_in_a_row_stop_nothing(pytester: pytest.Pytester, suite: Path, server: FaultServer) -> None:
    refuse = status(400, "no")
    broken = [refuse, refuse]  # both attempts of a trial
    good = [lambda _handler, _request: False] * 2
    server.faults.extend([*broken, *good, *broken, *good])
    result = run(pytester, server, "--runs=2", "--agentcore-max-infra-errors=2")
    result.assert_outcomes(errors=2, failed=2)


def test_a_name_of_the_registry_brings_its_sampling(
    pytester: pytest.Pytester, suite: Path, server: FaultServer
) -> None:
    result = run(pytester, server, "--model=smollm2-135m", "-k", "hello", "--tool-calls=native")
    result.assert_outcomes(passed=2)
    packs = sorted((pytester.path / "agentcore-results").iterdir())
    manifests = [json.loads((pack / "manifest.json").read_bytes()) for pack in packs]
    assert {m["model"]: m["sampling"]["temperature"] for m in manifests} == {"made-up": 0.7, "smollm2-135m": 0.2}
    assert {m["entry"]["backend"] for m in manifests} == {"openai"}


def test_agents_stay_agents(pytester: pytest.Pytester, suite: Path, server: FaultServer) -> None:
    pytester.runpytest("--model=oracle", f"--agentcore-base-url={server.url}", "--runs=1", "tiny").assert_outcomes(
        passed=2
    )
    assert server.requests == []


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--agentcore-base-url=localhost:80",), "*--agentcore-base-url 'localhost:80': must be an address such as *"),
        (("--agentcore-base-url=http://127.0.0.1:9/v1",), "*made-up: http://127.0.0.1:9/v1: *start the server*"),
        (("--agentcore-base-url=http://127.0.0.1:9/v1", "--agentcore-engine=threads=1"), "*there is no key 'threads'*"),
    ],
)
def test_what_cannot_be_used_is_said_at_once(
    pytester: pytest.Pytester, suite: Path, words: tuple[str, ...], sentence: str
) -> None:
    result = pytester.runpytest("--model=made-up", *words, "tiny")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([sentence])
    assert not (pytester.path / "agentcore-results").exists()
