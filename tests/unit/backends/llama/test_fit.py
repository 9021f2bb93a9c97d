"""Memory: foretold from a header as llama.cpp allocates it, compared with what is free, explained if not enough."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from pytest_agentcore.backends.llama import fit
from pytest_agentcore.backends.llama.backend import LlamaCppBackend
from pytest_agentcore.backends.llama.engine import Context, LoadedModel
from pytest_agentcore.backends.llama.fit import (
    CELLS,
    LEAST_CTX,
    Devices,
    Footprint,
    check_cache_types,
    check_fit,
    check_processes,
    choose_rows,
    ggml_devices,
    kv_bytes,
    memory_available,
    own_gpus,
)
from pytest_agentcore.backends.llama.gguf import Header, read_header
from pytest_agentcore.catalogue.entry import EngineSettings, read_settings
from pytest_agentcore.errors import UsageError

GIB = 2**30
CPU = Devices(name="CPU", is_gpu=False, free=0, used=0)
L4 = Devices(name="CUDA0 (NVIDIA L4)", is_gpu=True, free=0, used=0)


@pytest.fixture
def qwen() -> Path:
    """Qwen2.5-Coder-1.5B, where the machine has it."""
    path = Path(os.environ.get("AGENTCORE_MODELS", "nowhere")) / "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf"
    if not path.is_file():
        pytest.skip("no qwen2.5-coder-1.5b-instruct-q4_k_m.gguf in AGENTCORE_MODELS")
    return path


def allocated(path: Path, n_ctx: int, settings: EngineSettings) -> tuple[float, float]:
    """MiB of KV cache and compute buffer, as llama.cpp reports them."""
    model = LoadedModel(path, settings)
    context = Context(model, n_ctx)
    said = "\n".join(line for _, line in model.log.lines)
    context.evaluate(0, [1, 2, 3], 0, logits=True)
    context.close()
    model.close()
    cache = re.findall("CPU KV buffer size = +([0-9.]+) MiB", said)
    buffer = re.search("CPU compute buffer size = +([0-9.]+) MiB", said)
    assert buffer is not None
    return sum(map(float, cache)), float(buffer[1])


@pytest.mark.model
@pytest.mark.parametrize(
    ("which", "n_ctx", "engine"),
    [
        ("smollm2", 1024, {}),
        ("smollm2", 8192, {}),
        ("qwen", 4096, {}),
        ("smollm2", 1000, {"type_k": "q8_0", "type_v": "q4_0"}),
        ("smollm2", 600, {"type_k": "f32", "type_v": "bf16"}),
        ("smollm2", 512, {"type_k": "iq4_nl", "type_v": "q5_1"}),
        ("smollm2", 768, {"type_k": "q5_0", "flash_attn": "no"}),
        ("smollm2", 768, {"type_k": "q4_1", "type_v": "q4_1", "flash_attn": "yes"}),
    ],
)
@pytest.mark.parametrize("rows", [1, 5])
def test_what_is_foretold_is_what_llama_cpp_allocates(
    rows: int, which: str, n_ctx: int, engine: dict[str, str], request: pytest.FixtureRequest
) -> None:
    path = request.getfixturevalue(which)
    settings = replace(read_settings(EngineSettings, {"threads": 1, **engine}), rows=rows)
    cache, buffer = allocated(path, n_ctx, settings)
    footprint = Footprint.of(read_header(path), settings)
    assert round(footprint.cache(n_ctx) / 2**20, 2) == pytest.approx(cache, abs=0.011)  # it says two decimals
    assert footprint.buffer == pytest.approx(buffer * 2**20, rel=0.08)


def test_sliding_layers_are_narrower(gemma4_vocabulary: Path) -> None:
    header = read_header(gemma4_vocabulary)
    assert header.number("attention.sliding_window") == 1024
    assert kv_bytes(header, EngineSettings()) == 2 * (25 * 8 * (256 + 256) + 5 * 2 * (512 + 512))


def header(architecture: str, facts: Mapping[str, int | Sequence[int]]) -> Header:
    """Of a file that has no weights."""
    metadata = {f"{architecture}.{key}": value for key, value in facts.items()}
    return Header(
        path=Path(__file__),
        file_bytes=0,
        metadata={"general.architecture": architecture, **metadata},
        lengths={"tokenizer.ggml.tokens": 1000},
        tensors=1,
        end_bytes=0,
    )


ATTENTION: dict[str, int | Sequence[int]] = {
    "block_count": 8,
    "embedding_length": 1024,
    "attention.head_count": 16,
    "attention.head_count_kv": 2,
    "attention.key_length": 64,
    "attention.value_length": 64,
}


@pytest.mark.parametrize(
    ("architecture", "facts", "cells"),
    [
        ("llama", {}, 8 * 2 * 128),
        ("lfm2", {"attention.head_count_kv": [0, 0, 2, 0, 0, 2, 0, 0]}, 2 * 2 * 128),
        ("qwen35", {"full_attention_interval": 4}, 2 * 2 * 128),
        ("qwen3next", {}, 2 * 2 * 128),
        ("qwen35", {"block_count": 9, "nextn_predict_layers": 1}, 3 * 2 * 128),
        ("other", {"attention.recurrent_layers": [1, 1, 1, 1, 1, 1, 1, 0]}, 2 * 128),
        ("deepseek2", {"attention.key_length_mla": 64, "attention.value_length_mla": 64}, 8 * 2 * 64),
        ("gemma3n", {"attention.shared_kv_layers": 3}, 5 * 2 * 128),
    ],
)
def test_layers_without_keys_and_values_cost_none(
    architecture: str, facts: Mapping[str, int | Sequence[int]], cells: int
) -> None:
    """llama.cpp: `has_v = !is_mla` in llama-kv-cache.cpp, recurrent layers in models/qwen35.cpp."""
    assert kv_bytes(header(architecture, {**ATTENTION, **facts}), EngineSettings()) == 2 * cells


def test_recurrent_layers_keep_a_state() -> None:
    """llama.cpp: (d_conv - 1) · (d_inner + 2 · n_group · d_state) + d_state · d_inner floats per layer."""
    facts = {"ssm.conv_kernel": 4, "ssm.inner_size": 4096, "ssm.state_size": 128, "ssm.group_count": 16}
    footprint = Footprint.of(header("qwen35", {**ATTENTION, **facts}), EngineSettings())
    assert footprint.state == 6 * 4 * (3 * (4096 + 2 * 16 * 128) + 128 * 4096)
    assert Footprint.of(header("llama", ATTENTION), EngineSettings()).state == 0


@pytest.mark.parametrize(
    ("facts", "engine", "says"),
    [
        ({"attention.key_length": 80}, {"type_k": "q8_0"}, "type_k=q8_0: packs 32 values .* is 80 wide; take f16"),
        ({"attention.value_length": 80}, {"type_v": "q4_0"}, "type_v=q4_0: packs 32 values .* is 80 wide; take f16"),
        (
            {"attention.key_length_mla": 64, "attention.value_length_mla": 64},
            {"type_k": "q8_0"},
            "type_k=q8_0 type_v=f16: .* give both the same type",
        ),
    ],
)
def test_a_cache_that_the_heads_do_not_fill_is_refused(
    facts: dict[str, int], engine: dict[str, str], says: str
) -> None:
    check_cache_types(header("llama", {**ATTENTION, **facts}), EngineSettings())
    with pytest.raises(UsageError, match=says):
        check_cache_types(header("llama", {**ATTENTION, **facts}), read_settings(EngineSettings, engine))


@pytest.fixture
def four_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four GPUs of 8, 6, 4 and 2 free GiB, and one that shares main memory."""
    devices = [(1, f"CUDA{i}", free * GIB, 8 * GIB) for i, free in enumerate((8, 6, 4, 2))]
    monkeypatch.setattr(fit, "ggml_devices", lambda: [*devices, (2, "Vulkan0", 64 * GIB, 64 * GIB), (0, "CPU", 0, 0)])
    monkeypatch.setattr(fit, "load_library", lambda: SimpleNamespace(llama_supports_gpu_offload=lambda: True))


@pytest.mark.parametrize(
    ("engine", "name", "free"),
    [
        ({}, "CUDA0, CUDA1, CUDA2, CUDA3", 20),
        ({"split_mode": "none"}, "CUDA0", 8),
        ({"split_mode": "none", "main_gpu": "2"}, "CUDA2", 4),
        ({"tensor_split": "1,1"}, "CUDA0, CUDA1", 12),
        ({"tensor_split": "3,0,1"}, "CUDA0, CUDA2", 8 * 4 / 3),
        ({"tensor_split": "0,0,0,1"}, "CUDA3", 2),
    ],
)
@pytest.mark.usefixtures("four_gpus")
def test_a_split_has_the_memory_of_its_gpus(engine: dict[str, str], name: str, free: float) -> None:
    devices = Devices.for_model(read_settings(EngineSettings, engine))
    assert (devices.name, devices.free) == (name, int(free * GIB))


@pytest.mark.parametrize(
    ("engine", "says"),
    [
        ({"main_gpu": "4"}, "main_gpu=4: they are counted from 0, and 4 GPUs can be used here"),
        ({"tensor_split": "1,1,1,1,1"}, "tensor_split=1,1,1,1,1: names 5 GPUs, and 4 GPUs can be used here"),
    ],
)
@pytest.mark.usefixtures("four_gpus")
def test_a_gpu_that_is_not_there_is_refused(engine: dict[str, str], says: str) -> None:
    with pytest.raises(UsageError, match=re.escape(says)):
        Devices.for_model(read_settings(EngineSettings, engine))


@pytest.mark.needs("llama_cpp")
@pytest.mark.parametrize("engine", [{"main_gpu": "999"}, {"tensor_split": ",".join("1" * 99)}])
def test_this_machine_has_no_hundred_gpus(engine: dict[str, str]) -> None:
    with pytest.raises(UsageError, match=r"GPUs? can be used here"):
        Devices.for_model(read_settings(EngineSettings, engine))
    Devices.for_model(read_settings(EngineSettings, {**engine, "n_gpu_layers": "0"}))


@pytest.mark.parametrize(
    ("workers", "count", "own"),
    [
        (1, 4, [("layer", 0, "")]),
        (2, 1, [("layer", 0, "")] * 2),
        (2, 0, [("layer", 0, "")] * 2),
        (2, 2, [("none", 0, ""), ("none", 1, "")]),
        (3, 2, [("none", 0, ""), ("none", 1, ""), ("none", 0, "")]),
        (2, 4, [("layer", 0, "1,1,0,0"), ("layer", 0, "0,0,1,1")]),
        (2, 3, [("none", 0, ""), ("none", 1, "")]),
    ],
)
def test_each_worker_has_gpus_of_its_own(workers: int, count: int, own: list[tuple[str, int, str]]) -> None:
    given = [own_gpus(EngineSettings(), worker, workers, count) for worker in range(workers)]
    assert [(one.split_mode, one.main_gpu, one.tensor_split) for one in given] == own


@pytest.mark.parametrize("engine", [{"main_gpu": "1"}, {"split_mode": "row"}, {"tensor_split": "1,1"}])
def test_what_the_user_says_of_gpus_stays(engine: dict[str, str]) -> None:
    settings = read_settings(EngineSettings, engine)
    assert own_gpus(settings, 1, 2, 2) == settings


@pytest.mark.usefixtures("four_gpus")
def test_workers_must_fit_on_the_gpus_that_they_share(smollm2: Path) -> None:
    file = read_header(smollm2)
    check_processes(file, EngineSettings(), 16)
    with pytest.raises(UsageError, match=r"6 processes .* 2.0 GiB are free on CUDA3; what fits: .* 5 processes"):
        check_processes(file, EngineSettings(), 24)
    check_processes(file, EngineSettings(tensor_split="1"), 22)
    with pytest.raises(UsageError, match=r"24 processes .* 8.0 GiB are free on CUDA0"):
        check_processes(file, EngineSettings(tensor_split="1"), 24)


def test_memory_grows_with_the_context(smollm2: Path) -> None:
    footprint = Footprint.of(read_header(smollm2), EngineSettings())
    small, large = footprint.total(2048), footprint.total(8192)
    assert smollm2.stat().st_size < small < large < GIB
    assert large - small == 135 * 2**20


def test_the_largest_context_that_fits_fits_and_the_next_does_not(smollm2: Path) -> None:
    footprint = Footprint.of(read_header(smollm2), EngineSettings())
    free = 2 * GIB
    largest = footprint.largest_ctx(free)
    assert largest is not None
    assert footprint.total(largest) <= free < footprint.total(largest + 256)
    assert footprint.largest_ctx(footprint.total(LEAST_CTX - CELLS)) is None
    layers = footprint.largest_split(8192, GIB // 4)
    whole = footprint.total(8192) - footprint.buffer
    assert layers * whole <= (GIB // 4 - footprint.buffer) * footprint.layers < (layers + 1) * whole


@pytest.mark.parametrize(
    ("devices", "engine", "processes", "says"),
    [
        (replace(CPU, free=GIB // 3), {}, 1, "need 0.4 GiB and 0.3 GiB are free on CPU; what fits: n_ctx=6656"),
        (replace(CPU, free=GIB // 8), {}, 1, "are free on CPU; not even n_ctx=512 fits"),
        (
            replace(CPU, free=GIB),
            {"n_ctx": "8192"},
            4,
            (
                "4 processes with file and KV cache for n_ctx=8192 need 1.4 GiB and 1.0 GiB are free on CPU; "
                "what fits: n_ctx=2816 or 2 processes"
            ),
        ),
        (
            replace(L4, free=GIB // 3),
            {},
            1,
            (
                "need 0.4 GiB and 0.3 GiB are free on CUDA0 (NVIDIA L4); "
                "what fits: n_ctx=6656 or n_gpu_layers=27 of 31 with the rest on the CPU"
            ),
        ),
    ],
)
def test_too_big_says_what_would_fit(
    smollm2: Path, devices: Devices, engine: dict[str, str], processes: int, says: str
) -> None:
    with pytest.raises(UsageError, match=re.escape(says)) as caught:
        check_fit(read_header(smollm2), read_settings(EngineSettings, engine), devices, processes=processes)
    assert "\n" not in str(caught.value)


def test_what_it_offers_is_accepted(smollm2: Path) -> None:
    file, little = read_header(smollm2), GIB // 3
    check_fit(file, EngineSettings(n_ctx=6656), replace(CPU, free=little))
    check_fit(file, EngineSettings(n_gpu_layers=27), replace(L4, free=little))
    check_fit(file, EngineSettings(n_ctx=2816), replace(CPU, free=GIB), processes=4)
    check_fit(file, EngineSettings(n_ctx=8192), replace(CPU, free=GIB), processes=2)


@pytest.mark.needs("psutil")
def test_this_machine_is_asked(smollm2: Path) -> None:
    devices = Devices.for_model(EngineSettings(n_gpu_layers=0))
    assert (devices.name, devices.is_gpu) == ("CPU", False)
    assert devices.used > 2**20
    times = memory_available() // Footprint.of(read_header(smollm2), EngineSettings()).total(8192) + 2
    with pytest.raises(UsageError, match=f"{times} processes with file and KV cache for n_ctx=8192 need .* GiB"):
        check_fit(read_header(smollm2), EngineSettings(n_gpu_layers=0), devices, processes=times)


@pytest.mark.needs("llama_cpp")
def test_ggml_is_asked_for_its_devices() -> None:
    kind, name, free, total = ggml_devices()[-1]
    assert (kind, name[:5]) == (0, "CPU (")
    assert 0 < free <= total


@pytest.mark.model
def test_the_manifest_has_memory_before_and_after(llama: LlamaCppBackend) -> None:
    memory = llama.describe()["memory"]
    assert memory["device"] == "CPU"
    assert memory["kv_cache"] == 1024 * 23040
    assert memory["foretold"] > 90_000_000
    assert memory["used_after"] - memory["used_before"] > memory["kv_cache"]
    assert memory["free_before"] > 0 < memory["free_after"]


@pytest.mark.parametrize(
    ("where", "trials", "rows", "why"),
    [
        (replace(CPU, free=64 * GIB), 30, 4, "at most 4 on a CPU"),
        (replace(L4, free=64 * GIB), 30, 8, "at most 8 on a GPU"),
        (replace(L4, free=64 * GIB), 3, 3, "as many as trials"),
        (replace(CPU, free=64 * GIB), 1, 1, "as many as trials"),
        (replace(CPU, free=600 * 2**20), 30, 2, "no more caches of 8192 tokens fit on CPU"),
        (replace(CPU, free=1), 30, 1, "no more caches of 8192 tokens fit on CPU"),
    ],
)
def test_auto_takes_what_memory_holds_within_limits(
    *, where: Devices, trials: int, rows: int, why: str, smollm2: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Devices, "for_model", lambda _settings: where)
    found = choose_rows(read_header(smollm2), EngineSettings(), trials)
    assert found == (rows, f"auto: {why}")
    if rows > 1:  # what is chosen is never refused, and one more is where memory was the bound
        check_fit(read_header(smollm2), EngineSettings(rows=rows), where)
    if "fit on" in why and rows > 1:
        with pytest.raises(UsageError, match=f"--agentcore-parallel={rows}"):
            check_fit(read_header(smollm2), EngineSettings(rows=rows + 1), where)


@pytest.mark.parametrize(
    ("architecture", "facts"),
    [("mamba", {}), ("rwkv7", {}), ("qwen35", {}), ("lfm2", {"attention.head_count_kv": [0, 2]})],
)
def test_a_recurrent_state_runs_one_at_a_time_unless_asked(
    architecture: str, facts: dict[str, int | Sequence[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Devices, "for_model", lambda _settings: replace(CPU, free=64 * GIB))
    found = choose_rows(header(architecture, {**ATTENTION, "block_count": 2, **facts}), EngineSettings(), 30)
    assert found == (1, "auto: a model with a recurrent state runs one conversation at a time")
