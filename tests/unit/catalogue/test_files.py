"""Which file a spelling means, what its sha256 is, and which files Ollama keeps on disk."""

from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path

import pytest

from pytest_agentcore.catalogue.entry import ModelEntry
from pytest_agentcore.catalogue.files import all_parts, choose_file, file_digest, spelled
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


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "pytest-agentcore" / "digests"


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_a_changed_file_is_read_again(tmp_path: Path, cache: Path) -> None:
    file = tmp_path / "m.gguf"
    file.write_bytes(b"one")
    assert file_digest(file) == sha(b"one")
    file.write_bytes(b"three")
    assert file_digest(file) == sha(b"three")


def test_an_unchanged_file_is_not_read(tmp_path: Path, cache: Path) -> None:
    file = tmp_path / "m.gguf"
    file.write_bytes(b"one")
    before = file.stat()
    assert file_digest(file) == sha(b"one")
    file.write_bytes(b"two")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert file_digest(file) == sha(b"one")


@pytest.mark.parametrize("note", [b"", b"[]", b'{"sha256": 3}', b"\xff"])
def test_a_broken_note_only_costs_time(note: bytes, tmp_path: Path, cache: Path) -> None:
    file = tmp_path / "m.gguf"
    file.write_bytes(b"one")
    file_digest(file)
    (written,) = cache.iterdir()
    written.write_bytes(note)
    assert file_digest(file) == sha(b"one")


def test_a_cache_that_cannot_be_written_only_costs_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "m.gguf"
    file.write_bytes(b"one")
    monkeypatch.setenv("XDG_CACHE_HOME", str(file))
    assert file_digest(file) == sha(b"one")


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


def test_a_digest_tells_how_far_it_is(tmp_path: Path) -> None:
    file, parts = tmp_path / "model.gguf", list[float]()
    file.write_bytes(b"x" * (5 * 2**20 // 2))
    assert file_digest(file, parts.append) == sha(file.read_bytes())
    assert parts == [0.4, 0.8, 1.0]
    assert file_digest(file, parts.append) == sha(file.read_bytes())
    assert len(parts) == 3
