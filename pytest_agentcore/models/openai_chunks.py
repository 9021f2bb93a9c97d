"""Puts a reply together from the chunks of its stream."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pytest_agentcore.trial import Usage

REASONING_FIELDS = ("reasoning_content", "reasoning")
"""What servers call the model's thoughts: DeepSeek, llama.cpp and SGLang the first, vLLM and others the second."""
THINK, END_THINK = "<think>\n", "\n</think>\n"
"""How thoughts that come in a field of their own are set off in a reply's text."""


@dataclass(slots=True)
class StreamedCall:
    """One call as far as it has come."""

    id: str = ""
    name: str = ""
    arguments: str = ""
    """Raw; strict JSON if all is well."""

    named_again: bool = False
    """Whether its name came once more behind its arguments: what follows may be another call of the same tool."""

    def is_over(self, call_id: str, name: str, arguments: str) -> bool:
        """Whether a part cannot belong to this call, though it has the same index.

        Some servers give every call the index 0, or none, and tell them apart by their ids or, Gemini's, not at all.
        """
        if name and call_id and self.id and call_id != self.id:
            return True
        if name and name != self.name and self.arguments:
            return True
        if not (name or self.named_again):
            return False
        return arguments.lstrip().startswith("{") and _is_object(self.arguments)


@dataclass(slots=True)
class Collected:
    """What has come so far."""

    content: str = ""
    reasoning: str = ""
    reasoning_field: str = ""
    calls: list[StreamedCall] = field(default_factory=list)
    finish: str = ""
    """The server's word; empty until it came."""
    choices: int = 0
    """Chunks that had a choice in them."""
    pieces: list[str] = field(default_factory=list)
    """Everything in the order in which it came, see `take`."""
    usage: Mapping[str, Any] | None = None
    timings: Mapping[str, Any] | None = None
    """llama.cpp's own account."""
    _open: dict[Any, StreamedCall] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """All pieces."""
        return "".join(self.pieces)

    def take(self, chunk: Mapping[str, Any]) -> Iterator[str]:
        """Take one chunk and yield the new pieces of text.

        Raises:
            ValueError, TypeError, AttributeError: it has not the protocol's shape.
        """
        self.usage = chunk.get("usage") or self.usage
        self.timings = chunk.get("timings") or self.timings
        for choice in (chunk.get("choices") or [])[:1]:
            self.choices += 1
            for piece in self._pieces(choice.get("delta") or choice.get("message") or {}):
                self.pieces.append(piece)
                yield piece
            self.finish = choice.get("finish_reason") or self.finish

    def _pieces(self, delta: Mapping[str, Any]) -> Iterator[str]:
        said, thoughts = _parted(delta.get("content") or delta.get("refusal"))
        yield from self._thought(thoughts, "")
        for name in REASONING_FIELDS:
            if thought := delta.get(name):
                yield from self._thought(thought, name)
                break
        calls = delta.get("tool_calls") or _as_calls(delta.get("function_call"))
        if (said or calls) and self.reasoning and not (self.content or self.calls):
            yield END_THINK
        if said:
            self.content += said
            yield said
        for part in calls or ():
            yield from self._call(part)

    def _thought(self, thought: str, name: str) -> Iterator[str]:
        if thought:
            if not self.reasoning:
                self.reasoning_field = name
                yield THINK
            self.reasoning += thought
            yield thought

    def _call(self, part: Mapping[str, Any]) -> Iterator[str]:
        """A part of a call: of the one that was begun at its index, or of a new one."""
        index, call_id, function = part.get("index", 0), part.get("id") or "", part.get("function") or {}
        name, arguments = function.get("name") or "", _as_text(function.get("arguments"))
        call = self._open.get(index)
        if call is None or call.is_over(call_id, name, arguments):
            name = name or (call.name if call else "")
            call = self._open[index] = StreamedCall(id=call_id)
            self.calls.append(call)
            if len(self.pieces) or len(self.calls) > 1:
                yield "\n"
        call.named_again = call.named_again or bool(name and call.arguments)
        if name and name != call.name:  # MiniMax's servers repeat it in every part
            call.name += name
            yield name
        if arguments:
            call.arguments += arguments
            yield arguments

    def counted(self) -> Usage:
        """Tokens as the server counts them; where it does not, a piece is taken for a token and prompts for unknown."""
        usage = _table(self.usage)
        prompt, reply = _count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens"))
        if not prompt and not reply:
            return Usage(reply_tokens=len(self.pieces))
        return Usage(prompt_tokens=prompt, cached_tokens=min(prompt, self._cached(usage)), reply_tokens=reply)

    def _cached(self, usage: Mapping[str, Any]) -> int:
        """OpenAI's field and vLLM's, then DeepSeek's, then llama.cpp's."""
        details, timings = _table(usage.get("prompt_tokens_details")), _table(self.timings)
        counts = (details.get("cached_tokens"), usage.get("prompt_cache_hit_tokens"), timings.get("cache_n"))
        return next(filter(None, map(_count, counts)), 0)


def _is_object(text: str) -> bool:
    """Whether a text is a whole JSON object."""
    if not text.rstrip().endswith("}"):
        return False
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def _parted(content: Any) -> tuple[str, str]:
    """Content as text and thoughts; Mistral's servers send it as a list of typed parts where there are thoughts.

    Raises:
        TypeError: it is neither text nor such a list.
    """
    if not content or isinstance(content, str):
        return content or "", ""
    if not isinstance(content, list):
        raise TypeError(f"content is {type(content).__name__}, not text")
    said, thoughts = "", ""
    for part in content:
        if isinstance(part, str):
            said += part
        elif part.get("type") == "thinking":
            thoughts += _parted(part.get("thinking"))[0]
        else:
            said += part.get("text") or ""
    return said, thoughts


def _as_calls(function: Any) -> Sequence[Mapping[str, Any]]:
    """The one call of the protocol's earlier form."""
    return [{"function": function}] if function else ()


def _as_text(arguments: Any) -> str:
    """Some servers send the object itself instead of its JSON."""
    return json.dumps(arguments, ensure_ascii=False) if isinstance(arguments, Mapping) else arguments or ""


def _table(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _count(value: Any) -> int:
    """Tokens; 0, which is unknown, for what is no number."""
    with contextlib.suppress(ValueError, TypeError, OverflowError):
        return max(0, int(value))
    return 0
