"""Reads the header of a GGUF file: enough to refuse a broken one in words and to foretell the memory it needs.

The `gguf` package is not used: it reads every tokenizer array element by element into numpy, which takes seconds for a
large vocabulary, and says nothing about files that are cut off. Format:
https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import math
import mmap
import struct
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_agentcore.catalogue.files import all_parts
from pytest_agentcore.errors import UsageError

_MAGIC = b"GGUF"
_SCALARS: Mapping[int, struct.Struct] = {
    code: struct.Struct(f"<{letter}")
    for code, letter in enumerate(("B", "b", "H", "h", "I", "i", "f", "?", "", "", "Q", "q", "d"))
    if letter
}
_STRING, _ARRAY = 8, 9
_KEPT_ELEMENTS = 4096
"""Longer arrays are the tokenizer's; they are skipped."""

BLOCKS = {
    code: (elements, size)
    for elements, sizes in (
        # F32, F16, I8, I16, I32, I64, F64, BF16
        (1, {0: 4, 1: 2, 24: 1, 25: 2, 26: 4, 27: 8, 28: 8, 30: 2}),
        # Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q8_1, IQ4_NL, MXFP4
        (32, {2: 18, 3: 20, 6: 22, 7: 24, 8: 34, 9: 36, 20: 18, 39: 17}),
        # Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, Q8_K
        (256, {10: 84, 11: 110, 12: 144, 13: 176, 14: 210, 15: 292}),
        # IQ2_XXS, IQ2_XS, IQ3_XXS, IQ1_S, IQ3_S, IQ2_S, IQ4_XS, IQ1_M, TQ1_0, TQ2_0
        (256, {16: 66, 17: 74, 18: 98, 19: 50, 21: 110, 22: 82, 23: 136, 29: 56, 34: 54, 35: 66}),
    )
    for code, size in sizes.items()
}
"""Elements and bytes per block of a tensor type; of a type that is not here only the beginning is checked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The part of a GGUF file before the weights."""

    path: Path
    file_bytes: int
    metadata: Mapping[str, Any]
    """Without the tokenizer's long arrays."""
    lengths: Mapping[str, int]
    """Number of elements of every array."""
    tensors: int
    end_bytes: int
    """How long the file must be for its last tensor."""

    @property
    def architecture(self) -> str:
        """`general.architecture`, e.g. `llama`."""
        return str(self.metadata.get("general.architecture", ""))

    def number(self, key: str, default: int = 0) -> int:
        """A whole number below the architecture's own prefix; of a per-layer array the largest."""
        value = self.metadata.get(f"{self.architecture}.{key}", default)
        return int(max(value, default=default)) if isinstance(value, Sequence) else int(value)

    def per_layer(self, key: str, layers: int, default: int) -> list[int]:
        """A number below the architecture's prefix, for each layer."""
        value = self.metadata.get(f"{self.architecture}.{key}", default)
        if isinstance(value, Sequence):
            return [int(value[i]) if i < len(value) else default for i in range(layers)]
        return [int(value)] * layers


def read_header(path: Path, *, keep: Collection[str] = ()) -> Header:
    """Header of one file.

    Args:
        path: the file.
        keep: keys of long arrays that are wanted in `metadata` too, such as `tokenizer.ggml.tokens`.

    Raises:
        UsageError: no GGUF file, an unknown version, or cut off before its tensors are listed.
    """
    try:
        with path.open("rb") as file:
            if file.read(len(_MAGIC)) != _MAGIC:
                raise UsageError(f"{path}: not a GGUF file")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return _Reader(path, data, keep).header()
    except (struct.error, UnicodeDecodeError, MemoryError) as error:
        raise UsageError(
            f"{path}: a broken or cut off GGUF file, its header does not parse; download it again"
        ) from error
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from error


def check_model(path: Path) -> Header:
    """The header of a file (or of the first part of several) that holds a whole language model.

    Raises:
        UsageError: not a GGUF file, cut off, a part is missing, or no language model.
    """
    header = read_header(path)
    for part in parts(header):
        if not part.is_file():
            raise UsageError(f"{path}: its part {part.name} is missing; put it beside the first")
        read = header if part == path else read_header(part)
        if read.file_bytes < read.end_bytes:
            there = f"{read.file_bytes} of at least {read.end_bytes} bytes are there"
            raise UsageError(f"{part}: cut off, {there}; download it again")
    kind = header.metadata.get("general.type", "model")
    if kind != "model" or header.architecture == "clip":
        what = header.architecture if kind == "model" else kind
        raise UsageError(f"{path}: not a language model but of type {what!r}")
    if not header.architecture or not header.tensors:
        raise UsageError(f"{path}: holds no weights, only a vocabulary")
    return header


def parts(header: Header) -> list[Path]:
    """All files of a model that is split as `NAME-00001-of-00003.gguf`; usually the one."""
    is_split = int(header.metadata.get("split.count", 1)) > 1
    return [header.path.with_name(name) for name in all_parts(header.path.name)] if is_split else [header.path]


class _Reader:
    """Walks over the header; every step is bounds-checked by `struct`."""

    def __init__(self, path: Path, data: mmap.mmap, keep: Collection[str]) -> None:
        self.path, self.data, self.at, self.keep = path, data, len(_MAGIC), keep
        self.lengths: dict[str, int] = {}

    def header(self) -> Header:
        version = self._scalar(4)
        if version not in (2, 3):
            raise UsageError(f"{self.path}: GGUF version {version} is not supported, only 2 and 3")
        tensors, pairs = self._scalar(10), self._scalar(10)
        metadata: dict[str, Any] = {}
        for _ in range(pairs):
            key, code = self._text(), self._scalar(4)
            value = self._array(key) if code == _ARRAY else self._text() if code == _STRING else self._scalar(code)
            if value is not None:
                metadata[key] = value
        ends: list[int] = []  # offset of the first byte behind each tensor, from the start of the weights
        for _ in range(tensors):
            self._text()  # its name
            elements = math.prod(int(self._scalar(10)) for _ in range(self._scalar(4)))
            code, offset = self._scalar(4), int(self._scalar(10))
            block, size = BLOCKS.get(code, (1, 0))
            ends.append(offset + elements // block * size)
        alignment = int(metadata.get("general.alignment", 32)) or 32
        start = math.ceil(self.at / alignment) * alignment
        return Header(
            path=self.path,
            file_bytes=len(self.data),
            metadata=metadata,
            lengths=self.lengths,
            tensors=tensors,
            end_bytes=start + max(ends) if ends else self.at,
        )

    def _scalar(self, code: int) -> Any:
        layout = _SCALARS.get(code)
        if layout is None:
            raise struct.error(f"unknown type {code}")
        (value,) = layout.unpack_from(self.data, self.at)
        self.at += layout.size
        return value

    def _text(self) -> str:
        length = self._scalar(10)
        if self.at + length > len(self.data):
            raise struct.error("a string goes beyond the end")
        raw = self.data[self.at : self.at + length]
        self.at += length
        return raw.decode("utf-8")

    def _array(self, key: str) -> list[Any] | None:
        code, count = self._scalar(4), self._scalar(10)
        self.lengths[key] = count
        if code == _STRING:
            if key in self.keep:
                return [self._text() for _ in range(count)]
            unpack, data, at = _SCALARS[10].unpack_from, self.data, self.at
            for _ in range(count):
                at += 8 + unpack(data, at)[0]
            self.at = at
            return None
        if code not in _SCALARS or self.at + count * _SCALARS[code].size > len(self.data):
            raise struct.error("an array goes beyond the end")
        if count > _KEPT_ELEMENTS and key not in self.keep:
            self.at += count * _SCALARS[code].size
            return None
        return [self._scalar(code) for _ in range(count)]
