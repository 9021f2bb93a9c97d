"""A worker refuses, in a sentence, whatever would make its trials others than those of the session."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from backends.llama.tiny_models import write_model
from hub_server import Hub, environment, serve
from tiny import HELLO

from elsewhere.orders import TASK, Laid, Nobody, keyed, lay, look, trial
from pytest_agentcore.catalogue.entry import EndpointSettings
from pytest_agentcore.catalogue.files import file_digest
from pytest_agentcore.elsewhere.order import describe_setup, unwrap, versions, wrap
from pytest_agentcore.elsewhere.worker import Worker


@pytest.fixture
def worker() -> Any:
    made = Worker()
    yield made
    made.close()


def refusal(worker: Worker, order: bytes) -> str:
    header, _ = unwrap(worker.work(order, Nobody()))
    return str(header["refused"])


@pytest.mark.parametrize("name", ["pytest-agentcore", "Python"])
def test_another_version(worker: Worker, laid: Laid, name: str) -> None:
    said = refusal(worker, look(laid, versions={**versions(), name: "0.0"}))
    assert said.startswith(f"this worker has {name} {versions()[name]}, and the session 0.0")


def test_another_suite(worker: Worker, laid: Laid) -> None:
    assert "not 000000000000" in refusal(worker, look(laid, suite="0" * 64))


def test_no_suite_at_all(worker: Worker, laid: Laid) -> None:
    assert "not a zip file" in refusal(worker, look(laid).partition(b"\n")[0] + b"\nrubbish")


def test_a_task_that_is_not_there(worker: Worker, laid: Laid) -> None:
    assert refusal(worker, look(laid, tasks=[TASK, "task_99"])).startswith("the suite has no task task_99 here")


def test_a_tool_that_is_not_there(worker: Worker, tmp_path: Path) -> None:
    task = HELLO.replace("artifacts=(", 'tools=("word_count",), artifacts=(')
    assert "unknown tool 'word_count'" in refusal(worker, look(lay(tmp_path / "tiny", "oracle", task)))


def test_a_model_that_is_not_there_or_is_another(
    worker: Worker, laid: Laid, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENTCORE_MODELS", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    given = keyed(laid, backend="llama_cpp", slug="made-up", file="made-up.gguf")
    assert refusal(worker, look(given)).startswith("oracle: no file made-up.gguf in ")
    (tmp_path / "made-up.gguf").write_bytes(b"GGUF")
    other = keyed(given, sha256="0" * 64)
    assert "digest" in refusal(worker, look(other)) or "GGUF" in refusal(worker, look(other))


FIT = """
import sys
from pytest_agentcore.elsewhere.worker import Worker
sys.stdout.buffer.write(Worker().work(sys.stdin.buffer.read(), None))
"""


def fit(laid: Laid) -> bytes:
    return wrap({"versions": versions(), "do": "fit", "setup": describe_setup(laid.setup), "trials": 4})


def test_a_model_is_found_by_its_name_and_one_of_another_digest_is_refused(
    worker: Worker, laid: Laid, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENTCORE_MODELS", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    found = file_digest(write_model(tmp_path / "made-up.gguf", "llama"))
    given = keyed(laid, backend="llama_cpp", slug="made-up", path=Path("/of/the/session/made-up.gguf"), sha256=found)
    monkeypatch.setattr("pytest_agentcore.elsewhere.order.file_digest", lambda _path: found)
    header, _ = unwrap(worker.work(fit(given), Nobody()))
    assert (header["sha256"], header["rows"]) == (found, 4)
    other = keyed(laid, backend="llama_cpp", slug="made-up", file="made-up.gguf", sha256="0" * 64)
    assert f"has the digest {found[:12]}, and the campaign's model 000000000000" in refusal(worker, look(other))


@pytest.mark.needs("huggingface_hub")
def test_a_model_that_is_missing_is_fetched_there(laid: Laid, tmp_path: Path) -> None:
    file = write_model(tmp_path / "Tiny-Q4_K_M.gguf", "llama")
    given = keyed(laid, backend="llama_cpp", slug="tiny", repo="me/Tiny-GGUF", file=file.name, quant="Q4_K_M")
    with serve(Hub(files={file.name: file})) as hub:
        env = {**os.environ, **environment(hub, tmp_path / "there")}
        command = [sys.executable, "-c", FIT]
        done = subprocess.run(command, input=fit(given), capture_output=True, env=env, check=True)
    header, _ = unwrap(done.stdout)
    assert header["sha256"] == file_digest(file)


def test_a_key_that_is_not_there(worker: Worker, laid: Laid, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "sk-very-secret")
    given = keyed(laid, backend="openai", base_url="http://127.0.0.1:9/v1", api_key_env="MY_KEY")
    given = replace(given, setup=replace(given.setup, engine=EndpointSettings()))
    order = look(given, sandbox="process")
    assert b"sk-very-secret" not in order
    monkeypatch.delenv("MY_KEY")
    assert "MY_KEY" in refusal(worker, order)


def test_no_bubblewrap(worker: Worker, laid: Laid, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    said = refusal(worker, look(laid, sandbox="bubblewrap"))
    assert "bubblewrap does not work here: no program bwrap" in said


def test_a_worker_that_was_started_anew_was_shown_nothing(worker: Worker, laid: Laid) -> None:
    assert refusal(worker, trial(laid, "one")).startswith("this worker was not shown the model")


def test_a_disk_that_takes_no_workspace_is_infrastructure(
    worker: Worker, laid: Laid, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker.work(look(laid), Nobody())

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pytest_agentcore.runner.create_workspace", full)
    header, archive = unwrap(worker.work(trial(laid, "one"), Nobody()))
    assert header["failure"] == [
        "the workspace cannot be written: [Errno 28] No space left on device",
        "sandbox_failed",
    ]
    assert (header["digest"], archive) == ("", b"")


def test_a_disk_that_takes_no_suite_refuses(worker: Worker, laid: Laid, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pytest_agentcore.elsewhere.worker.unzip_suite", full)
    assert refusal(worker, look(laid)) == "[Errno 28] No space left on device"


def test_another_model_takes_the_place_of_the_one_before(worker: Worker, laid: Laid, tmp_path: Path) -> None:
    worker.work(look(laid), Nobody())
    script = tmp_path / "bot.json"
    script.write_text(json.dumps({"replies": {"*": ["done"]}}))
    second = lay(tmp_path / "tiny", f"scripted:{script}")
    header, _ = unwrap(worker.work(look(second), Nobody()))
    assert header["backend"]["backend"] == "scripted"
    assert refusal(worker, trial(laid, "late")).startswith("this worker was not shown the model")
    header, _ = unwrap(worker.work(trial(second, "one"), Nobody()))
    assert header["events"][-1]["stop_reason"] == "final_answer"
