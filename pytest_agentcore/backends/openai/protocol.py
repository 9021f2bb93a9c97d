"""The chat completions protocol: a request as its JSON, and the chunks of a stream put together to a reply."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pytest_agentcore.backends.base import Message, Request
from pytest_agentcore.backends.reading import offered, short_id, tool_dicts
from pytest_agentcore.catalogue.entry import Policy, Sampling, settings_of
from pytest_agentcore.errors import BackendError
from pytest_agentcore.trial.result import Usage

FIELDS: Mapping[str, tuple[str, ...]] = {
    **{key: (key,) for key in settings_of(Sampling)},
    # llama.cpp says the first, vLLM the second: both are sent, for a server that is told nothing takes its own choice
    "repeat_penalty": ("repeat_penalty", "repetition_penalty"),
}
"""The names of each sampling value in this protocol."""
_SETTING_OF = {name: key for key, names in FIELDS.items() for name in names}
OPTIONAL = (*_SETTING_OF, "seed", "parallel_tool_calls", "stream_options")
"""Fields that a server may refuse to know."""


def body(request: Request, model: str, *, reasoning_field: str = "", left_out: Collection[str] = ()) -> dict[str, Any]:
    """The JSON of `POST …/chat/completions`.

    Args:
        request: what is asked.
        model: what the endpoint calls the model.
        reasoning_field: the field in which earlier reasoning is given back; empty: it is not.
        left_out: keys of `OPTIONAL` that the server refused, and `max_tokens` where it wants the newer name.
    """
    ceiling = "max_completion_tokens" if "max_tokens" in left_out else "max_tokens"
    tools = tool_dicts(offered(request.tools, request.policy))
    asked: dict[str, Any] = {"tools": tools, "tool_choice": "auto"} if tools else {}
    if request.policy is Policy.constrained:
        asked |= {"tool_choice": "required", "parallel_tool_calls": False}
    whole: dict[str, Any] = {
        "model": model,
        "messages": [message_json(message, reasoning_field) for message in request.messages],
        **asked,
        **{name: getattr(request.sampling, key) for name, key in _SETTING_OF.items()},
        "seed": request.seed,
        ceiling: request.max_reply_tokens,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    return {key: value for key, value in whole.items() if key not in left_out}


def lost_by(key: str, sampling: Sampling) -> bool:
    """Whether leaving out a key changes what was asked for, other than that the server's own default now counts."""
    if key not in _SETTING_OF:
        return False
    _, about = settings_of(Sampling)[_SETTING_OF[key]]
    return bool(getattr(sampling, about.name) != about.metadata["off"])


def message_json(message: Message, reasoning_field: str = "") -> dict[str, Any]:
    """One message; an assistant's arguments are JSON in a string, as the protocol wants them."""
    said: dict[str, Any] = {"role": message.role, "content": _sound(message.content)}
    for call in message.tool_calls:
        arguments = _sound(json.dumps(dict(call.arguments), ensure_ascii=False))
        function = {"name": call.name, "arguments": arguments}
        said.setdefault("tool_calls", []).append({"id": short_id(call.id), "type": "function", "function": function})
    if message.reasoning and reasoning_field:
        said[reasoning_field] = _sound(message.reasoning)
    if message.role == "tool":
        said |= {"tool_call_id": short_id(message.tool_call_id), "name": message.name}
    return said


def _sound(text: str) -> str:
    """Without lone surrogates: they have no form in UTF-8."""
    return text.encode("utf-8", "replace").decode("utf-8")


REASONING_FIELDS = ("reasoning_content", "reasoning")
"""The names of the model's thoughts: DeepSeek, llama.cpp and SGLang say the first, vLLM and others the second."""
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
        begins, ended = arguments.lstrip().startswith("{"), self.arguments.rstrip().endswith("}")
        if not ((name or self.named_again) and begins and ended):
            return False
        try:
            return isinstance(json.loads(self.arguments), dict)
        except (ValueError, RecursionError):
            return False


@dataclass(slots=True)
class Collected:
    """One streamed reply as far as it has come."""

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

    def take(self, chunk: Mapping[str, Any]) -> Sequence[str]:
        """Take one chunk; returns the new pieces of text.

        Raises:
            BackendError: it has not the protocol's shape.
        """
        before = len(self.pieces)
        self.usage = chunk.get("usage") or self.usage
        self.timings = chunk.get("timings") or self.timings
        try:
            for choice in (chunk.get("choices") or [])[:1]:
                self.choices += 1
                for piece in self._pieces(choice.get("delta") or choice.get("message") or {}):
                    self.pieces.append(piece)
                self.finish = choice.get("finish_reason") or self.finish
        except (ValueError, TypeError, AttributeError) as error:
            raise BackendError(f"a chunk of the endpoint's reply cannot be read: {error}", transient=True) from None
        return self.pieces[before:]

    def _pieces(self, delta: Mapping[str, Any]) -> Iterator[str]:
        said, thoughts = _parted(delta.get("content") or delta.get("refusal"))
        yield from self._thought(thoughts, "")
        for name in REASONING_FIELDS:
            if thought := delta.get(name):
                yield from self._thought(thought, name)
                break
        calls = delta.get("tool_calls")
        if not calls and (function := delta.get("function_call")):  # the protocol's earlier form
            calls = [{"function": function}]
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
        name, arguments = function.get("name") or "", function.get("arguments") or ""
        if isinstance(arguments, Mapping):  # some servers send the object itself instead of its JSON
            arguments = json.dumps(arguments, ensure_ascii=False)
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

    def counted(self) -> Usage | None:
        """Tokens as the server counts them; None where it does not."""
        usage = _table(self.usage)
        prompt, reply = _count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens"))
        if not prompt and not reply:
            return None
        # OpenAI's field and vLLM's, then DeepSeek's, then llama.cpp's
        details, timings = _table(usage.get("prompt_tokens_details")), _table(self.timings)
        counts = (details.get("cached_tokens"), usage.get("prompt_cache_hit_tokens"), timings.get("cache_n"))
        cached = next(filter(None, map(_count, counts)), 0)
        return Usage(prompt_tokens=prompt, cached_tokens=min(prompt, cached), reply_tokens=reply)


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


def _table(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _count(value: Any) -> int:
    """Tokens; 0, which is unknown, for what is no number."""
    with contextlib.suppress(ValueError, TypeError, OverflowError):
        return max(0, int(value))
    return 0
