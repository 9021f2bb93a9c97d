"""The listed dialects by name, for tests of one of them."""

from __future__ import annotations

from pytest_agentcore.dialects.families import DIALECTS

(
    HERMES,
    QWEN3_CODER,
    GLM4,
    GEMMA4,
    MISTRAL,
    MISTRAL_JSON,
    LLAMA3,
    DEEPSEEK_V31,
    DEEPSEEK_V3,
    DEEPSEEK_V32,
    DEEPSEEK_V4,
    HARMONY,
    KIMI_K2,
    MINIMAX_M2,
    GRANITE,
    PYTHONIC,
    LFM2,
    FUNCTOOLS,
    GEMMA3,
    GEMMA3_JSON,
    GENERIC,
) = DIALECTS
