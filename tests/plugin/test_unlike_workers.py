"""Workers that are not alike: those that would run other trials are left out, and unlike machines are named."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from backends.openai.fault_server import FaultServer, Said
from tiny import campaign, result_lines

import pytest_agentcore
from pytest_agentcore.elsewhere import order
from pytest_agentcore.elsewhere.worker import Worker

pytestmark = [pytest.mark.needs("distributed"), pytest.mark.usefixtures("dask")]

SECRET = "sk-very-secret-of-the-worker"


@contextmanager
def workers(variables: Sequence[Mapping[str, str]], changes: Mapping[int, str]) -> Iterator[Any]:
    """Workers with variables of their own, some of whose processes are changed by a line of code; a client of them."""
    from distributed import Client  # noqa: PLC0415 - optional

    from pytest_agentcore.elsewhere import dask  # noqa: PLC0415 - optional

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dask, "environments", lambda _gpus, _workers: variables)
        cluster = dask.start_here([], 0, 2)
    with cluster, Client(cluster, set_as_default=False) as client:
        for number, line in changes.items():
            client.run(exec, line, workers=[cluster.workers[number].worker_address])
        yield client


def address_of(client: Any) -> str:
    return str(client.scheduler.address).replace("tcp://", "dask://")


@pytest.fixture
def server() -> Iterator[FaultServer]:
    """A model that solves the first task, for those that have the key."""

    def solve(request: dict[str, Any]) -> Said:
        if request["messages"][-1]["role"] == "tool":
            return Said(content="done")
        return Said(calls=(("fs_write", '{"path": "hello.txt", "content": "hello"}'),))

    with FaultServer(context=8000, key=SECRET, say=solve).running() as server:
        yield server


def at(server: FaultServer) -> tuple[str, ...]:
    keyed = ("--model=made-up", "--agentcore-api-key-env=MY_KEY", "--agentcore-preflight=off")
    return (f"--agentcore-base-url={server.url}", *keyed)


def test_those_that_would_run_other_trials_are_left_out_and_no_order_or_log_holds_a_key(
    pytester: pytest.Pytester, suite: Path, server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pytest_agentcore.elsewhere.dask import Dask  # noqa: PLC0415 - optional

    orders, submit = list[bytes](), Dask.submit

    def keep(self: Dask, worker: str, name: str, sent: bytes) -> Any:
        orders.append(sent)
        return submit(self, worker, name, sent)

    monkeypatch.setattr(Dask, "submit", keep)
    monkeypatch.setenv("MY_KEY", SECRET)
    key = {"MY_KEY": SECRET}
    variables = [key, {**key, "PATH": str(pytester.path)}, {"MY_KEY": ""}, key, key]
    changes = {
        3: f"import {order.__name__} as order; order.__version__ = '0.0'",
        4: "import platform; platform.python_version_tuple = lambda: ('3', '99', '0')",
    }
    with workers(variables, changes) as client:
        result = pytester.runpytest(*at(server), "--runs=2", f"--agentcore-on={address_of(client)}", suite)
        logs = repr([client.get_scheduler_logs(), client.get_worker_logs(), client.get_events()])
    result.assert_outcomes(passed=2, failed=2)
    said = result.stdout.str()
    result.stdout.fnmatch_lines(["workers *1 on *"])
    others = ("this worker has pytest-agentcore 0.0", "this worker has Python CPython 3.99, and the session CPython 3.")
    for words in ("no program bwrap", "MY_KEY, its key, is not set here", *others):
        assert said.count("is left out: ") == 8  # when it is known, and once more at the end
        assert words in " ".join(said.split())
    assert orders
    assert "hello" in logs  # what workers told is among the events
    files = b"".join(path.read_bytes() for path in campaign(pytester).rglob("*") if path.is_file())
    for text in (b"".join(orders), logs.encode(), said.encode(), result.stderr.str().encode(), files):
        assert SECRET.encode() not in text


def other_python(cache: Path) -> tuple[str, str, dict[str, str]] | None:
    """Another Python that can run a worker with the packages of this one: its place, version and variables.

    Those lie beside this one (pyenv, uv, GitHub's runners) or on the PATH. Compiled packages are for one Python, but
    what a worker needs to say no is compiled for all of them, or not at all.
    """
    packages = [str(Path(str(module.__file__)).parents[1]) for module in (pytest_agentcore, pytest)]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(packages), "PYTHONPYCACHEPREFIX": str(cache)}
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    places = [*map(Path, os.get_exec_path()), *Path(sys.base_prefix).parents[0].glob("*/bin")]
    places += Path(sys.base_prefix).parents[1].glob("*/*/bin")
    ours = f"python3.{sys.version_info.minor}"
    for python in (str(path) for place in places for path in place.glob("python3.1[1-9]") if path.name != ours):
        probe = [python, "-c", "import pytest_agentcore.elsewhere.dask, platform; print(platform.python_version())"]
        if said := subprocess.run(probe, env=env, capture_output=True, text=True, check=False).stdout:
            return python, ".".join(said.split(".")[:2]), env
    return None


def test_a_worker_with_another_python_is_left_out(pytester: pytest.Pytester, suite: Path, dask: str) -> None:
    from distributed import Client  # noqa: PLC0415 - optional
    from distributed.versions import VersionMismatchWarning  # noqa: PLC0415 - optional

    if (other := other_python(pytester.path)) is None:
        pytest.skip("there is no second Python that can run a worker")
    python, version, env = other
    command = [python, "-m", "pytest_agentcore.cli", "worker", dask]
    quiet: Any = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with (
        Client(dask.replace("dask:", "tcp:"), set_as_default=False) as client,
        subprocess.Popen(command, env=env, **quiet) as process,
    ):
        try:
            client.wait_for_workers(3, timeout=60)
            with pytest.warns(VersionMismatchWarning):  # what Dask says of it ends no session
                result = pytester.runpytest("--model=oracle", "--runs=1", f"--agentcore-on={dask}", suite)
        finally:
            process.terminate()
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["workers *2 on *"])
    said = " ".join(result.stdout.str().split())
    assert f"is left out: this worker has Python CPython {version}, and the session CPython" in said


def test_nothing_is_written_where_all_refuse(
    pytester: pytest.Pytester, suite: Path, server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", SECRET)
    with workers([{"MY_KEY": ""}], {}) as client:
        result = pytester.runpytest(*at(server), "--runs=2", f"--agentcore-on={address_of(client)}", suite)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*no worker can run these trials: made-up: the variable MY_KEY, its key, is not set*"])
    assert not (pytester.path / "agentcore-results").exists()


OTHER_PROCESSOR = f"""
import {Worker.__module__} as worker
worker.machine_facts = lambda facts=worker.machine_facts: {{**facts(), "processor": "Other CPU"}}
"""


def test_unlike_machines_are_named_in_header_report_and_comparison(pytester: pytest.Pytester, suite: Path) -> None:
    with workers([{}, {}], {1: OTHER_PROCESSOR}) as client:
        words = ("--model=oracle", "--runs=2", f"--agentcore-on={address_of(client)}", suite)
        result = pytester.runpytest(*words)
    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines_random(["workers * 1 on *", "*1 on Other CPU*", "*the workers are different machines*"])
    there = campaign(pytester)
    report = " ".join((there / "report.md").read_text().split())
    assert "the workers are different machines" in report
    assert "1 on Other CPU" in report
    pytester.runpytest("--model=oracle", "--runs=2", "--results=here", suite)
    compared = pytester.run(sys.executable, "-m", "pytest_agentcore.cli", "compare", campaign(pytester, "here"), there)
    compared.stdout.fnmatch_lines(["*machine: * | *1 on Other CPU*"])
    assert len(result_lines(there)) == 4
    assert [kind["workers"] for kind in json.loads((there / "manifest.json").read_bytes())["workers"]] == [1, 1]
