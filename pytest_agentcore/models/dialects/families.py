"""The dialects, one value each. docs/dialects.md says against which fact each was checked."""

from __future__ import annotations

from pytest_agentcore.models.dialects.base import Dialect
from pytest_agentcore.models.dialects.gemma_codec import GemmaCodec
from pytest_agentcore.models.dialects.json_codec import JsonCodec
from pytest_agentcore.models.dialects.values import Markers

HERMES = Dialect(
    name="hermes",
    codec=JsonCodec(),
    call=Markers(open="<tool_call>", close="</tool_call>"),
    pad="\n",
    between="\n",
    reasoning=Markers(open="<think>", close="</think>"),
    result_open=("<tool_response>",),
    end_of_turn=("<|im_end|>",),
    taught_by=("<tool_call>", '"name"', "arguments"),
    not_taught_by=("<function=", "<arg_key>", "<parameter="),
)
"""Qwen 2.5 and 3, Hermes and kin."""

GEMMA4 = Dialect(
    name="gemma4",
    codec=GemmaCodec(),
    call=Markers(open="<|tool_call>", close="<tool_call|>"),
    reasoning=Markers(open="<|channel>thought", close="<channel|>"),
    reasoning_anywhere=True,
    result_open=("<|tool_response>",),
    end_of_turn=("<turn|>",),
    taught_by=("<|tool_call>", "call:", "<tool_call|>"),
)
"""Gemma 4."""

GENERIC = Dialect(
    name="generic",
    codec=JsonCodec(),
    call=Markers(open="<tool_call>", close="</tool_call>"),
    between="\n",
    reasoning=Markers(open="<think>", close="</think>"),
    result_open=("<tool_result",),
)
"""Ours, for templates that know no tools: prompts.py teaches it in the system message."""

DIALECTS = (HERMES, GEMMA4, GENERIC)
"""In the order in which a template is asked."""

FOREIGN_CALL_MARKERS = (
    "[TOOL_CALLS]",
    "<|python_tag|>",
    "<|tool_call|>",
    "<|tool_calls_section_begin|>",
    "<|tool_call_start|>",
    "<｜tool▁calls▁begin｜>",  # noqa: RUF001 - as the family writes it
    "<｜tool▁call▁begin｜>",  # noqa: RUF001
    "<TOOLCALL>",
    "<tool_use>",
    "<function_call>",
    "<function_calls>",
    "<function=",
    "<|call|>",
    "to=functions.",
    "functools[",
    "✿FUNCTION✿",
)
"""What opens a call in families that have no dialect here yet: Mistral, Llama 3, Granite, Kimi, LFM2, DeepSeek, …"""
