"""Broken, cut off and wrong files are refused in one sentence; memory is foretold from the header."""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from pathlib import Path

import pytest

from pytest_agentcore.backends.llama.fit import Footprint, default_ctx
from pytest_agentcore.backends.llama.gguf import check_model
from pytest_agentcore.catalogue.entry import EngineSettings
from pytest_agentcore.errors import UsageError


def text(value: str) -> bytes:
    raw = value.encode()
    return struct.pack("<Q", len(raw)) + raw


def gguf(
    metadata: Mapping[str, str | int], *, version: int = 3, elements: int = 64, weights: bytes | None = None
) -> bytes:
    """A file with one F32 tensor of `elements` elements."""
    pairs = b"".join(
        text(key) + (struct.pack("<I", 8) + text(value) if isinstance(value, str) else struct.pack("<II", 4, value))
        for key, value in metadata.items()
    )
    tensor = text("w") + struct.pack("<IQIQ", 1, elements, 0, 0)
    head = b"GGUF" + struct.pack("<IQQ", version, 1, len(metadata)) + pairs + tensor
    head += bytes(-len(head) % 32)
    return head + (bytes(4 * elements) if weights is None else weights)


LLAMA: dict[str, str | int] = {"general.architecture": "llama", "llama.block_count": 2}


def test_the_header_of_a_real_model(smollm2: Path) -> None:
    header = check_model(smollm2)
    assert (header.architecture, header.number("context_length")) == ("llama", 8192)
    assert header.end_bytes == header.file_bytes == smollm2.stat().st_size
    assert header.lengths["tokenizer.ggml.tokens"] == 49152
    assert default_ctx(header) == 8192


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "not a GGUF file"),
        (b"PK\x03\x04 a zip", "not a GGUF file"),
        (b"GGUF", "header does not parse"),
        (gguf(LLAMA)[:60], "header does not parse"),
        (gguf(LLAMA, version=1), "version 1 is not supported"),
        (struct.pack(">4sIQQ", b"GGUF", 3, 0, 0), "is not supported"),
        (gguf(LLAMA, weights=bytes(100)), "cut off, 260 of at least 416 bytes"),
        (gguf({"general.architecture": "clip"}), "not a language model but of type 'clip'"),
        (gguf({"general.architecture": "llama", "general.type": "adapter"}), "but of type 'adapter'"),
        (gguf({}), "holds no weights"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + text("k") + struct.pack("<I", 99), "header does not parse"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", 2**63), "header does not parse"),
    ],
)
def test_files_that_hold_no_whole_model(content: bytes, says: str, tmp_path: Path) -> None:
    file = tmp_path / "model.gguf"
    file.write_bytes(content)
    with pytest.raises(UsageError, match=re.escape(says)) as caught:
        check_model(file)
    assert "\n" not in str(caught.value)


def test_a_vocabulary_is_no_model(gemma4_vocabulary: Path) -> None:
    with pytest.raises(UsageError, match="only a vocabulary"):
        check_model(gemma4_vocabulary)


def test_a_truncated_download(smollm2: Path, tmp_path: Path) -> None:
    file = tmp_path / "half.gguf"
    with smollm2.open("rb") as whole:
        file.write_bytes(whole.read(20_000_000))
    with pytest.raises(UsageError, match="20000000 of at least 98362432 bytes are there"):
        check_model(file)


def test_a_missing_part_of_a_split_model(tmp_path: Path) -> None:
    file = tmp_path / "big-00001-of-00002.gguf"
    file.write_bytes(gguf({**LLAMA, "split.count": 2}))
    with pytest.raises(UsageError, match=r"big-00002-of-00002\.gguf is missing"):
        check_model(file)
    (tmp_path / "big-00002-of-00002.gguf").write_bytes(gguf({}))
    assert Footprint.of(check_model(file), EngineSettings()).weights == sum(
        p.stat().st_size for p in tmp_path.iterdir()
    )


def test_a_folder_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        check_model(tmp_path)
