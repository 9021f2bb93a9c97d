"""A request in the words of the chat completions protocol."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pytest_agentcore.models.base import Message, Policy, Request, Sampling, ToolCall
from pytest_agentcore.models.dialects.grammar import FINISH
from pytest_agentcore.tools.base import ToolSpec

FIELDS: Mapping[str, tuple[str, ...]] = {"repeat_penalty": ("repeat_penalty", "repetition_penalty")}
"""What a sampling value is called here, where it is not its own name."""
OPTIONAL = (
    *("temperature", "top_p", "presence_penalty", "frequency_penalty"),
    *("top_k", "min_p", "repeat_penalty", "repetition_penalty"),
    *("seed", "parallel_tool_calls", "stream_options"),
)
"""What a server may refuse to know. llama.cpp says `repeat_penalty`, vLLM `repetition_penalty`: both are sent, for a
server that is told nothing takes values of its own choice."""

_OFF: Mapping[str, float] = {
    "top_p": 1.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
    "top_k": 0,
    "min_p": 0.0,
    "repeat_penalty": 1.0,
    "repetition_penalty": 1.0,
}


def body(request: Request, model: str, *, reasoning_field: str = "", left_out: Collection[str] = ()) -> dict[str, Any]:
    """The JSON of `POST …/chat/completions`.

    Args:
        request: what is asked.
        model: what the endpoint calls the model.
        reasoning_field: the field in which earlier reasoning is given back; empty: it is not.
        left_out: keys of `OPTIONAL` that the server refused, and `max_tokens` where it wants the newer name.
    """
    ceiling = "max_completion_tokens" if "max_tokens" in left_out else "max_tokens"
    whole: dict[str, Any] = {
        "model": model,
        "messages": [message_json(message, reasoning_field) for message in request.messages],
        **_tools(request.tools, request.policy),
        **_sampling(request.sampling),
        "seed": request.seed,
        ceiling: request.max_reply_tokens,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    return {key: value for key, value in whole.items() if key not in left_out}


def lost_by(key: str, sampling: Sampling) -> bool:
    """Whether leaving out a key changes what was asked for, other than that the server's own default now counts."""
    asked = _sampling(sampling)
    return key in asked and asked[key] != _OFF.get(key)


def message_json(message: Message, reasoning_field: str = "") -> dict[str, Any]:
    """One message; an assistant's arguments are JSON in a string, as the protocol wants them."""
    said: dict[str, Any] = {"role": message.role, "content": _sound(message.content)}
    if message.tool_calls:
        said["tool_calls"] = [_call(call) for call in message.tool_calls]
    if message.reasoning and reasoning_field:
        said[reasoning_field] = _sound(message.reasoning)
    if message.role == "tool":
        said |= {"tool_call_id": wire_id(message.tool_call_id), "name": message.name}
    return said


def wire_id(call_id: str) -> str:
    """An id that every server takes: Mistral's want nine letters or digits."""
    return hashlib.sha256(call_id.encode()).hexdigest()[:9]


def tool_json(spec: ToolSpec) -> dict[str, Any]:
    """One tool as the protocol declares it."""
    return {
        "type": "function",
        "function": {"name": spec.name, "description": spec.description, "parameters": dict(spec.parameters)},
    }


def _tools(specs: Sequence[ToolSpec], policy: Policy) -> dict[str, Any]:
    offered = [*specs, FINISH] if policy is Policy.constrained else list(specs)
    if not offered:
        return {}
    tools = [tool_json(spec) for spec in offered]
    if policy is Policy.constrained:
        return {"tools": tools, "tool_choice": "required", "parallel_tool_calls": False}
    return {"tools": tools, "tool_choice": "auto"}


def _sampling(sampling: Sampling) -> dict[str, float]:
    return {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "presence_penalty": sampling.presence_penalty,
        "frequency_penalty": sampling.frequency_penalty,
        "top_k": sampling.top_k,
        "min_p": sampling.min_p,
        "repeat_penalty": sampling.repeat_penalty,
        "repetition_penalty": sampling.repeat_penalty,
    }


def _sound(text: str) -> str:
    """Without lone surrogates: they have no form in UTF-8."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _call(call: ToolCall) -> dict[str, Any]:
    arguments = _sound(json.dumps(dict(call.arguments), ensure_ascii=False))
    return {"id": wire_id(call.id), "type": "function", "function": {"name": call.name, "arguments": arguments}}
