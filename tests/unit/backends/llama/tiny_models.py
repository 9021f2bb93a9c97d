"""Tiny models written with weights by chance: llama.cpp loads and runs them as any other."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

WIDTH, INNER, STATE, RANK, KERNEL, LAYERS, HEADS = 64, 128, 16, 4, 4, 4, 2
SPECIAL = ("<unk>", "<s>", "</s>", "<|im_start|>", "<|im_end|>")
WORDS = (*SPECIAL, *(f"<0x{byte:02X}>" for byte in range(256)), *(f"▁{letter}" for letter in "abcdefghijklmnopqrst"))
_UNKNOWN, _CONTROL, _NORMAL, _BYTE = 2, 3, 1, 6


def write_model(path: Path, architecture: str) -> Path:
    """A model of `llama` (attention in each layer), of `mamba` (a state), or of `jamba` (the two in turns)."""
    attention = [architecture == "llama" or (architecture == "jamba" and layer % 2 == 1) for layer in range(LAYERS)]
    hybrid = any(attention)
    values: dict[str, Any] = {
        "context_length": 4096,
        "embedding_length": WIDTH,
        "block_count": LAYERS,
        "feed_forward_length": 2 * WIDTH if hybrid else 0,
        "attention.head_count": HEADS if hybrid else 0,
        "attention.layer_norm_rms_epsilon": 1e-5,
        "ssm.conv_kernel": KERNEL,
        "ssm.inner_size": INNER,
        "ssm.state_size": STATE,
        "ssm.time_step_rank": RANK,
    }
    if hybrid:
        values["attention.head_count_kv"] = [HEADS * has for has in attention]
    kinds = [_UNKNOWN, _CONTROL, _CONTROL, _CONTROL, _CONTROL, *[_BYTE] * 256]
    metadata = {
        "general.architecture": architecture,
        **{f"{architecture}.{key}": value for key, value in values.items()},
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": WORDS,
        "tokenizer.ggml.scores": [0.0] * len(WORDS),
        "tokenizer.ggml.token_type": kinds + [_NORMAL] * (len(WORDS) - len(kinds)),
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 4,
    }
    path.write_bytes(_file(metadata, _weights(attention, hybrid=hybrid)))
    return path


def _weights(attention: Sequence[bool], *, hybrid: bool) -> dict[str, Any]:
    random = np.random.default_rng(5)

    def matrix(*shape: int) -> Any:
        return random.normal(0, 0.3, shape).astype(np.float32)

    found = {"token_embd.weight": matrix(len(WORDS), WIDTH), "output_norm.weight": np.ones(WIDTH, np.float32)}
    for layer, has_attention in enumerate(attention):
        if has_attention:
            mine = {f"attn_{name}.weight": matrix(WIDTH, WIDTH) for name in ("q", "k", "v", "output")}
        else:
            mine = {
                "ssm_in.weight": matrix(2 * INNER, WIDTH),
                "ssm_conv1d.weight": matrix(INNER, KERNEL),
                "ssm_conv1d.bias": matrix(INNER),
                "ssm_x.weight": matrix(RANK + 2 * STATE, INNER),
                "ssm_dt.weight": matrix(INNER, RANK),
                "ssm_dt.bias": matrix(INNER),
                "ssm_a": -np.tile(np.arange(1, STATE + 1, dtype=np.float32), (INNER, 1)),
                "ssm_d": np.ones(INNER, np.float32),
                "ssm_out.weight": matrix(WIDTH, INNER),
            }
        if hybrid:
            sizes = {"dt": RANK, "b": STATE, "c": STATE}
            if not has_attention:
                mine |= {f"ssm_{name}_norm.weight": np.ones(size, np.float32) for name, size in sizes.items()}
            mine |= {"ffn_gate.weight": matrix(2 * WIDTH, WIDTH), "ffn_up.weight": matrix(2 * WIDTH, WIDTH)}
            mine |= {"ffn_down.weight": matrix(WIDTH, 2 * WIDTH), "ffn_norm.weight": np.ones(WIDTH, np.float32)}
        mine["attn_norm.weight"] = np.ones(WIDTH, np.float32)
        found |= {f"blk.{layer}.{name}": weights for name, weights in mine.items()}
    return found


def _file(metadata: Mapping[str, Any], weights: Mapping[str, Any]) -> bytes:
    """GGUF version 3, all weights F32."""
    head, data = b"", b""
    for name, each in weights.items():
        head += _text(name) + struct.pack(f"<I{each.ndim}Q", each.ndim, *reversed(each.shape))
        head += struct.pack("<IQ", 0, len(data))
        data += each.tobytes() + bytes(-each.nbytes % 32)
    pairs = b"".join(_text(key) + _value(value) for key, value in metadata.items())
    head = b"GGUF" + struct.pack("<IQQ", 3, len(weights), len(metadata)) + pairs + head
    return head + bytes(-len(head) % 32) + data


def _text(value: str) -> bytes:
    raw = value.encode()
    return struct.pack("<Q", len(raw)) + raw


def _value(value: Any) -> bytes:
    """Its type and itself: a whole number, a fraction, a text, or a list of one of these."""
    if isinstance(value, str):
        return struct.pack("<I", 8) + _text(value)
    if isinstance(value, int):
        return struct.pack("<II", 4, value)
    if isinstance(value, float):
        return struct.pack("<If", 6, value)
    each = [_value(one) for one in value]
    kind = struct.pack("<I", 5) if isinstance(value[0], int) else each[0][:4]  # of whole numbers signed ones
    return struct.pack("<I", 9) + kind + struct.pack("<Q", len(each)) + b"".join(one[4:] for one in each)
