"""Whether a model fits where it is to go, before it is loaded; if not, what would."""

from __future__ import annotations

import contextlib
import ctypes
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from pytest_agentcore.backends.llama.engine import load_library
from pytest_agentcore.backends.llama.gguf import BLOCKS, Header, check_model, parts
from pytest_agentcore.catalogue.entry import CACHE_TYPES, EngineSettings, ModelEntry
from pytest_agentcore.errors import UsageError

MAX_DEFAULT_CTX = 16384
"""Tokens of context when nobody asks for more."""
LEAST_CTX = 512
"""Tokens; a smaller context is not worth offering."""
CELLS = 256
"""Tokens: a context is rounded up to a multiple of it (llama.cpp, `GGML_PAD` in llama-context.cpp)."""


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
    share = gpu_share(footprint, settings, devices)
    each = footprint.buffer + int(share * (footprint.total(n_ctx) - footprint.buffer))
    if processes * each <= devices.free:
        return

    ways: list[str] = []
    free = devices.free // processes
    if settings.rows > 1 and (fewer := footprint.most_rows(n_ctx, free, share)):
        ways.append(f"--agentcore-parallel={fewer}")
    if largest := footprint.largest_ctx(free, share):
        ways.append(f"n_ctx={largest}")
    if devices.is_gpu:
        layers = footprint.largest_split(n_ctx, free)
        ways.append(f"n_gpu_layers={layers} of {footprint.layers} with the rest on the CPU")
    if processes > 1 and (fewer := devices.free // each):
        ways.append(f"{fewer} process{'es' if fewer > 1 else ''}")
    times = f"{processes} processes with " if processes > 1 else ""
    cache = f"{settings.rows} KV caches" if settings.rows > 1 else "KV cache"
    wanted, there = (f"{size / 2**30:.1f} GiB" for size in (processes * each, devices.free))
    raise UsageError(
        f"{header.path.name}: {times}file and {cache} for n_ctx={n_ctx} need {wanted} and {there} are free on "
        f"{devices.name}; " + (f"what fits: {' or '.join(ways)}" if ways else f"not even n_ctx={LEAST_CTX} fits")
    )


def gpu_share(footprint: Footprint, settings: EngineSettings, devices: Devices) -> float:
    """The part of weights and caches that goes to the devices: layers count as equally large; None and -1 are all."""
    on_gpu = settings.n_gpu_layers
    split = devices.is_gpu and on_gpu is not None and on_gpu >= 0
    return min(on_gpu or 0, footprint.layers) / footprint.layers if split else 1.0


RECURRENT = re.compile("a?rwkv|mamba")
"""Architectures that keep a state throughout, and whose files do not say so layer by layer."""
MOST_ROWS = {True: 8, False: 4}
"""Conversations at a time where nobody says how many: on a GPU, and on a CPU."""


def choose_rows(header: Header, settings: EngineSettings, trials: int) -> tuple[int, str]:
    """How many conversations to decode together where nobody says it, and why: what memory holds, within limits.

    Args:
        header: of its file.
        settings: how it is to be loaded.
        trials: that are going to be run with it.

    Raises:
        UsageError: llama-cpp-python or psutil is missing.
    """
    devices = Devices.for_model(settings)
    if any(_recurrent(header, header.number("block_count"))):
        return 1, "auto: a model with a recurrent state runs one conversation at a time"
    most, place = MOST_ROWS[devices.is_gpu], "a GPU" if devices.is_gpu else "a CPU"
    rows, why = (trials, "as many as trials") if trials <= most else (most, f"at most {most} on {place}")
    footprint, n_ctx = Footprint.of(header, replace(settings, rows=rows)), settings.n_ctx or default_ctx(header)
    fitting = footprint.most_rows(n_ctx, devices.free, gpu_share(footprint, settings, devices))
    if fitting < rows:
        rows, why = fitting, f"no more caches of {n_ctx} tokens fit on {devices.name}"
    return max(rows, 1), f"auto: {why}"


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
    rows: int = 1
    """Conversations that are decoded together, each with a cache and a state of its own."""

    @classmethod
    def of(cls, header: Header, settings: EngineSettings) -> Self:
        """The footprint that a file's header and the settings foretell.

        Sliding windows count in full, because only the full-size cache can reuse a prefix.
        """
        vocabulary = header.lengths.get("tokenizer.ggml.tokens", 0) or header.number("vocab_size")
        # convolution and state of Mamba-like layers, shifted tokens and heads of RWKV (`n_embd_r`, `n_embd_s`)
        inner, state = header.number("ssm.inner_size"), header.number("ssm.state_size")
        kept = max(header.number("ssm.conv_kernel") - 1, 0) * (inner + 2 * header.number("ssm.group_count") * state)
        if head := header.number("wkv.head_size"):
            inner, state = header.number("embedding_length"), head
            kept = header.number("token_shift_count", 2) * inner
        layers = header.number("block_count")
        return cls(
            weights=sum(part.stat().st_size for part in parts(header)),
            per_token=kv_bytes(header, settings),
            state=sum(_recurrent(header, layers)) * (kept + state * inner) * _STATE_BYTES,
            buffer=settings.n_ubatch * (vocabulary + header.number("embedding_length")) * _STATE_BYTES,
            layers=layers + 1,
            rows=settings.rows,
        )

    @classmethod
    def of_entry(cls, entry: ModelEntry) -> Self:
        """The footprint of a model whose file is not here, from what its entry says of it; 0 for what it leaves out."""
        vocabulary = entry.memory.get("vocabulary", 0)
        return cls(
            weights=round((entry.size or 0) * 1e9),
            per_token=entry.memory.get("cache", 0),
            state=0,
            buffer=EngineSettings().n_ubatch * vocabulary * _STATE_BYTES,
            layers=1,
        )

    def total(self, n_ctx: int) -> int:
        """Bytes with a context of so many tokens for each row."""
        return self.weights + self.buffer + self.rows * self.state + self.cache(n_ctx)

    def cache(self, n_ctx: int) -> int:
        """Bytes of the KV cache with so many tokens a row, which llama.cpp makes a multiple of `CELLS`."""
        return self.rows * -(-n_ctx // CELLS) * CELLS * self.per_token

    def largest_ctx(self, free: int, share: float = 1.0) -> int | None:
        """The largest context that fits into so many bytes; None when not even `LEAST_CTX` does."""
        left = ((free - self.buffer) / share - self.weights) / self.rows - self.state
        if left < LEAST_CTX * self.per_token:
            return None
        return int(left // max(self.per_token, 1) // CELLS * CELLS)

    def most_rows(self, n_ctx: int, free: int, share: float = 1.0) -> int:
        """How many conversations of so many tokens fit into so many bytes, up to those that are asked for."""
        one = (self.cache(n_ctx) // self.rows + self.state) * share
        left = free - self.buffer - self.weights * share
        return max(0, min(self.rows, int(left // one) if one else self.rows))

    def largest_split(self, n_ctx: int, free: int) -> int:
        """How many layers with their cache fit into so many bytes."""
        left = self.layers * (free - self.buffer)
        return max(0, int(left // (self.total(n_ctx) - self.buffer)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """The memory that one conversation with a model takes, and how long it may become in what is free."""

    context: int
    """Tokens: as many as were asked about, or as the model was trained for."""
    size: int
    """Bytes of the file."""
    memory: int
    """Bytes with that context; the file alone, where its cache is not known."""
    largest: int | None
    """Tokens of context that fit and that the model was trained for; 0: it does not fit; None: not known."""
    known_from: str
    """`header`: read from the file, exact. `entry`: estimated from what the entry says. `size`: of the file alone."""


def need_of(entry: ModelEntry, context: int, free: int | None) -> Need | None:
    """The memory that a model takes with usual settings; None where not even its file's size is known.

    Args:
        entry: with the path of its file, where that is here.
        context: tokens that are asked about.
        free: bytes where it would go; None where that is not known.

    Raises:
        UsageError: the file is broken, or no language model.
    """
    trained, known_from = entry.context, "entry" if entry.memory else "size"
    if entry.path:
        header = check_model(entry.path)
        footprint, known_from = Footprint.of(header, EngineSettings()), "header"
        trained = header.number("context_length") or trained
    elif entry.size:
        footprint = Footprint.of_entry(entry)
    else:
        return None
    most = trained or context
    largest = None if free is None else min(footprint.largest_ctx(free) or 0, most)
    return Need(
        context=min(context, most),
        size=footprint.weights,
        memory=footprint.total(min(context, most)),
        largest=None if known_from == "size" and largest else largest,
        known_from=known_from,
    )


_STATE_BYTES = 4
"""Recurrent states and the buffer of one pass are kept as f32."""


def kv_bytes(header: Header, settings: EngineSettings) -> int:
    """Bytes of the KV cache for one token of context; exactly what llama.cpp allocates."""
    layers = header.number("block_count") - header.number("attention.shared_kv_layers")
    slides = header.per_layer("attention.sliding_window_pattern", layers, 0)
    kv_heads = header.per_layer("attention.head_count_kv", layers, max(header.number("attention.head_count"), 1))
    recurrent = _recurrent(header, layers)
    kinds = [BLOCKS[CACHE_TYPES[name]] for name in (settings.type_k, settings.type_v)]
    return sum(
        kv_heads[i] * width // elements * size
        for i in range(layers)
        if not recurrent[i]
        for width, (elements, size) in zip(_head_widths(header, sliding=bool(slides[i])), kinds, strict=True)
    )


def _head_widths(header: Header, *, sliding: bool) -> tuple[int, int]:
    """How many values a head keeps of a token, as key and as value."""
    width = header.number("embedding_length") // max(header.number("attention.head_count"), 1)
    key, value = (header.number(f"attention.{name}_length", width) for name in ("key", "value"))
    if header.number("attention.key_length_mla") and header.number("attention.value_length_mla"):
        return key, 0  # multi-head latent attention keeps no values of its own
    if sliding and header.number("attention.key_length_swa") + header.number("attention.value_length_swa"):
        return header.number("attention.key_length_swa"), header.number("attention.value_length_swa")
    return key, value


def check_cache_types(header: Header, settings: EngineSettings) -> None:
    """Refuse a quantized cache that a model's heads do not fill: llama.cpp makes no context then.

    Raises:
        UsageError: names the key, how wide a head is, and what can be taken.
    """
    latent = header.number("attention.key_length_mla") > 0
    if latent and settings.type_k != settings.type_v:
        raise UsageError(
            f"type_k={settings.type_k} type_v={settings.type_v}: {header.path.name} keeps keys and values as one "
            "(multi-head latent attention); give both the same type"
        )
    for sliding in (False, True):
        widths = _head_widths(header, sliding=sliding)
        for key, name, width in zip(("type_k", "type_v"), (settings.type_k, settings.type_v), widths, strict=True):
            if width % BLOCKS[CACHE_TYPES[name]][0]:
                raise UsageError(
                    f"{key}={name}: packs {BLOCKS[CACHE_TYPES[name]][0]} values at a time, and a head of "
                    f"{header.path.name} is {width} wide; take f16"
                )


def _recurrent(header: Header, layers: int) -> list[bool]:
    """Which layers keep a state instead of keys and values."""
    if RECURRENT.match(header.architecture):
        return [True] * layers
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
            UsageError: llama-cpp-python or psutil is missing, or the settings name a GPU that is not here.
        """
        found = gpus(settings)
        shares = check_gpus(settings, len(found))
        if not found:
            resident = int(_psutil().Process().memory_info().rss)  # mapped files included
            return cls(name="CPU", is_gpu=False, free=memory_available(), used=resident)
        if shares:
            used = [gpu for gpu, share in zip(found, shares, strict=False) if share]
            # the GPU that is full first decides; nobody else can take what its share does not
            free = min(int(gpu[1] * sum(shares) / share) for gpu, share in zip(found, shares, strict=False) if share)
        else:
            used = found[settings.main_gpu :][:1] if settings.split_mode == "none" else found
            free = sum(gpu[1] for gpu in used)
        return cls(
            name=", ".join(name for name, _, _ in used),
            is_gpu=True,
            free=free,
            used=sum(total - free for _, free, total in used),
        )


def gpus(settings: EngineSettings) -> list[tuple[str, int, int]]:
    """Name, free and total bytes of the GPUs that llama.cpp offers a model loaded so, in its order."""
    if settings.n_gpu_layers == 0 or not load_library().llama_supports_gpu_offload():
        return []
    devices = ggml_devices()
    # one that shares main memory is only taken where there is no other
    return next(filter(None, ([device[1:] for device in devices if device[0] == kind] for kind in _GPU_KINDS)), [])


def check_processes(header: Header, settings: EngineSettings, processes: int) -> None:
    """Refuse more processes than there is memory for, where each loads the model on GPUs of its own.

    Raises:
        UsageError: see `check_fit`.
    """
    count = len(gpus(settings))
    for worker in range(min(processes, count) or 1):
        own = own_gpus(settings, worker, processes, count)
        there = processes if own == settings else len(range(worker, processes, count))
        check_fit(header, own, Devices.for_model(own), processes=there)


def check_gpus(settings: EngineSettings, count: int) -> tuple[float, ...]:
    """Refuse settings that name GPUs which are not there; the shares that they give the others come back.

    Raises:
        UsageError: names the value and how many GPUs there are.
    """
    shares, there = settings.shares(), f"{count or 'no'} GPU{'' if count == 1 else 's'} can be used here"
    if settings.n_gpu_layers != 0 and len(shares) > count:
        raise UsageError(f"tensor_split={settings.tensor_split}: names {len(shares)} GPUs, and {there}")
    if settings.n_gpu_layers != 0 and settings.main_gpu >= max(count, 1):
        raise UsageError(f"main_gpu={settings.main_gpu}: they are counted from 0, and {there}")
    return shares if count else ()


def own_gpus(settings: EngineSettings, worker: int, workers: int, count: int) -> EngineSettings:
    """Settings of one of several processes that load a model: each keeps to GPUs of its own.

    With fewer GPUs than workers some share one; with more, each worker has several of them. What the user said of GPUs
    stays as it is.

    Args:
        settings: of all of them.
        worker: counted from 0.
        workers: how many there are.
        count: GPUs.
    """
    usual, each = EngineSettings(), count // workers
    told = settings != replace(
        settings, main_gpu=usual.main_gpu, split_mode=usual.split_mode, tensor_split=usual.tensor_split
    )
    if min(workers, count) <= 1 or told:
        return settings
    if each <= 1:
        return replace(settings, split_mode="none", main_gpu=worker % count)
    shares = ["1" if worker * each <= gpu < (worker + 1) * each else "0" for gpu in range(count)]
    return replace(settings, tensor_split=",".join(shares))


_GPU_KINDS = (1, 2)
"""A GPU, and one that shares main memory (ggml-backend.h, `enum ggml_backend_dev_type`)."""
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
