"""The model files that Ollama keeps on disk."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from pytest_agentcore.catalogue.resolve import resolve
from pytest_agentcore.errors import UsageError


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
