"""Messages as a chat template takes them: plain dicts, reshaped to what the template can do."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from pytest_agentcore.backends.base import Message
from pytest_agentcore.backends.reading import short_id
from pytest_agentcore.dialects.dialect import Dialect
from pytest_agentcore.dialects.families import tool_prompt
from pytest_agentcore.tools.base import ToolSpec

Protect = Callable[[str], str]
"""Makes a content harmless before it enters a template (see `PromptEncoder.protect`)."""


class Results(StrEnum):
    """How a template takes the results of calls."""

    tool_role = "tool_role"
    """As messages of the role `tool`."""
    tool_responses = "tool_responses"
    """As a list on the message that made the calls."""
    user_text = "user_text"
    """Not at all: as messages of the user, in words of the generic dialect."""


class Calls(StrEnum):
    """How a template takes structured calls."""

    together = "together"
    """All calls of a reply on its message."""
    one_each = "one_each"
    """One call a message: a reply with several becomes several, each followed by its result."""
    as_text = "as_text"
    """It shows none; they are written into the content, as the model wrote them."""


class Thoughts(StrEnum):
    """Where a template looks for the reasoning of a reply that made calls."""

    dropped = "dropped"
    """Nowhere: it does not show it."""
    reasoning_content = "reasoning_content"
    """A key of the message."""
    thinking = "thinking"
    """A key of the message that stands for the content too (gpt-oss)."""
    blocks = "blocks"
    """The content as a list of blocks, one of the type `thinking` (Mistral)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """The ways of one template, found by rendering small conversations with it."""

    tools: bool = False
    """Takes the tools' specifications and structured calls."""
    tools_listed: bool = False
    """Wants a list where no tools are given, an empty one (Command R)."""
    system: bool = True
    """Takes a system message."""
    results: Results = Results.user_text
    alternates: bool = True
    """Wants user and assistant to take turns: neighbours of one role are joined."""
    verbatim: bool = True
    """A reply given back as plain content is rendered as the model wrote it, and what follows it stays the same."""
    calls: Calls = Calls.together
    content_beside_calls: bool = True
    """Shows both where a reply has content and calls; if not, the content is left out rather than the calls."""
    none_beside_calls: bool = False
    """Shows calls only where the content is none rather than empty (DeepSeek R1)."""
    arguments_as_text: bool = False
    """Wants the arguments of a call as JSON in a string."""
    thoughts: Thoughts = Thoughts.dropped
    short_ids: bool = False
    """Wants call ids of nine letters and digits (Mistral)."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A message, and the reply's own text where it can stand for it."""

    message: Message
    verbatim: str | None = None


def as_dicts(
    turns: Sequence[Turn], specs: Sequence[ToolSpec], habits: Habits, dialect: Dialect, protect: Protect
) -> list[dict[str, Any]]:
    """The conversation in a template's own terms, with every text of a user, a tool or a model made harmless."""
    harmless: list[Turn] = []
    for turn in turns:
        message = turn.message
        calls = (replace(c, name=protect(c.name), arguments=_all(c.arguments, protect)) for c in message.tool_calls)
        message = replace(
            message,
            content=protect(message.content),
            reasoning=protect(message.reasoning),
            tool_calls=tuple(calls),
            name=protect(message.name),
        )
        harmless.append(Turn(message, None if turn.verbatim is None else protect(turn.verbatim)))
    spoken: list[dict[str, Any]] = []
    for turn in _one_call_each(harmless) if habits.calls is Calls.one_each else harmless:
        joins = habits.results is Results.tool_responses and turn.message.role == "tool"
        if joins and spoken and spoken[-1]["role"] == "assistant":
            response = {"name": turn.message.name, "response": turn.message.content}
            spoken[-1].setdefault("tool_responses", []).append(response)
        else:
            spoken.append(_as_dict(turn, habits, dialect))
    if dialect.call_id:
        _number(spoken, dialect.call_id)
    if specs and not habits.tools:
        # the generic tool prompt ends the system message, which is made where there is none
        if not spoken or spoken[0]["role"] != "system":
            spoken.insert(0, {"role": "system", "content": ""})
        spoken[0]["content"] = f"{spoken[0]['content']}\n\n{tool_prompt(specs, dialect)}".strip()
    if not habits.system:
        spoken = [{**entry, "role": "user"} if entry["role"] == "system" else entry for entry in spoken]
    joined: list[dict[str, Any]] = []
    for entry in spoken:
        neighbours = habits.alternates and joined and entry["role"] in ("system", "user")
        if neighbours and joined[-1]["role"] == entry["role"]:
            joined[-1] = {**joined[-1], "content": f"{joined[-1]['content']}\n\n{entry['content']}"}
        else:
            joined.append(entry)
    return joined


def _number(spoken: Sequence[dict[str, Any]], form: str) -> None:
    """Give calls and results the ids of a family that counts its calls from the beginning of the conversation."""
    ids: dict[str, str] = {}
    for entry in spoken:
        for call in entry.get("tool_calls", ()):
            ids[call["id"]] = form.format(name=call["function"]["name"], index=len(ids))
            call["id"] = ids[call["id"]]
        if entry["role"] == "tool":
            entry["tool_call_id"] = ids.get(entry["tool_call_id"], entry["tool_call_id"])


def _all(value: Any, protect: Protect) -> Any:
    """A JSON value with every text in it protected."""
    if isinstance(value, str):
        return protect(value)
    if isinstance(value, Mapping):
        return {protect(str(key)): _all(inner, protect) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_all(inner, protect) for inner in value]
    return value


def _as_dict(turn: Turn, habits: Habits, dialect: Dialect) -> dict[str, Any]:
    message = turn.message
    if turn.verbatim is not None:
        return {"role": "assistant", "content": turn.verbatim}
    if message.role == "assistant":
        return _reply(message, habits, dialect)
    if message.role != "tool":
        return {"role": message.role, "content": message.content}
    if habits.results is Results.user_text:
        return {"role": "user", "content": dialect.result_text.format(name=message.name, content=message.content)}
    call_id = short_id(message.tool_call_id) if habits.short_ids else message.tool_call_id
    return {"role": "tool", "name": message.name, "tool_call_id": call_id, "content": message.content}


def _reply(message: Message, habits: Habits, dialect: Dialect) -> dict[str, Any]:
    reply: dict[str, Any] = {"role": "assistant", "content": message.content}
    if message.tool_calls and (not habits.tools or habits.calls is Calls.as_text):
        calls = dialect.render_calls([(call.name, call.arguments) for call in message.tool_calls])
        return {**reply, "content": "\n".join(part for part in (message.content, calls) if part)}
    if message.tool_calls:
        reply["tool_calls"] = []
        for call in message.tool_calls:
            written = json.dumps(call.arguments, ensure_ascii=False) if habits.arguments_as_text else call.arguments
            function = {"name": call.name, "arguments": written}
            call_id = short_id(call.id) if habits.short_ids else call.id
            reply["tool_calls"].append({"id": call_id, "type": "function", "function": function})
        if not habits.content_beside_calls:
            reply["content"] = None if habits.none_beside_calls else ""
    if not message.reasoning:
        return reply
    if habits.thoughts is Thoughts.blocks:
        said = [{"type": "text", "text": reply["content"]}] if reply["content"] else []
        return reply | {"content": [{"type": "thinking", "thinking": message.reasoning}, *said]}
    if habits.thoughts is Thoughts.thinking and message.tool_calls:
        both = "\n\n".join(part for part in (message.reasoning, reply["content"]) if part)
        return reply | {"thinking": both, "content": ""}
    return reply | {"thinking" if habits.thoughts is Thoughts.thinking else "reasoning_content": message.reasoning}


def _one_call_each(turns: Sequence[Turn]) -> Iterator[Turn]:
    """Replies with several calls as several replies, each before its result."""
    results = {turn.message.tool_call_id: turn for turn in turns if turn.message.role == "tool"}
    moved: set[str] = set()
    for turn in turns:
        message = turn.message
        if len(message.tool_calls) < 2:  # noqa: PLR2004 - one call needs no parting
            if message.tool_call_id not in moved:
                yield turn
            continue
        for index, call in enumerate(message.tool_calls):
            alone = replace(message, tool_calls=(call,))
            yield Turn(alone if index == 0 else replace(alone, content="", reasoning=""))
            if call.id in results:
                moved.add(call.id)
                yield results[call.id]
