"""A context load: benign conversation that goes before a task, of a number of tokens by the model's tokenizer."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Literal

from pytest_agentcore.agent.loop import opening
from pytest_agentcore.agent.session import call_json
from pytest_agentcore.backends.base import MIN_ROOM, Backend, CountsTokens, Message, ToolCall
from pytest_agentcore.catalogue.entry import Policy
from pytest_agentcore.errors import UsageError
from pytest_agentcore.tools.base import ToolSpec

CLOSING = (
    Message(
        role="user",
        content="Thank you, that is all about the garden. The next job is another one, in another folder: none of the "
        "files above is there.",
    ),
    Message(role="assistant", content="All right. I will look only at what is in the new folder."),
)
"""Stands between the errands and the task, so that the errands can mislead nobody about the workspace."""

_PLANTS = ("beans", "beets", "carrots", "cucumbers", "leeks", "onions", "parsnips", "peas", "radishes", "turnips")
_PLACES = ("bed by the fence", "cold frame", "long bed", "north bed", "raised bed", "row of pots")
_STATES = ("came up evenly", "grew slowly", "had a few slugs", "looked healthy", "needed thinning", "wanted water")
_MONTHS = ("April", "May", "June", "July", "August", "September")
_JOBS = ("hoed", "mulched", "watered", "weeded", "tied up", "covered for the night")


def sentence(chance: Random) -> str:
    """One line of a garden diary."""
    return (
        f"{chance.choice(_MONTHS)} {chance.randint(1, 30)}: the {chance.choice(_PLANTS)} in the "
        f"{chance.choice(_PLACES)} {chance.choice(_STATES)} and were {chance.choice(_JOBS)}."
    )


def errand(number: int, tools: Collection[str], more: int = 0) -> tuple[Message, ...]:
    """The messages of the errand with this number (from 1).

    Args:
        number: which errand.
        tools: names of the tools the model is given; without a known one the errand is only talked about.
        more: lines of the diary that stand before the question, to come near a number of tokens.
    """
    chance = Random(f"errand {number}")
    known = [tool for tool in ("fs_read", "fs_write", "shell", "sql_query") if tool in tools]
    if not known:
        lines = " ".join(sentence(chance) for _ in range(3 + more))
        return (
            Message(role="user", content=f"For your information, a page of the garden diary. {lines}"),
            Message(role="assistant", content=f"Noted, page {number} of the diary."),
        )
    tool = known[(number - 1) % len(known)]
    question, arguments, result, answer = _errand(tool, chance, number)
    diary = ["From the garden diary:", *(sentence(chance) for _ in range(more))] if more else []
    call = ToolCall(id=f"call_0_{number}", name=tool, arguments=arguments)
    return (
        Message(role="user", content="\n".join([*diary, question])),
        Message(role="assistant", content="", tool_calls=(call,)),
        Message(role="tool", content=result, tool_call_id=call.id, name=call.name),
        Message(role="assistant", content=answer),
    )


def _errand(tool: str, chance: Random, number: int) -> tuple[str, dict[str, Any], str, str]:
    """Give the question of a small job, the arguments of the one call that does it, its result, and the answer."""
    path = f"diary/page_{number:03}.txt"
    if tool == "fs_read":
        lines = [sentence(chance) for _ in range(5)]
        shown = "\n".join([*lines, f"[lines 1 to {len(lines)} of {len(lines)}]"])
        question = f"What is the last entry in {path}?"
        return question, {"path": path}, shown, f"The last entry is: {lines[-1]}"
    if tool == "fs_write":
        line, path = sentence(chance), f"diary/entry_{number:03}.txt"
        done, arguments = f"wrote {len(line) + 1} bytes to {path}", {"path": path, "content": f"{line}\n"}
        return f"Put this into {path}: {line}", arguments, done, f"{path} is there."
    if tool == "shell":
        count = chance.randint(12, 90)
        question, shown = f"How many lines has {path}?", f"{count} {path}\nexit code 0"
        return question, {"command": f"wc -l {path}"}, shown, f"It has {count} lines."
    plant, kilos = chance.choice(_PLANTS), chance.randint(2, 40)
    query = f"SELECT sum(kilos) AS kilos FROM harvest WHERE plant = '{plant}' AND week = {number}"  # noqa: S608 - nothing runs it
    question = f"How many kilos of {plant} came in in week {number}?"
    arguments = {"database": "garden.db", "query": query}
    return question, arguments, f"kilos\n-----\n{kilos}\n(1 row)", f"{kilos} kilos."


CHARACTERS_PER_TOKEN = 4
"""A rule of thumb for English text, where nobody can be asked."""
LINES = 60
"""Diary lines that may be added at most to come near the number; an errand is shorter than that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextLoad:
    """Earlier conversation as one task gets it."""

    asked: int
    """Tokens that were asked for."""
    tokens: int
    """Tokens that it takes, fewer by less than a line."""
    counted: Literal["tokenizer", "characters"]
    """By the backend: the prompt with the earlier conversation less the prompt without; or, where the backend cannot be
    asked, a token for every four characters."""
    messages: Sequence[Message]

    def to_json(self) -> dict[str, Any]:
        """For the transcript's start event."""
        return {
            "asked": self.asked,
            "tokens": self.tokens,
            "counted": self.counted,
            "messages": [_to_json(message) for message in self.messages],
        }


def build_load(asked: int, backend: Backend, system: str, specs: Sequence[ToolSpec], policy: Policy) -> ContextLoad:
    """The earlier conversation of `asked` tokens that goes before a task with these tools."""
    without = 0
    first, *rest = opening(system, "What is next?")
    if isinstance(backend, CountsTokens):
        without = backend.count_tokens([first, *rest], specs, policy)

    def measure(messages: Sequence[Message]) -> int:
        if isinstance(backend, CountsTokens):
            return backend.count_tokens([first, *messages, *rest], specs, policy) - without
        return sum(len(json.dumps(_to_json(each), ensure_ascii=False)) for each in messages) // CHARACTERS_PER_TOKEN

    messages = conversation(asked, [spec.name for spec in specs], measure)
    counted: Literal["tokenizer", "characters"] = "tokenizer" if isinstance(backend, CountsTokens) else "characters"
    return ContextLoad(asked=asked, tokens=measure(messages), counted=counted, messages=messages)


def check_load(
    load: ContextLoad, backend: Backend, first: Sequence[Message], specs: Sequence[ToolSpec], policy: Policy
) -> None:
    """Refuse a load that the context which the backend says it has cannot hold together with a reply.

    Args:
        load: the earlier conversation.
        backend: one that does not check for room itself.
        first: the messages of a task's first request; they count where the backend counts tokens.
        specs: the task's tools.
        policy: the campaign's.

    Raises:
        UsageError: says how many tokens are taken.
    """
    context = backend.describe().get("context")
    what, taken = "the load alone, at four characters a token,", load.tokens
    if isinstance(backend, CountsTokens):
        what, taken = "the task's first prompt", backend.count_tokens(first, specs, policy)
    if isinstance(context, int) and taken + MIN_ROOM > context:
        raise UsageError(
            f"a context of {context} tokens is too small: {what} takes {taken} and a reply needs {MIN_ROOM}"
        )


def conversation(
    asked: int, tools: Collection[str], measure: Callable[[Sequence[Message]], int]
) -> tuple[Message, ...]:
    """Fill `asked` tokens with whole errands, and then with lines in the first one until no further line fits."""

    def so_many(errands: int, more: int) -> tuple[Message, ...]:
        numbers = range(1, errands + 1)
        return (*(m for n in numbers for m in errand(n, tools, more if n == 1 else 0)), *CLOSING)

    errands = max(1, _most(lambda n: measure(so_many(n, 0)) <= asked, asked))
    more = _most(lambda n: measure(so_many(errands, n)) <= asked, LINES)
    return so_many(errands, more)


def _most(fits: Callable[[int], bool], limit: int) -> int:
    """The largest number up to `limit` that fits, 0 when not even 1 does; everything below a fitting number fits."""
    low, high = 0, 1
    while high < limit and fits(high):
        low, high = high, min(2 * high, limit)
    return bisect_left(range(high + 1), True, lo=low + 1, key=lambda number: not fits(number)) - 1


def _to_json(message: Message) -> dict[str, Any]:
    said: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.name:
        said["name"] = message.name
    if message.tool_calls:
        said["tool_calls"] = [call_json(call) for call in message.tool_calls]
    return said
