"""The part of a reply that all backends share: tools are shown, and calls and answer read out of its text."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from pytest_agentcore.backends.base import Reply, Request, ToolCall
from pytest_agentcore.catalogue.entry import Policy
from pytest_agentcore.dialects.dialect import Dialect, RawCall
from pytest_agentcore.dialects.grammar import FINISH
from pytest_agentcore.dialects.lenient import parse_leniently
from pytest_agentcore.dialects.parse import parse
from pytest_agentcore.dialects.resemblance import resemblance
from pytest_agentcore.tools.base import ToolSpec


def offered(tools: Sequence[ToolSpec], policy: Policy) -> list[ToolSpec]:
    """The tools that a prompt shows: under the constrained policy also the one that ends the trial."""
    return [*tools, FINISH] if policy is Policy.constrained else list(tools)


def tool_dicts(specs: Sequence[ToolSpec]) -> list[dict[str, Any]]:
    """Tools as the chat completions protocol declares them, and as chat templates know them."""
    return [
        {
            "type": "function",
            "function": {"name": spec.name, "description": spec.description, "parameters": dict(spec.parameters)},
        }
        for spec in specs
    ]


def short_id(call_id: str) -> str:
    """An id of a call that everybody takes: Mistral's servers and templates want nine letters or digits."""
    return hashlib.sha256(call_id.encode()).hexdigest()[:9]


def read_text(
    text: str,
    request: Request,
    dialect: Dialect,
    *,
    reasoning_open: bool = False,
    special_tokens: Collection[str] = (),
) -> Reply:
    """Take a text apart as the request's policy says; counts, times and how it ended are the backend's to add.

    Args:
        text: everything the model wrote.
        request: what was asked.
        dialect: how the model writes calls.
        reasoning_open: whether the prompt ended inside a reasoning block.
        special_tokens: texts of the vocabulary's control tokens, where they are known.
    """
    names = [spec.name for spec in request.tools]
    schemas = {spec.name: spec.parameters for spec in (FINISH, *request.tools)}
    if request.policy is Policy.lenient:
        parsed = parse_leniently(text, dialect, names, reasoning_open=reasoning_open, schemas=schemas)
    else:
        parsed = parse(dialect, text, reasoning_open=reasoning_open, schemas=schemas)
    reply = Reply(
        text=text,
        content=parsed.content,
        reasoning=parsed.reasoning,
        tool_calls=number_calls(parsed.calls, request.turn),
        problems=parsed.problems,
        repairs=parsed.repairs,
        # a reply that says nothing may have its call in its thoughts
        resembles=None
        if parsed.calls
        else resemblance(parsed.content or parsed.reasoning, dialect, names, special_tokens),
    )
    return finished(reply, request)


def number_calls(calls: Sequence[RawCall], turn: int) -> tuple[ToolCall, ...]:
    """Calls with ids that are unique within the trial: `call_<turn>_<index from 1>`."""
    return tuple(
        ToolCall(id=f"call_{turn}_{index}", name=call.name, arguments=call.arguments)
        for index, call in enumerate(calls, 1)
    )


def may_finish(request: Request) -> bool:
    """Whether a constrained reply may end the trial: small models would finish at once instead of trying."""
    return request.turn > 1 or request.messages[-1].role == "tool"


def finished(reply: Reply, request: Request) -> Reply:
    """The reply; of a constrained one that calls `finish` the answer is its content, and other calls are run first.

    Beside a call that cannot be read `finish` ends nothing: the model is told, and may call again.
    """
    answers = [call.arguments.get("answer", "") for call in reply.tool_calls if call.name == FINISH.name]
    if request.policy is not Policy.constrained or not answers:
        return reply
    others = [RawCall(call.name, call.arguments) for call in reply.tool_calls if call.name != FINISH.name]
    return replace(
        reply,
        content="" if reply.problems else str(answers[0]),
        tool_calls=number_calls(others, request.turn),
        final=bool(others) and not reply.problems,
    )
