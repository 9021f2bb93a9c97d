"""Without what only Linux has, suites are collected, and campaigns run: of an oracle, and at an endpoint."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from backends.openai.fault_server import FaultServer, Said
from confined import sandbox_of
from tiny import campaign, result_lines

HERE = Path(__file__).parent
SANDBOXES = pytest.mark.parametrize("sandbox", ["process", pytest.param("container", marks=pytest.mark.container)])


@pytest.fixture(autouse=True)
def _as_on_a_mac(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", f"{HERE}:{HERE.parents[1]}")


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer(say=lambda _request: Said(content="done"), context=8000).running() as server:
        yield server


def run(pytester: pytest.Pytester, *words: str | Path) -> pytest.RunResult:
    plugins = ("-p", "no_linux") if sys.platform == "linux" else ()
    return pytester.runpytest_subprocess(*plugins, "--runs=1", *words)


def test_a_suite_is_collected(pytester: pytest.Pytester, suite: Path) -> None:
    result = run(pytester, "--model=oracle", "--sandbox=process", "--collect-only", "-q", suite)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*test_task_01_hello.py*", "*test_task_02_count.py*"])


@SANDBOXES
def test_an_oracle_runs(pytester: pytest.Pytester, suite: Path, sandbox: str) -> None:
    sandbox_of(sandbox)
    (suite / "test_task_03_code.py").write_text(CODE)
    run(pytester, "--model=oracle", f"--sandbox={sandbox}", suite).assert_outcomes(passed=3)
    manifest = json.loads((campaign(pytester) / "manifest.json").read_bytes())
    assert manifest["sandbox"]["name"] == sandbox


def test_a_campaign_at_an_endpoint_runs(pytester: pytest.Pytester, suite: Path, server: FaultServer) -> None:
    address = f"--agentcore-base-url={server.url}"
    run(pytester, "--model=made-up", address, "--agentcore-preflight=off", "--sandbox=process", suite)
    assert {line["cause"] for line in result_lines(campaign(pytester))} == {"no_tool_call"}
    assert len(result_lines(campaign(pytester))) == 2


CODE = """
from pytest_agentcore import task

GIVEN = "def double(x):\\n    return x\\n"
TEST = "import unittest\\nimport app\\nclass Tests(unittest.TestCase):\\n    def test(self):\\n"

TEST += "        self.assertEqual(app.double(2), 4)\\n"
FILES = {"app.py": GIVEN, "test_app.py": TEST}

@task(prompt="Mend app.py.", files=FILES, artifacts=("app.py",), protected=("test_app.py",))
def test_code(trial):
    assert trial.call("app.py:double", 21).value == 42
    assert trial.run_tests("test_app.py").failed == 0
    assert trial.shell("sleep 0.1; cat app.py").exit_code == 0

@test_code.oracle
def mend(agent):
    agent.shell("sed -i.old 's/return x/return 2 * x/' app.py; rm app.py.old; sleep 0.2")

@test_code.counterexample
def nothing(agent):
    agent.shell("true")
"""
