"""What a campaign's manifest says about an in-process model."""

from __future__ import annotations

import hashlib
import platform
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pytest_agentcore.models.chat_template import ChatTemplate
from pytest_agentcore.models.engine import Context, LoadedModel, library_version


def describe_model(model: LoadedModel, context: Context) -> dict[str, Any]:
    """File, size, device and engine."""
    return {
        "file": model.path.name,
        "size": model.path.stat().st_size,
        "architecture": model.text("general.architecture") or "",
        "quant": model.description.rpartition(" ")[2],
        "parameters": model.parameters,
        "context": context.n_ctx,
        "context_train": model.context_train,
        "device": ", ".join(model.log.devices() if model.gpu_layers else ()) or f"CPU, {_threads(context.threads[0])}",
        "gpu_build": model.gpu_build,
        "warning": "; ".join(_warnings(model, context)),
        "engine": _engine(model, context),
        "llama_cpp_python": library_version(),
    }


def describe_template(template: ChatTemplate, *, found: bool) -> dict[str, Any]:
    """Dialect and chat template."""
    return {
        "dialect": template.choice.dialect.name,
        "dialect_reason": template.choice.reason,
        "template": {
            "from_file": found,
            "sha256": hashlib.sha256(template.source.encode()).hexdigest(),
            "date": template.today.date().isoformat() if template.dated else "",
            **asdict(template.habits),
        },
    }


def idle_gpu() -> str:
    """One sentence when the machine has a GPU that this build of llama-cpp-python cannot use; empty otherwise."""
    for found, name, build in (
        (Path("/proc/driver/nvidia").exists() or shutil.which("nvidia-smi"), "an NVIDIA GPU", "-DGGML_CUDA=on"),
        (Path("/dev/kfd").exists(), "an AMD GPU", "-DGGML_HIP=on"),
        (platform.system() == "Darwin" and platform.machine() == "arm64", "an Apple GPU", "-DGGML_METAL=on"),
    ):
        if found:
            return (
                f"this machine has {name} and llama-cpp-python was built without support for it; everything runs on "
                f'the CPU. Rebuild with CMAKE_ARGS="{build}"'
            )
    return ""


def _warnings(model: LoadedModel, context: Context) -> Iterator[str]:
    if not model.gpu_build and (idle := idle_gpu()):
        yield idle
    if context.n_ctx > model.context_train:
        yield f"a context of {context.n_ctx} tokens is more than the {model.context_train} the model was trained for"


def _engine(model: LoadedModel, context: Context) -> Mapping[str, Any]:
    settings = asdict(model.settings)
    chosen = {
        "n_ctx": context.n_ctx,
        "n_batch": context.n_batch,
        "n_ubatch": min(model.settings.n_ubatch, context.n_batch),
        "n_gpu_layers": model.gpu_layers,
        "threads": context.threads[0],
        "threads_batch": context.threads[1],
        "flash_attn": "auto" if model.settings.flash_attn is None else model.settings.flash_attn,
        "swa_full": True,
    }
    return settings | chosen


def _threads(count: int) -> str:
    return f"{count} thread" if count == 1 else f"{count} threads"
