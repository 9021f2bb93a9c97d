"""How much memory a model will need, and how much there is."""

from __future__ import annotations

import os
from pathlib import Path

from pytest_agentcore.errors import UsageError
from pytest_agentcore.models.gguf import Header, check_model, parts

MAX_DEFAULT_CTX = 16384
"""Tokens of context when nobody asks for more."""
_CELL_BYTES = 2
"""Keys and values are kept as f16."""


def default_ctx(header: Header) -> int:
    """min(16384, what the model was trained for)."""
    trained = header.number("context_length")
    return min(MAX_DEFAULT_CTX, trained) if trained else MAX_DEFAULT_CTX


def memory_needed(path: Path, n_ctx: int | None = None, *, n_ubatch: int = 512) -> int:
    """Bytes one process needs for the file, the KV cache and the buffer of one pass.

    An estimate from the header alone, within a few percent of what llama.cpp reports for transformer models. Sliding
    windows count in full, because only the full-size cache can reuse a prefix.

    Raises:
        UsageError: no whole language model.
    """
    header = check_model(path)
    return needed_by(header, n_ctx or default_ctx(header), n_ubatch=n_ubatch)


def needed_by(header: Header, n_ctx: int, *, n_ubatch: int = 512) -> int:
    """See `memory_needed`; for a header that was read already."""
    weights = sum(part.stat().st_size for part in parts(header))
    vocabulary = header.lengths.get("tokenizer.ggml.tokens", 0) or header.number("vocab_size")
    return weights + kv_bytes(header, n_ctx) + n_ubatch * (vocabulary + header.number("embedding_length")) * 4


def kv_bytes(header: Header, n_ctx: int) -> int:
    """Bytes of the KV cache."""
    layers = header.number("block_count") - header.number("attention.shared_kv_layers")
    heads = max(header.number("attention.head_count"), 1)
    width = header.number("embedding_length") // heads
    wide = header.number("attention.key_length", width) + header.number("attention.value_length", width)
    sliding = header.number("attention.key_length_swa") + header.number("attention.value_length_swa")
    slides = header.per_layer("attention.sliding_window_pattern", layers, 0)
    kv_heads = header.per_layer("attention.head_count_kv", layers, heads)
    per_token = sum(n * (sliding if slide and sliding else wide) for n, slide in zip(kv_heads, slides, strict=True))
    return n_ctx * per_token * _CELL_BYTES


def memory_available() -> int | None:
    """Bytes this process can still get, within its container; None where that cannot be known."""
    known = [value for value in (_free_on_host(), _free_in_cgroup()) if value is not None]
    return min(known, default=None)


def check_memory(header: Header, n_ctx: int, *, n_ubatch: int = 512, processes: int = 1) -> None:
    """Refuse a model that will not fit.

    Raises:
        UsageError: says how much is needed and how much there is.
    """
    needed, available = processes * needed_by(header, n_ctx, n_ubatch=n_ubatch), memory_available()
    if available is not None and needed > available:
        times = f"{processes} processes with " if processes > 1 else ""
        raise UsageError(
            f"{header.path.name}: {times}file and KV cache for n_ctx={n_ctx} need {_gib(needed)} of memory and "
            f"{_gib(available)} are available; a smaller n_ctx{' or fewer processes' if times else ''} may fit"
        )


def _gib(size: int) -> str:
    return f"{size / 2**30:.1f} GiB"


def _free_on_host() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return _physical()
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)


def _physical() -> int | None:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return None


def _free_in_cgroup() -> int | None:
    """Both generations of control groups; page cache that can be dropped counts as free."""
    home = Path("/sys/fs/cgroup")
    for folder, limit, usage, cache in (
        (home, "memory.max", "memory.current", "inactive_file"),
        (home / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        ceiling, used = _number(folder / limit), _number(folder / usage)
        if ceiling is not None and used is not None:
            return max(0, ceiling - used + _stat(folder / "memory.stat", cache))
    return None


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def _stat(path: Path, key: str) -> int:
    try:
        pairs = (line.split() for line in path.read_text(encoding="ascii").splitlines())
        return next((int(pair[1]) for pair in pairs if pair[0] == key), 0)
    except (OSError, ValueError):
        return 0
