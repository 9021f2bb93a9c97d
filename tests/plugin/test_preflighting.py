"""The preflight before a campaign: a broken way stops it, a model that does not care to call does not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from backends.openai.fault_server import FaultServer, Said, status
from tiny import Script, campaign, result_lines, say, write

from pytest_agentcore.backends.openai.backend import OpenAIBackend
from pytest_agentcore.catalogue.entry import EndpointSettings, ModelEntry
from pytest_agentcore.cli import __main__ as cli
from pytest_agentcore.errors import UsageError


@pytest.fixture(scope="module", autouse=True)
def _client() -> None:
    """Loads all that the client loads late: pytester forgets what a run of its own imports."""
    nowhere = ModelEntry(name="m", slug="m", backend="openai", base_url="http://127.0.0.1:9/v1")
    with pytest.raises(UsageError):
        OpenAIBackend(nowhere, EndpointSettings())


BACKENDS = '''
from pytest_agentcore.errors import BackendError
from pytest_agentcore.backends.base import Reply, ToolCall
from pytest_agentcore.trial.result import Usage

class Fake:
    """A server: answers by the kind of trouble that its model's file names."""
    name, slots = "fake", 1
    def __init__(self, trouble):
        self.trouble = trouble
    def complete(self, request):
        tokens = sum(len(m.content.split()) + 5 + 9 * len(m.tool_calls) for m in request.messages)
        if request.trial.task != "preflight":
            return Reply(text="done", content="done")
        if self.trouble == "refuses tools" and any(m.role == "tool" for m in request.messages):
            raise BackendError("400: this server takes no message of the role tool")
        if self.trouble == "drops results":
            tokens = 30
        usage = Usage(prompt_tokens=tokens)
        if self.trouble == "silent" or len(request.messages) > 2:
            return Reply(text="hm", content="hm", usage=usage)
        trip = {"to": "Oslo", "stops": ["Bergen"]}
        nested = '{"to": "Oslo"}' if self.trouble == "flattens" else trip
        name = request.tools[0].name
        arguments = {"text": "apple"} if name == "note" else {"trip": nested}
        call = ToolCall(id="call_1_1", name=name, arguments=arguments)
        return Reply(text="", content="", tool_calls=(call,), usage=usage)
    def describe(self):
        return {"backend": "fake"}
    def close(self):
        pass

def pytest_agentcore_backends():
    return {"fake": lambda entry, engine: Fake(entry.argument)}
'''


@pytest.fixture
def fake(pytester: pytest.Pytester) -> None:
    """A backend of a conftest, asked for as `fake:TROUBLE`."""
    pytester.makeconftest(BACKENDS)


def verdict(pytester: pytest.Pytester) -> dict[str, Any]:
    """What the manifest says."""
    manifest = json.loads((campaign(pytester) / "manifest.json").read_bytes())
    found: dict[str, Any] = manifest["preflight"]
    return found


@pytest.mark.parametrize(
    ("trouble", "check", "reason"),
    [
        ("refuses tools", "tool_result", "this server takes no message of the role tool"),
        ("drops results", "tool_result", "the exchange does not reach the model"),
        ("flattens", "nested_argument", "the nested object arrives as text"),
    ],
)
@pytest.mark.usefixtures("fake")
def test_a_broken_way_stops_the_campaign(
    pytester: pytest.Pytester, suite: Path, trouble: str, check: str, reason: str
) -> None:
    result = pytester.runpytest("--model", f"fake:{trouble}", "--runs", "1", suite)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*preflight failed: *{check}*: *{reason}*--agentcore-no-preflight*"])
    assert not (pytester.path / "agentcore-results").exists()


@pytest.mark.usefixtures("fake")
def test_it_can_be_run_anyway_and_the_manifest_has_the_verdict(pytester: pytest.Pytester, suite: Path) -> None:
    result = pytester.runpytest("--model", "fake:flattens", "--runs", "1", "--agentcore-no-preflight", suite)
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["preflight  failed: nested_argument*", "WARNING    the preflight failed*"])
    found = verdict(pytester)
    assert found["passed"] is False
    assert [check["finding"] for check in found["checks"]] == ["ok", "unwilling", "ok", "failed", "ok"]
    assert all(check["sent"] and check["came"] for check in found["checks"])


@pytest.mark.usefixtures("fake")
def test_a_model_that_does_not_call_is_the_model_s_affair(pytester: pytest.Pytester, suite: Path) -> None:
    result = pytester.runpytest("--model", "fake:silent", "--runs", "1", suite)
    result.assert_outcomes(failed=2)
    found = verdict(pytester)
    assert found["passed"] is True
    assert found["verdict"] == "passed; the model itself fell short in structured_call, tool_result, nested_argument"
    assert [check["name"] for check in found["checks"]] == [
        "structured_call",
        "tool_result",
        "call_without_text",
        "nested_argument",
        "unknown_tool",
    ]


@pytest.mark.usefixtures("fake")
def test_it_can_be_left_out(pytester: pytest.Pytester, suite: Path) -> None:
    result = pytester.runpytest("--model", "fake:flattens", "--runs", "1", "--agentcore-preflight=off", suite)
    result.assert_outcomes(failed=2)
    manifest = json.loads((campaign(pytester) / "manifest.json").read_bytes())
    assert manifest["preflight"] is None


def test_scripts_and_agents_have_no_way_to_examine(pytester: pytest.Pytester, suite: Path, script: Script) -> None:
    bot = script(task_01=[write("hello.txt", "hello"), say("done")])
    pytester.runpytest("--model", f"scripted:{bot}", "--runs", "1", "-k", "task_01", suite)
    assert json.loads((campaign(pytester) / "manifest.json").read_bytes())["preflight"] is None
    assert [line["passed"] for line in result_lines(campaign(pytester))] == [True]


@pytest.mark.usefixtures("fake")
def test_a_worker_says_it_too(pytester: pytest.Pytester, suite: Path) -> None:
    pytest.importorskip("xdist")
    result = pytester.runpytest("--model", "fake:silent", "--runs", "1", "-n", "1", suite)
    result.assert_outcomes(failed=2)
    assert verdict(pytester)["passed"] is True


def obey(request: dict[str, Any]) -> Said:
    """What a model says that does all it is asked in a preflight."""
    if request["messages"][-1]["role"] == "tool":
        return Said(content="It lies on shelf 1816.")
    name = request["tools"][0]["function"]["name"]
    trip = {"trip": {"to": "Oslo", "stops": ["Bergen"]}}
    return Said(calls=((name, json.dumps({"text": "apple"} if name == "note" else trip)),))


def at_endpoint(pytester: pytest.Pytester, server: FaultServer, *words: str) -> pytest.RunResult:
    address = f"--agentcore-base-url={server.url}"
    return pytester.runpytest("--model=made-up", address, "--runs=1", "-k", "task_01", *words, "tiny")


def test_a_willing_model_at_an_endpoint_passes(pytester: pytest.Pytester, suite: Path) -> None:
    with FaultServer(say=obey, context=8000).running() as server:
        at_endpoint(pytester, server)
        kinds = [[message["role"] for message in request["messages"]] for request in server.requests[:5]]
    assert [check["finding"] for check in verdict(pytester)["checks"]] == ["ok"] * 5
    exchange = ["system", "user", "assistant", "tool"]
    assert kinds == [["system", "user"], exchange, exchange, ["system", "user"], exchange]


def test_a_server_that_refuses_results_stops_the_campaign(pytester: pytest.Pytester, suite: Path) -> None:
    with FaultServer(say=obey, context=8000).running() as server:
        server.faults.extend([lambda *_: False, status(400), lambda *_: False])
        result = at_endpoint(pytester, server)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*made-up: preflight failed: tool_result: the endpoint answers 400*"])
    assert not (pytester.path / "agentcore-results").exists()


def test_a_server_that_garbles_names_stops_the_campaign(pytester: pytest.Pytester, suite: Path) -> None:
    def garbled(request: dict[str, Any]) -> Said:
        said = obey(request)
        return Said(content=said.content, calls=tuple((name * 2, arguments) for name, arguments in said.calls))

    with FaultServer(say=garbled, context=8000).running() as server:
        result = at_endpoint(pytester, server)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["*preflight failed: structured_call: called 'notenote', which was not offered; the one tool was note; *"]
    )


def test_a_passing_fault_is_no_finding(pytester: pytest.Pytester, suite: Path) -> None:
    with FaultServer(say=obey, context=8000).running() as server:
        server.faults.extend([status(500)])
        at_endpoint(pytester, server)
    assert verdict(pytester)["verdict"] == "passed"


def test_the_command_shows_both_sides(capsys: pytest.CaptureFixture[str]) -> None:
    flat = Said(calls=(("plan_trip", json.dumps({"trip": json.dumps({"to": "Oslo\x1b[31m"})})),))

    def flatten(request: dict[str, Any]) -> Said:
        trip = request["tools"][0]["function"]["name"] == "plan_trip"
        return flat if trip else obey(request)

    with FaultServer(say=flatten, context=8000).running() as server:
        code = cli.main(["preflight", "made-up", "--base-url", server.url])
    said = capsys.readouterr().out
    assert code == 1
    assert "made-up · policy native · preflight failed: nested_argument: the nested object arrives as text" in said
    assert "1 structured_call: ok, called as asked" in said
    assert "  sent  system: You work through tools." in said
    assert 'read as a call: note {"text": "apple"}' in said
    assert "\x1b" not in said


@pytest.mark.parametrize("model", ["oracle", "scripted:x.json"])
def test_the_command_refuses_what_has_no_way(
    pytester: pytest.Pytester, capsys: pytest.CaptureFixture[str], model: str
) -> None:
    pytester.makefile(".json", x='{"replies": {"*": []}}')
    assert cli.main(["preflight", model]) == cli.USAGE_ERROR
    assert "no model writes its replies" in capsys.readouterr().err


@pytest.mark.model
def test_the_way_of_a_model_in_this_process_is_open(pytester: pytest.Pytester, suite: Path) -> None:
    engine = ("--agentcore-engine", "threads=1", "--agentcore-engine", "n_ctx=2048")
    words = (*engine, "--agentcore-max-turns", "1", "--agentcore-reply-tokens", "8")
    pytester.runpytest_subprocess("--model", "smollm2-135m", "--runs", "1", *words, "-k", "task_01", suite)
    found = verdict(pytester)
    assert found["passed"] is True
    checks = {check["name"]: check for check in found["checks"]}
    assert checks["call_without_text"]["sent"].startswith('<tool_call>{"name": "note"')
    assert "there is no tool 'teleport'; the tools are note" in checks["unknown_tool"]["sent"]
    assert "plan_trip" in checks["nested_argument"]["came"]
