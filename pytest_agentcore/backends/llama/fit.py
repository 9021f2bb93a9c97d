"""Whether a model fits where it is to go, before it is loaded; if not, what would."""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from pytest_agentcore.backends.llama.engine import load_library
from pytest_agentcore.backends.llama.gguf import Header, parts
from pytest_agentcore.catalogue.entry import EngineSettings
from pytest_agentcore.errors import UsageError

MAX_DEFAULT_CTX = 16384
"""Tokens of context when nobody asks for more."""
LEAST_CTX = 512
"""Tokens; a smaller context is not worth offering."""


def check_fit(header: Header, settings: EngineSettings, devices: Devices, *, processes: int = 1) -> None:
    """Refuse a model that will not fit.

    Args:
        header: of its file.
        settings: how it is to be loaded.
        devices: where it goes, and what is free there.
        processes: that load it at the same time.

    Raises:
        UsageError: how much is needed, how much is free, and the largest context or layer split that fits.
    """
    footprint, n_ctx = Footprint.of(header, settings), settings.n_ctx or default_ctx(header)
    # layers count as equally large; None and -1 put all of them on the GPU, and the buffer of one pass is needed whole
    share, on_gpu = 1.0, settings.n_gpu_layers
    if devices.is_gpu and on_gpu is not None and on_gpu >= 0:
        share = min(on_gpu, footprint.layers) / footprint.layers
    each = footprint.buffer + int(share * (footprint.total(n_ctx) - footprint.buffer))
    if processes * each <= devices.free:
        return

    ways: list[str] = []
    free = devices.free // processes
    if largest := footprint.largest_ctx(free, share):
        ways.append(f"n_ctx={largest}")
    if devices.is_gpu:
        layers = footprint.largest_split(n_ctx, free)
        ways.append(f"n_gpu_layers={layers} of {footprint.layers} with the rest on the CPU")
    if processes > 1 and (fewer := devices.free // each):
        ways.append(f"{fewer} process{'es' if fewer > 1 else ''}")
    times = f"{processes} processes with " if processes > 1 else ""
    wanted, there = (f"{size / 2**30:.1f} GiB" for size in (processes * each, devices.free))
    raise UsageError(
        f"{header.path.name}: {times}file and KV cache for n_ctx={n_ctx} need {wanted} and {there} are free on "
        f"{devices.name}; " + (f"what fits: {' or '.join(ways)}" if ways else f"not even n_ctx={LEAST_CTX} fits")
    )


def default_ctx(header: Header) -> int:
    """Tokens of context where nothing is said: 16384, or less where the model was trained for less."""
    return min(MAX_DEFAULT_CTX, header.number("context_length") or MAX_DEFAULT_CTX)


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """The memory that one process needs for a model, in bytes."""

    weights: int
    """All parts of the file."""
    per_token: int
    """KV cache of one token of context, all layers."""
    state: int
    """Recurrent state of one sequence, whatever the context."""
    buffer: int
    """For one pass: logits and activations of a batch."""
    layers: int
    """As llama.cpp counts what can be put on a GPU: the output layer is one more."""

    @classmethod
    def of(cls, header: Header, settings: EngineSettings) -> Self:
        """The footprint that a file's header and the settings foretell.

        Sliding windows count in full, because only the full-size cache can reuse a prefix.
        """
        vocabulary = header.lengths.get("tokenizer.ggml.tokens", 0) or header.number("vocab_size")
        # convolution and state of Mamba-like layers (llama.cpp, `n_embd_r` and `n_embd_s`)
        inner, state = header.number("ssm.inner_size"), header.number("ssm.state_size")
        kept = max(header.number("ssm.conv_kernel") - 1, 0) * (inner + 2 * header.number("ssm.group_count") * state)
        layers = header.number("block_count")
        return cls(
            weights=sum(part.stat().st_size for part in parts(header)),
            per_token=kv_bytes(header),
            state=sum(_recurrent(header, layers)) * (kept + state * inner) * _STATE_BYTES,
            buffer=settings.n_ubatch * (vocabulary + header.number("embedding_length")) * _STATE_BYTES,
            layers=layers + 1,
        )

    def total(self, n_ctx: int) -> int:
        """Bytes with a context of so many tokens."""
        return self.weights + self.state + self.buffer + n_ctx * self.per_token

    def largest_ctx(self, free: int, share: float = 1.0) -> int | None:
        """The largest context that fits into so many bytes; None when not even `LEAST_CTX` does."""
        left = (free - self.buffer) / share - self.weights - self.state
        if left < LEAST_CTX * self.per_token:
            return None
        return int(left // max(self.per_token, 1) // 256 * 256)  # llama.cpp rounds a context up to a multiple of it

    def largest_split(self, n_ctx: int, free: int) -> int:
        """How many layers with their cache fit into so many bytes."""
        left = self.layers * (free - self.buffer)
        return max(0, int(left // (self.total(n_ctx) - self.buffer)))


_CELL_BYTES, _STATE_BYTES = 2, 4
"""Keys and values are kept as f16, recurrent states and the buffer of one pass as f32."""


def kv_bytes(header: Header) -> int:
    """Bytes of the KV cache for one token of context; exactly what llama.cpp reports for SmolLM2 and Qwen2.5."""
    layers = header.number("block_count") - header.number("attention.shared_kv_layers")
    heads = max(header.number("attention.head_count"), 1)
    width = header.number("embedding_length") // heads
    wide = header.number("attention.key_length", width) + header.number("attention.value_length", width)
    if header.number("attention.key_length_mla") and header.number("attention.value_length_mla"):
        wide = header.number("attention.key_length")  # multi-head latent attention keeps no values of its own
    sliding = header.number("attention.key_length_swa") + header.number("attention.value_length_swa")
    slides = header.per_layer("attention.sliding_window_pattern", layers, 0)
    kv_heads = header.per_layer("attention.head_count_kv", layers, heads)
    recurrent = _recurrent(header, layers)
    per_token = sum(
        0 if recurrent[i] else kv_heads[i] * (sliding if slides[i] and sliding else wide) for i in range(layers)
    )
    return per_token * _CELL_BYTES


def _recurrent(header: Header, layers: int) -> list[bool]:
    """Which layers keep a state instead of keys and values."""
    if f"{header.architecture}.attention.recurrent_layers" in header.metadata:
        return [bool(value) for value in header.per_layer("attention.recurrent_layers", layers, 0)]
    if header.architecture in ("qwen3next", "qwen35", "qwen35moe"):
        # every fourth layer has attention, in models that say nothing else (llama.cpp, models/qwen35.cpp)
        interval = header.number("full_attention_interval", 4) or 1
        own = layers - header.number("nextn_predict_layers")
        return [i < own and (i + 1) % interval != 0 for i in range(layers)]
    return [not heads for heads in header.per_layer("attention.head_count_kv", layers, 1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Devices:
    """Where a model goes: the accelerators together, since llama.cpp splits layers over all of them; else the CPU."""

    name: str
    """`CPU`, or e.g. `CUDA0 (NVIDIA L4)`."""
    is_gpu: bool
    free: int
    """Bytes."""
    used: int
    """Bytes: on a GPU by everybody, in main memory by this process."""

    @classmethod
    def for_model(cls, settings: EngineSettings) -> Self:
        """The devices that a model loaded with these settings will use, as they are now.

        Raises:
            UsageError: llama-cpp-python or psutil is missing.
        """
        offloads = settings.n_gpu_layers != 0 and load_library().llama_supports_gpu_offload()
        # 1 is a GPU and 2 one that shares main memory (`enum ggml_backend_dev_type` of ggml-backend.h)
        found = [device[1:] for device in ggml_devices() if device[0] in (1, 2)] if offloads else []
        if not found:
            resident = int(_psutil().Process().memory_info().rss)  # mapped files included
            return cls(name="CPU", is_gpu=False, free=memory_available(), used=resident)
        return cls(
            name=", ".join(name for name, _, _ in found),
            is_gpu=True,
            free=sum(free for _, free, _ in found),
            used=sum(total - free for _, free, total in found),
        )


_SIZES = ctypes.POINTER(ctypes.c_size_t)
_DEVICE_CALLS: Mapping[str, tuple[Any, ...]] = {
    "count": (ctypes.c_size_t,),
    "get": (ctypes.c_void_p, ctypes.c_size_t),
    "type": (ctypes.c_int, ctypes.c_void_p),
    "name": (ctypes.c_char_p, ctypes.c_void_p),
    "description": (ctypes.c_char_p, ctypes.c_void_p),
    "memory": (None, ctypes.c_void_p, _SIZES, _SIZES),
}
"""Result and arguments of ggml-backend.h's `ggml_backend_dev_…`, which llama_cpp has no names for."""


def ggml_devices() -> list[tuple[int, str, int, int]]:
    """Kind, name, free and total bytes of every device that llama.cpp's ggml knows, the CPU included."""
    ggml: dict[str, Any] = {}
    for name, (result, *arguments) in _DEVICE_CALLS.items():
        ggml[name] = load_library()._lib[f"ggml_backend_dev_{name}"]  # an object of our own, unlike an attribute's
        ggml[name].restype, ggml[name].argtypes = result, arguments
    devices = []
    for device in map(ggml["get"], range(ggml["count"]())):
        free, total = ctypes.c_size_t(), ctypes.c_size_t()
        ggml["memory"](device, ctypes.byref(free), ctypes.byref(total))
        name = f"{ggml['name'](device).decode()} ({ggml['description'](device).decode()})"
        devices.append((ggml["type"](device), name, free.value, total.value))
    return devices


def memory_available() -> int:
    """Bytes this process can still get, within its container.

    Raises:
        UsageError: psutil is missing.
    """
    free = int(_psutil().virtual_memory().available)
    home = Path("/sys/fs/cgroup")
    # the limits of a container are not psutil's: both generations of control groups, of which one is there at most
    for folder, limit, usage, cache in (
        (home, "memory.max", "memory.current", "inactive_file"),
        (home / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        with contextlib.suppress(OSError, ValueError):  # no such file, or the word `max`
            ceiling, used = (int((folder / name).read_text(encoding="ascii")) for name in (limit, usage))
            stat = dict(line.split() for line in (folder / "memory.stat").read_text(encoding="ascii").splitlines())
            # page cache that can be dropped counts as free
            free = min(free, max(0, ceiling - used + int(stat.get(cache, 0))))
    return free


def _psutil() -> Any:
    try:
        import psutil  # noqa: PLC0415 - comes with the extra `llama`
    except ModuleNotFoundError as error:
        raise UsageError("an in-process model needs psutil; run `pip install 'pytest-agentcore[llama]'`") from error
    return psutil
