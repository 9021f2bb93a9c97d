"""Which file a spelling means, and what its sha256 is."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

import pytest

from pytest_agentcore.catalogue.entry import ModelEntry
from pytest_agentcore.catalogue.files import all_parts, choose_file, file_digest, spelled
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
